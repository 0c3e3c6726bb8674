"""Unpacking archives from the net: nothing outside the folder, nothing half there, nothing damaged."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO

from tqdm.auto import tqdm

from ...errors import DataError
from ...files import all_to_disk, make_folder

_ODD = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")  # control characters, and bytes that are no letters


class _Damaged(Exception):
    """What cannot be read, whatever zipfile, tarfile and the decompressors raise for it."""


@dataclass(frozen=True)
class Member:
    """A file in an archive: its name there, its size in bytes, and how to read it."""

    name: str
    size: int
    open: Callable[[], BinaryIO]

    def blocks(self) -> Iterator[bytes]:
        """The content, a megabyte at a time."""
        try:
            with self.open() as source:
                while block := source.read(2**20):
                    yield block
        except Exception as error:  # BadZipFile, zlib.error, LZMAError, OSError, RuntimeError ...: by the damage
            raise _Damaged(f"{self.name!r}: {error or type(error).__name__}") from error


@contextmanager
def open_archive(source: Path | BinaryIO, name: str = "") -> Iterator[list[Member]]:
    """The files in a zip or tar archive, all checked to stay where they are unpacked.

    ``name`` stands in the errors, where ``source`` is an archive within an archive. A zip's checksums (CRC-32)
    are verified as its members are read; a tar file has none for its contents.
    """
    name = name or str(source)
    try:
        with ExitStack() as opened:
            yield _members(source, name, opened)
    except _Damaged as error:
        raise DataError(
            f"{name} is damaged ({error}): delete it, get it again and run the same command again"
        ) from error


def _members(source: Path | BinaryIO, name: str, opened: ExitStack) -> list[Member]:
    if isinstance(source, Path) and not source.is_file():
        what = "is no file" if source.exists() else "does not exist"
        raise DataError(f"{source} {what}: expected an archive; check the path")
    try:
        if name.lower().endswith(".zip"):
            archive = opened.enter_context(zipfile.ZipFile(source))
            # in the order of their bytes: in an archive within an archive, going back means starting over
            infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
            return [_zip_member(archive, info, name) for info in infos if not info.filename.endswith("/")]
        archive = opened.enter_context(tarfile.open(source))
        return [_tar_member(archive, info, name) for info in archive.getmembers() if not info.isdir()]
    except DataError:
        raise
    except PermissionError as error:
        raise DataError(f"{name} cannot be read ({error.strerror}): check its permissions") from error
    except Exception as error:  # a damaged list of members fails in as many ways as it has fields
        raise _Damaged(error or type(error).__name__) from error


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str) -> Member:
    _check_inside(info.orig_filename, where)  # zipfile cuts the other at a NUL
    _check_inside(info.filename, where)
    if stat.S_ISLNK(info.external_attr >> 16):
        raise _refusal(where, info.filename, "is a link")
    if info.flag_bits & 1:
        raise _refusal(where, info.filename, "is encrypted")
    return Member(info.filename, info.file_size, lambda: archive.open(info))


def _tar_member(archive: tarfile.TarFile, info: tarfile.TarInfo, where: str) -> Member:
    _check_inside(info.name, where)
    if not info.isreg():
        raise _refusal(where, info.name, "is a link or a device")
    return Member(info.name, info.size, lambda: archive.extractfile(info))


def _check_inside(name: str, where: str) -> None:
    """Refuse names that are none or hold odd letters, that are absolute or climb, also as Windows reads them."""
    if not PurePosixPath(name).name.strip() or _ODD.search(name):
        raise _refusal(where, name, "has no name that a file can have")
    for path in (PurePosixPath(name), PureWindowsPath(name)):
        if path.is_absolute() or path.drive or path.root or ".." in path.parts:
            raise _refusal(where, name, "would be written outside its folder")


def _refusal(where: str, name: str, why: str) -> DataError:
    return DataError(f"{where}: the member {name!r} {why}, so nothing was unpacked: get the archive from its publisher")


def unpack(members: list[Member], folder: Path, rename: Callable[[str], str | None], text: str) -> int:
    """Write to ``folder`` the members that ``rename`` gives a name (a path in the folder); returns their number."""
    targets = [(member, PurePosixPath(name)) for member in members if (name := rename(member.name))]
    names = Counter(name for _, name in targets)  # "a/./b" and "./a/b" are one
    if len(names) != len(targets):
        raise DataError(f"{text}: the archive has several files {str(names.most_common(1)[0][0])!r}: get it again")
    require_space(folder, sum(member.size for member, _ in targets), f"to unpack {text}")
    for member, name in tqdm(targets, desc=f"unpacking {text}", unit="file", dynamic_ncols=True):
        _check_inside(str(name), text)
        _write(member, folder / name)
    return len(targets)


def _write(member: Member, target: Path) -> None:
    make_folder(target.parent)
    try:
        with open(target, "wb") as file:
            for block in member.blocks():
                file.write(block)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{target} cannot be written ({getattr(error, 'strerror', None) or error}): make room on the disk, then "
            "run the same command again; nothing half unpacked is kept"
        ) from error


def unpack_folder(
    source: Path | BinaryIO, folder: Path, rename: Callable[[str], str | None], count: int, name: str = ""
) -> None:
    """An archive's members that ``rename`` names (see :func:`unpack`) as the new ``folder``: all ``count``, or none."""
    with open_archive(source, name) as members, staged(folder) as draft:
        expect(unpack(members, draft, rename, folder.name), count, name or source)


