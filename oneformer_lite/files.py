"""Writing files so that nothing is ever half written; and paths, as callers and other systems write them."""

from __future__ import annotations

import errno
import json
import os
import reprlib
import secrets
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .errors import ConfigError, DataError


@contextmanager
def replacing(path: str | Path, durable: bool = True) -> Iterator[Path]:
    """A draft beside ``path`` that takes its place when the block ends well.

    >>> with replacing("weights.safetensors") as draft:
    ...     save_file(tensors, draft)

    If the block fails, the old file stays and the draft goes. After it, the new file is on the disk, whatever
    happens to the machine; unless ``durable`` is False, for files that are made by the thousand: waiting for each
    takes longer than making it, so whoever writes many ends with :func:`all_to_disk`. Any number of threads and
    processes may replace the same file: the last one wins. A folder that cannot be written and a full disk raise
    :class:`DataError`.
    """
    path = path_of(path, "the file to write")
    draft = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.draft")
    try:
        make_folder(path.parent)
        yield draft
        if durable:
            to_disk(draft)
        os.replace(draft, path)
    except OSError as error:
        raise DataError(
            f"{path} could not be written ({error.strerror or error}): check that the folder is writable "
            "and the disk has room. What was there before is unchanged."
        ) from error
    finally:
        with suppress(OSError):  # gone after a success, never made if the folder is not writable
            draft.unlink()
    if durable:
        with suppress(OSError):  # file systems that cannot do it for a folder do it for its entries on their own
            to_disk(path.parent)


def to_disk(path: Path, forget: bool = False) -> None:
    """Wait until a file, or the entries of a folder, would survive a power failure. ``forget``: what is read from the
    file next comes from the disk, where the system can be asked for that."""
    if os.name == "nt":  # only files that are open for writing, and no folders
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
        if forget and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)


def all_to_disk() -> None:
    """Wait until all files that were written before would survive a power failure, where the system can do that."""
    if hasattr(os, "sync"):
        os.sync()


def open_own(path: Path) -> BinaryIO:
    """A file of a folder that may be a stranger's, for reading bytes.

    Raises :class:`OSError` if it is missing, and for a pipe or a device, whose end may never come, and a link that
    leads out of its folder.
    """
    if path.resolve().parent != path.parent.resolve():
        raise OSError(errno.ELOOP, "it is a link out of its folder")
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is no ordinary file")
    return os.fdopen(handle, "rb")


def write_json(path: str | Path, content: dict | list, indent: int | None = None) -> None:
    """Write ``content`` whole or not at all: a reader never meets a half-written file."""
    with replacing(path) as draft:
        draft.write_text(json.dumps(content, indent=indent) + "\n", encoding="utf-8")


def make_folder(folder: str | Path) -> Path:
    """Create ``folder`` and its parents, or say why that is impossible."""
    folder = path_of(folder, "the folder to write to")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "permission denied")
    except OSError as error:
        raise DataError(
            f"the folder {folder} cannot be written ({error.strerror or error}): choose another one"
        ) from error
    return folder


def path_of(path: str | Path, what: str) -> Path:
    """``path`` as a :class:`Path`. Raises :class:`ConfigError` if it is none, or a blank text (which would mean the
    working folder); ``what`` it leads to, in words: "the folder of a run"."""
    if not isinstance(path, (str, os.PathLike)) or not str(path).strip():
        raise ConfigError(f"expected {what} as a text or a path, got {reprlib.repr(path)}")
    return Path(path)


def on_disk(path: Path) -> Path:
    """``path``, or where nothing is there, what has the same name in another form of Unicode: macOS takes letters apart
    (a and two dots for ä), in its archives too, and to people the two look the same."""
    if str(path).isascii() or path.exists():
        return path
    found = Path(path.anchor)
    for part in path.relative_to(path.anchor).parts:
        found = found / part if (found / part).exists() else found / _same(found, part)
    return found if found.exists() else path


def normal(name: str) -> str:
    """A name in the one form of Unicode in which names are compared."""
    return unicodedata.normalize("NFC", name)


def _same(folder: Path, name: str) -> str:
    """The name in ``folder`` that differs from ``name`` by the form alone; ``name`` if there is none."""
    try:
        return next((other for other in os.listdir(folder) if normal(other) == normal(name)), name)
    except OSError:
        return name
