"""Finding the files of a published layout, and saying what is there where they are not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ...errors import DataError
from ...listing import few
from ..folders import contents, require_folder
from ..paired import pair_files


def root_of(folder: Path, inside: str | Sequence[str], name: str) -> Path:
    """``folder``, or the one folder in it, that holds ``inside`` (or one of several): archives pack their files in a
    folder of their own.

    Raises :class:`DataError` where none does, or several; ``name``: what the layout is called.
    """
    wanted = [inside] if isinstance(inside, str) else inside

    def holds(place: Path) -> bool:
        return any((place / name).exists() for name in wanted)

    if holds(folder):
        return folder
    found = sorted(path for path in folder.iterdir() if holds(path))
    if len(found) > 1:
        raise DataError(f"{folder} holds several of {name}: name one of {', '.join(map(str, found))}")
    if not found:
        raise DataError(
            f"{folder} is not in the layout of {name}: expected {' or '.join(wanted)} in it, but it "
            f"{contents(folder)}; name the folder that its archive unpacks to"
        )
    return found[0]


def matched(pictures: Path, maps: Path, what: str, ending: str = "") -> list[tuple[Path, Path]]:
    """(picture, map) of two folders whose files share their names (:func:`~..paired.pair_files`); ``what``: "label
    maps"."""
    return pair_files(require_folder(pictures, "the pictures"), require_folder(maps, f"the {what}"), what, ending)


def folders_in(folder: Path) -> list[Path]:
    """The folders in one, by name, without hidden ones."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def require_files(paths: Iterable[Path], listed_in: Path) -> None:
    """Raise :class:`DataError`, with their number, for files that a list names and that are not there."""
    wanted = list(paths)
    if missing := [path for path in wanted if not path.is_file()]:
        raise DataError(
            f"{listed_in} names {len(wanted)} files of which {len(missing)} are missing, {missing[0]} first: unpack "
            "all archives of the data set into one folder"
        )


def refuse_unknown(path: Path, counts: dict, what: str) -> None:
    """Raise :class:`DataError` if a map has values that are none; ``counts``: the pixels of each such value."""
    if counts:
        shown = sorted(counts, key=lambda value: -counts[value])
        raise DataError(
            f"{path} has {sum(counts.values())} pixels of the values {few(shown)}, which are no {what}: is it a map of "
            "this data set, in the form in which it was published?"
        )


def unknown_values(values: np.ndarray, known: Sequence[int]) -> dict[int, int]:
    """The pixels of each value of an integer array that is not ``known``."""
    found, pixels = np.unique(values, return_counts=True)
    return {value: count for value, count in zip(found.tolist(), pixels.tolist(), strict=True) if value not in known}
