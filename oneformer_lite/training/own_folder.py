"""The folder of a run, which may have come from a stranger: nothing in it may lead what is written elsewhere."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ..errors import DataError
from ..files import make_folder
from .checkpoint import CHECKPOINT, DAMAGED, PREVIOUS
from .locks import LAUNCHER_LOCK, TRAINER_LOCK
from .log import LOG
from .pictures import PICTURES
from .state import OUTPUT, RECIPE, RESERVE, STATE, STOP

_FILES = (
    TRAINER_LOCK, LAUNCHER_LOCK, OUTPUT, LOG, RECIPE, STATE, STOP, RESERVE, CHECKPOINT, PREVIOUS, DAMAGED,
)  # fmt: skip
_FOLDERS = (PICTURES, "model", "best")


def run_folder(out: str | Path) -> Path:
    """The folder ``out``, made if there is none.

    Raises :class:`DataError` where what a run writes there is a link, which would take it elsewhere, or a pipe or a
    device, whose end may never come. ``out`` itself may be a link.
    """
    folder = make_folder(out)
    for path in _written(folder):
        kind = path.lstat().st_mode
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            what = f"a link to {os.readlink(path)}" if stat.S_ISLNK(kind) else "no ordinary file"
            raise DataError(
                f"{path} is {what}: a run writes files of its own there, and nowhere else. Delete it, or choose "
                "another folder"
            )
    return folder


def _written(folder: Path) -> Iterator[Path]:
    """What is there already of all that a run writes."""
    for name in (*_FILES, *_FOLDERS):
        if os.path.lexists(folder / name):
            yield folder / name
    for name in _FOLDERS:
        if (folder / name).is_dir() and not (folder / name).is_symlink():
            yield from (folder / name).iterdir()
