"""One door to the conversions: a format by name, a folder, and the folder to write."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ...checks import only_known_names
from ...errors import ConfigError, DataError
from ...files import path_of
from ..folders import contents, require_folder
from ..published.archive import staged
from . import camvid, image_pairs, kitti, kitti_step, mapillary, voc

# folder, draft of the new one, number of processes -> pictures of each split
FORMATS: dict[str, Callable[[Path, Path, int], dict[str, int]]] = {
    "kitti": kitti.convert,
    "kitti-step": kitti_step.convert,
    "voc": voc.convert,
    "mapillary": mapillary.convert,
    "camvid": camvid.convert,
    "cityscapes-pairs": image_pairs.convert,
}


@only_known_names
def convert_data(format: str, folder: str | Path, out: str | Path, workers: int | None = None) -> dict[str, int]:
    """Rewrite the data set in ``folder``, in its authors' layout, as the new folder ``out`` that ``data.open`` reads.

    ``format`` is one of :data:`FORMATS`; ``data/README.md`` says what each expects and gives. Pictures that stay as
    they are become hard links, or copies where the disk cannot link them. ``out`` appears when it is whole; returned
    is the number of pictures of each split. ``workers`` processes convert (default: one for each core).

    Raises :class:`DataError` that names the file where something is in another layout, of another kind or size, or
    holds numbers or colours that the data set does not have, and where ``out`` exists.
    """
    if not isinstance(format, str) or format not in FORMATS:
        raise ConfigError(f"there is no format {format!r}: expected one of {', '.join(FORMATS)}")
    folder, out = require_folder(folder, f"the data set ({format})"), _new(path_of(out, "the new folder").absolute())
    with staged(out) as draft:
        return FORMATS[format](folder, draft, workers or os.cpu_count() or 1)


def _new(out: Path) -> Path:
    """``out``, unless something is there: what the user has is never replaced."""
    if out.is_symlink() or out.exists() and not (out.is_dir() and not any(out.iterdir())):
        what = contents(out) if out.is_dir() else "is there already"
        raise DataError(f"{out} {what}: expected the name of a new folder; choose another, or delete it first")
    return out
