"""Polygons that hold something else than was meant: lines that cross themselves, holes that are filled.

COCO's polygons are filled, all those of an object together: an hour-glass holds half of its square, and a polygon
within another adds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..notices import warn_user
from .outlines import Outlines, box_of, same_area

_MOST = 0.5  # share of the objects from which points are taken to be in another order
_SOME = 0.05  # the same for holes, two objects at least
_TIMES = 1.5  # larger or smaller than its area says: some tools count pixels, others measure the outline
_LEAST_AREA = 16  # pixels from which areas are compared
_SIDE = 128  # pixels at which outlines are drawn
_LEAST_HOLE = 0.01  # share of the outline around it


def warn_of_rings(outlines: Outlines, chosen: Sequence[int], rows: list[dict], file: Path) -> None:
    """Warn where polygons of the objects ``chosen``, which have no codes, cross themselves, enclose another area than
    the objects, ``rows`` of the file, say, or lie within each other."""
    off = sum(_encloses_other(outlines, i, rows[i]) or _crosses_itself(outlines, i) for i in chosen)
    if off > _MOST * len(chosen):
        warn_user(
            f"{file}: the outlines of {off} of {len(chosen)} objects looked at enclose far more or fewer pixels than "
            "their area says, or cross themselves: are points in another order, such as [x, x, ..., y, y, ...], or "
            "areas those of a picture of another size? Expected [x, y, x, y, ...], point by point along the edge. Look "
            "at some samples before you train"
        )
    holes = [i for i in chosen if _has_holes(outlines, i)]
    if len(holes) > max(1, _SOME * len(chosen)):
        warn_user(
            f"{file}: {len(holes)} of {len(chosen)} objects looked at have polygons within their polygons, such as "
            f"annotations[{holes[0]}]. If these are holes (of cv2.findContours, say): COCO's polygons have none, and "
            "they are filled. Export masks as run-length codes, pycocotools.mask.encode"
        )


def _encloses_other(outlines: Outlines, index: int, row: dict) -> bool:
    """Not where the area is that of the box, as some tools write it, or too small to be told."""
    area, box = row.get("area"), box_of(row.get("bbox"))
    if type(area) not in (int, float) or not _LEAST_AREA <= area < 2**53:
        return False
    of_box = box is not None and same_area(area, (box[2] - box[0]) * (box[3] - box[1]))
    return not of_box and not area / _TIMES <= outlines.enclosed(index) <= area * _TIMES


def _crosses_itself(outlines: Outlines, index: int) -> bool:
    """Whether polygons hold far more than their points enclose, as an hour-glass does, which encloses nothing."""
    rings, scale = _at_side(outlines, index)
    around = sum(np.abs(points - np.roll(points, 1, 0)).sum() for points in rings)  # where rounding decides
    return _filled(rings) > _TIMES * outlines.enclosed(index) * scale**2 + around


def _has_holes(outlines: Outlines, index: int) -> bool:
    """Whether all polygons of an object lie in its largest one."""
    rings, _ = _at_side(outlines, index)
    if len(rings) < 2:
        return False
    *others, largest = sorted(_filled([points]) for points in rings)
    return sum(others) > _LEAST_HOLE * largest and _filled(rings) <= largest


def _at_side(outlines: Outlines, index: int) -> tuple[list[np.ndarray], float]:
    """The polygons' points, so that they just fit into a square of :data:`_SIDE`, and how much larger they are so."""
    left, top, right, bottom = outlines.extent(index)
    scale = _SIDE / max(right - left, bottom - top, 1)
    return [(points - (left, top)) * scale for points in outlines.rings(index)], scale


def _filled(rings: Sequence[np.ndarray]) -> int:
    """How many pixels the polygons hold together."""
    from pycocotools import mask as coco_mask

    codes = coco_mask.frPyObjects([points.ravel().tolist() for points in rings], _SIDE, _SIDE)
    return int(coco_mask.area(coco_mask.merge(codes)))
