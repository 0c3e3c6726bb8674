"""Do masks lie where the file's own boxes say? Codes along the rows, inverted ones, percent, x and y exchanged.

A run-length code or an outline in another convention is read without a complaint, as a mask that is scattered, lies
elsewhere or covers all but the object. The boxes and areas beside them, which nothing else uses, give it away; where
there are none, shapes do: read down the columns, codes along the rows fall into shreds, and inverted masks hold all
corners.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..notices import warn_user
from ..spread import spread_over
from .outlines import Box, Outlines, box_of, same_area
from .rings import warn_of_rings

_LOOKED_AT = 64  # objects of a file, evenly spread
_LARGEST = 2**24  # pixels of a code that is drawn to be looked at
_ALIKE = 0.5  # intersection over union from which two boxes are of the same object; detectors' measure
_SAME = 0.97  # the same, from which two boxes are one
_MOST = 0.5  # share of the objects from which the whole file is taken to be so
_SOME = 0.05  # the same for a warning that some are
_SHREDS = 3  # times longer edges: a mask of an object has the shortest ones in its own convention
_CURES = {
    "rows": "run-length codes along the rows (as of numpy's ravel() and Label Studio's brush), while COCO's run down "
    "the columns: encode the masks again, from mask.ravel(order='F') or with pycocotools' encode (in square pictures, "
    "boxes of y, x, height, width look the same)",
    "inverted": "run-length codes that begin with the object, while COCO's begin with what is not it: put a run of 0 "
    "before the first, or take away the one that is there",
    "percent": "outlines in percent of width and height: multiply each x by the picture's width / 100 and each y by "
    "its height / 100",
    "surrounding": "masks of most of their pictures with all four corners, as codes that begin with the object are "
    "read: COCO's begin with what is not it",
    "exchanged": "outlines whose points are y, x, or boxes of y, x, height, width: exchange them, COCO has x first",
}
_DOUBTFUL = ("surrounding", "exchanged")  # backgrounds may be so, and of exchanged ones the boxes may be to blame


def compare_with_boxes(outlines: Outlines, sizes: np.ndarray, rows: list[dict], file: Path) -> None:
    """Raise :class:`DataError` where the boxes and areas of a file's objects say that masks are in another convention.

    ``sizes`` int64 [n, 2] are the pictures' heights and widths, 0 where they are not known; ``rows`` the objects as the
    file has them. Warns where some are, and where most boxes disagree with their masks and nothing explains it.
    """
    drawn = np.flatnonzero(outlines.drawn())
    chosen = drawn[spread_over(len(drawn), _LOOKED_AT)]
    counts = Counter(_reading(outlines, i, sizes[i].tolist(), rows[i]) for i in chosen.tolist())
    total = counts.total() - counts[""]
    for reading, cure in _CURES.items():
        words = f"{file}: {counts[reading]} of {total} objects looked at seem to have {cure}"
        if counts[reading] > _MOST * total and reading not in _DOUBTFUL:
            raise DataError(words)
        if counts[reading] > (_MOST * total if reading in _DOUBTFUL else max(1, _SOME * total)):
            warn_user(words)
    polygons = [i for i in chosen.tolist() if outlines.counts(i)[0] and not outlines.counts(i)[1]]
    warn_of_rings(outlines, polygons, rows, file)
    if counts["none"] > _MOST * total:
        warn_user(
            f"{file}: the boxes (bbox) of {counts['none']} of {total} objects looked at lie elsewhere than their "
            "outlines: were pictures or annotations resized, cut or turned after one of the two was written? Look at "
            "some samples before you train"
        )


def _reading(outlines: Outlines, index: int, size: list[int], row: dict) -> str:
    """In which convention the mask of an object agrees with its box and area: "as read", a key of ``_CURES``, or
    "none"; empty where the file does not tell."""
    box, area = box_of(row.get("bbox")), row.get("area")
    polygons, codes = outlines.counts(index)
    if not codes:
        return _reading_of_polygons(outlines.extent(index), size, box)
    if polygons or codes > 1:
        return ""
    return _reading_of_code(outlines, index, box, area if type(area) in (int, float) else 0)


def _reading_of_polygons(extent: Box, size: list[int], box: Box | None) -> str:
    left, top, right, bottom = extent
    height, width = size
    readings = {"as read": extent, "exchanged": (top, left, bottom, right)}
    if height and width and 0 <= min(extent) <= max(extent) <= 100:
        readings["percent"] = (left * width / 100, top * height / 100, right * width / 100, bottom * height / 100)
    return fitting(readings, box, size)


def _reading_of_code(outlines: Outlines, index: int, box: Box | None, area: float) -> str:
    """The box decides, and the area between a mask and all but it; where there is no box, the shape."""
    height, width = size = outlines.size(index)
    as_read, pixels = outlines.box_and_area(index)
    overlap = 0.0 if box is None else _overlap(as_read, box)
    if overlap < _SAME and same_area(area, height * width - pixels) and not same_area(area, pixels):
        return "inverted"
    if overlap >= _ALIKE:
        return "as read"
    if height * width > _LARGEST:
        return ""
    mask = outlines.mask(index, height, width)
    by_rows = mask.ravel(order="F").reshape(height, width)
    if box is None:
        return _reading_by_shape(mask, by_rows)
    return fitting({"as read": as_read, "rows": mask_extent(by_rows), "inverted": mask_extent(~mask)}, box, size)


def _reading_by_shape(mask: np.ndarray, by_rows: np.ndarray) -> str:
    if mask[[0, 0, -1, -1], [0, -1, 0, -1]].all() and 2 * mask.sum() > mask.size > mask.sum():
        return "surrounding"
    edges, of_rows = _edges(mask), _edges(by_rows)
    return "rows" if edges > _SHREDS * of_rows else "as read" if of_rows > _SHREDS * edges else ""


def fitting(readings: dict[str, Box], box: Box | None, size: list[int]) -> str:
    """The first reading whose extent is the box, "none" if there is none; empty where the box is in a convention of its
    own, which harms nobody: corners, middle and size, or shares of width and height."""
    if box is None:
        return ""
    if reading := next((name for name, extent in readings.items() if _overlap(extent, box) >= _ALIKE), ""):
        return reading
    x, y, width, height = box[0], box[1], box[2] - box[0], box[3] - box[1]
    others = [(x, y, width, height), (x - width / 2, y - height / 2, x + width / 2, y + height / 2)]
    is_other = max(box) <= 2 or any(_overlap(readings["as read"], other) >= _ALIKE for other in others)
    return "" if is_other else "none"


def mask_extent(mask: np.ndarray) -> Box:
    """Around the pixels bool [H, W]; all 0 where there are none."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return (0.0, 0.0, 0.0, 0.0)
    return (float(columns[0]), float(rows[0]), float(columns[-1]) + 1, float(rows[-1]) + 1)


def _overlap(a: Box, b: Box) -> float:
    """Intersection over union, of boxes a pixel wider: some tools count pixels from edge to edge, others by their
    middles. 0 of what is no box."""
    (left, top, right, bottom), (x, y, end, below) = _wider(a), _wider(b)
    if min(right - left, bottom - top, end - x, below - y) <= 0:
        return 0.0
    both = max(0.0, min(right, end) - max(left, x)) * max(0.0, min(bottom, below) - max(top, y))
    return both / ((right - left) * (bottom - top) + (end - x) * (below - y) - both)


def _wider(box: Box) -> Box:
    return (box[0] - 0.5, box[1] - 0.5, box[2] + 0.5, box[3] + 0.5)


def _edges(mask: np.ndarray) -> int:
    """How many pairs of neighbours differ: the length of the mask's outline."""
    return int((mask[1:] != mask[:-1]).sum() + (mask[:, 1:] != mask[:, :-1]).sum())
