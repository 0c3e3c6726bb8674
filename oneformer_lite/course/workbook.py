"""A learner's own copy of the notebooks: what is run and filled in is never what was delivered."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import DataError
from ..files import make_folder, replacing
from ..labs.exercise import all_labs
from ..lessons.notebooks import find_lessons


def delivered() -> Path:
    """The folder ``notebooks`` of the clone, or of the handout, that the package lies in."""
    return find_lessons()[0].path.parent


def start(folder: Path) -> tuple[int, int]:
    """Copy lessons, labs and the sample data to ``folder``; how many files were copied, and how many were there already
    and were left as they are. Raises :class:`DataError` if it cannot be written, or is the delivered folder itself."""
    root = delivered().parent
    place = folder.resolve()
    if place == root.resolve() or root.resolve() / "notebooks" in [place, *place.parents]:
        raise DataError(f"{folder} is where the delivered notebooks lie: choose a folder of your own")
    copied = kept = 0
    for path in _files(root):
        target = folder / path.relative_to(root)
        if target.exists():
            kept += 1
            continue
        _copy(path, target)
        copied += 1
    return copied, kept


def reset(lab: str, folder: Path) -> tuple[Path, Path]:
    """Bring lab "NN" in a folder made by :func:`start` back to how it was delivered; its path, and that of the old one
    beside it. Raises :class:`DataError` if there is no such lab, in either place."""
    number = lab.zfill(2) if lab.isdecimal() else "no number"
    wanted = sorted((delivered() / "labs").glob(f"{number}_*.ipynb"))
    if not wanted:
        raise DataError(f"no lab {lab!r}: there are {', '.join(all_labs())}")
    target = labs_of(folder) / wanted[0].name
    if target.resolve() == wanted[0].resolve():
        raise DataError(f"{target} is the delivered one: work on a copy (oneformer-lite course start FOLDER)")
    aside = _free_name(target)
    if target.exists():
        target.rename(aside)
    _copy(wanted[0], target)
    return target, aside


def labs_of(folder: Path) -> Path:
    """Where the labs lie in a folder made by :func:`start`, or in one below it. Raises :class:`DataError`."""
    places = [folder / "notebooks" / "labs", folder / "labs", folder]
    for place in places:
        if any(re.match(r"\d\d_", path.name) for path in place.glob("*.ipynb")):
            return place
    raise DataError(f"no labs in {folder}: make a copy of them with oneformer-lite course start {folder}")


def _files(root: Path) -> Iterator[Path]:
    """Notebooks, their pictures, and the sample data."""
    notebooks = root / "notebooks"
    for pattern in ("*.ipynb", "*.webp", "GLOSSARY.md", "labs/*.ipynb", "labs/solutions/*.ipynb"):
        yield from sorted(notebooks.glob(pattern))
    yield from sorted(path for path in (root / "data" / "sample").rglob("*") if path.is_file())


def _free_name(path: Path) -> Path:
    names: Sequence[Path] = [path.with_name(f"{path.stem}.old-{number}.ipynb") for number in range(1, 1000)]
    return next(name for name in names if not name.exists())


def _copy(path: Path, target: Path) -> None:
    make_folder(target.parent)
    with replacing(target, durable=False) as draft:
        shutil.copyfile(path, draft)
