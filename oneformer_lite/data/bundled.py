"""The sample that comes with the package: a dozen Toytown scenes in COCO's layout, and the log of a run."""

from __future__ import annotations

from pathlib import Path

from ..errors import DataError

PACKAGE = Path(__file__).parents[1]


def sample_folder() -> Path:
    """The folder of `val/`, `annotations/` and `run/`: in an installed package its own copy, in a clone `data/sample`.

    Read it, do not write into it. Raises :class:`DataError` where neither is there.
    """
    inside, beside = PACKAGE / "sample_data", PACKAGE.parent / "data" / "sample"
    for folder in (inside, beside):
        if (folder / "annotations" / "panoptic_val.json").is_file():
            return folder
    raise DataError(
        f"the sample scenes are not there: expected them in {inside} (of an installed wheel) or {beside} (of a clone); "
        "install the package again, or in a clone run git checkout data/sample"
    )