def is_complete(folder: Path, count: int) -> bool:
    """Whether the folder is there. Ours appear only when complete; one of the user's must hold ``count`` files."""
    if not folder.exists():
        return False
    expect(len(visible(folder)), count, folder)
    return True


def visible(folder: Path) -> list[Path]:
    """The files in a folder by name, without hidden ones, such as Mac's ``._name`` beside each ``name``.

    Raises :class:`DataError` if it is no folder, or there are none.
    """
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    if not (found := [path for path in paths if not path.name.startswith(".")]):
        raise DataError(f"{folder} is no folder with files in it: delete it if it is there, and run the command again")
    return found


def expect(found: int, count: int, where: str | Path) -> None:
    """Raise :class:`DataError` unless ``found`` files are as many as there should be."""
    if found != count:
        raise DataError(
            f"{where} holds {found} files instead of {count}, so it is another data set or only a part of this one: "
            "move it away or delete it, then run the same command again"
        )


def flat(suffix: str, under: str = "") -> Callable[[str], str | None]:
    """For :func:`unpack`: the files with this suffix below the folder ``under`` (any by default), without their
    folders; Mac's hidden extras are left out."""

    def rename(name: str) -> str | None:
        base = name.rpartition("/")[2]
        return base if under in name and base.endswith(suffix) and not base.startswith(".") else None

    return rename


def require_space(folder: Path, size: int, what: str) -> None:
    """Raise :class:`DataError` if the disk under ``folder`` has less than ``size`` bytes free."""
    free = free_space(folder)
    if free < size:
        raise DataError(
            f"{what}, {human(size)} are needed on the disk of {folder}, but {human(free)} are free: make room or "
            "choose another folder"
        )


def free_space(folder: Path) -> int:
    """Bytes free on the disk where ``folder`` is or will be."""
    folder = Path(folder).absolute()
    return shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free


def human(size: float) -> str:
    """1234567 -> "1.2 MB" (a megabyte is 10^6 bytes)."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A draft folder beside ``folder`` that takes its place when the block ends well, and else goes."""
    draft = folder.with_name(f".{folder.name}.partial")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        yield make_folder(draft)
        all_to_disk()
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(draft, folder)
    except OSError as error:
        raise DataError(f"{folder} cannot be written ({error.strerror or error}): check folder and disk") from error
    finally:
        with suppress(OSError):
            shutil.rmtree(draft)
