"""Unpacking archives from the net: nothing outside the folder, nothing half there, nothing damaged."""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO

from tqdm.auto import tqdm

from ..errors import DataError
from ..files import make_folder

# NotImplementedError: zipfile's for a compression method that it does not know, as a damaged header names one
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError)


@dataclass(frozen=True)
class Member:
    """A file in an archive: its name there, its size in bytes, and how to read it."""

    name: str
    size: int
    open: Callable[[], BinaryIO]


@contextmanager
def open_archive(source: Path | BinaryIO, name: str = "") -> Iterator[list[Member]]:
    """The files in a zip or tar archive, all checked to stay where they are unpacked.

    ``name`` stands in the errors, where ``source`` is an archive within an archive. A zip's checksums (CRC-32)
    are verified as its members are read; a tar file has none for its contents.
    """
    name = name or str(source)
    try:
        if name.endswith(".zip"):
            with zipfile.ZipFile(source) as archive:
                # in the order of their bytes: in an archive within an archive, going back means starting over
                infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
                yield [_zip_member(archive, info, name) for info in infos if not info.is_dir()]
        else:
            with tarfile.open(source) as archive:
                yield [_tar_member(archive, info, name) for info in archive.getmembers() if not info.isdir()]
    except _DAMAGED as error:
        raise DataError(
            f"{name} is damaged ({error}): delete it, get it again and run the same command again"
        ) from error
    except FileNotFoundError as error:
        raise DataError(f"{error.filename or name} does not exist: check the path") from error


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str) -> Member:
    _check_inside(info.filename, where)
    if stat.S_ISLNK(info.external_attr >> 16):
        raise _refusal(where, info.filename, "is a link")
    return Member(info.filename, info.file_size, lambda: archive.open(info))


def _tar_member(archive: tarfile.TarFile, info: tarfile.TarInfo, where: str) -> Member:
    _check_inside(info.name, where)
    if not info.isreg():
        raise _refusal(where, info.name, "is a link or a device")
    return Member(info.name, info.size, lambda: archive.extractfile(info))


def _check_inside(name: str, where: str) -> None:
    """Refuse names that are absolute or climb, also as Windows reads them."""
    for path in (PurePosixPath(name), PureWindowsPath(name)):
        if path.is_absolute() or path.drive or path.root or ".." in path.parts:
            raise _refusal(where, name, "would be written outside its folder")


def _refusal(where: str, name: str, why: str) -> DataError:
    return DataError(f"{where}: the member {name!r} {why}, so nothing was unpacked: get the archive from its publisher")


def unpack(members: list[Member], folder: Path, rename: Callable[[str], str | None], text: str) -> int:
    """Write to ``folder`` the members that ``rename`` gives a name (a path in the folder); returns their number."""
    targets = [(member, name) for member in members if (name := rename(member.name))]
    require_space(folder, sum(member.size for member, _ in targets), f"to unpack {text}")
    for member, name in tqdm(targets, desc=f"unpacking {text}", unit="file", dynamic_ncols=True):
        _check_inside(name, text)
        target = folder / name
        make_folder(target.parent)
        try:
            with member.open() as source, open(target, "wb") as file:
                shutil.copyfileobj(source, file, 2**20)
        except OSError as error:
            raise DataError(
                f"{target} cannot be written ({error.strerror or error}): make room on the disk, then run the same "
                "command again; nothing half unpacked is kept"
            ) from error
    return len(targets)


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
    expect(sum(not entry.name.startswith(".") for entry in os.scandir(folder)), count, folder)
    return True


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
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(draft, folder)
    except OSError as error:
        raise DataError(f"{folder} cannot be written ({error.strerror or error}): check folder and disk") from error
    finally:
        with suppress(OSError):
            shutil.rmtree(draft)
