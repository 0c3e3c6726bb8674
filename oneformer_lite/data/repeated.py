"""Objects that are there twice, as where two exports of the same pictures were merged: each would be two targets. And
objects that are there under two classes: one of the two is called wrong, whatever a model says.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..notices import warn_user
from .boxes import mask_extent
from .outlines import Outlines
from .sample import Sample

CURE = "Were two exports merged, or one imported twice? Keep each object once: of two, one can be found at most"

CURE_OF_CLASSES = (
    "Of two classes one at most can be right: keep that, unless each object is meant to have several classes (they are "
    "learned as objects that lie on each other)"
)


def count_repeated(
    outlines: Outlines, owners: np.ndarray, class_ids: np.ndarray, kept: np.ndarray, file: Path
) -> int:
    """How many of the objects ``kept`` have picture (``owners`` int64 [n]), class, box (to the pixel) and area of
    another one; a warning says so, and another one, how many have all this but the class."""
    boxes, areas = _extents(outlines)
    boxes = np.rint(boxes[kept]).astype(np.int64)
    again = repeated(np.column_stack([owners[kept], class_ids[kept], boxes]), areas[kept])
    alike = repeated(np.column_stack([owners[kept], boxes]), areas[kept])
    if alike.sum() > again.sum():
        warn_user(
            f"{file}: {alike.sum() - again.sum()} of {len(kept)} objects have the picture and the outline of another, "
            f"of another class, such as annotations[{kept[np.flatnonzero(alike & ~again)[-1]]}]. {CURE_OF_CLASSES}"
        )
    if again.any():
        warn_user(
            f"{file}: {again.sum()} of {len(kept)} objects come twice, with the picture, the class and the box of "
            f"another, such as annotations[{kept[np.flatnonzero(again)[-1]]}]. {CURE}"
        )
    return int(again.sum())


def _extents(outlines: Outlines) -> tuple[np.ndarray, np.ndarray]:
    """Left, top, right and bottom in pixels of each object, float64 [n, 4], and its area [n]; of what is not drawn
    they mean nothing."""
    of_codes, areas_of_codes = outlines.of_codes()
    pieces, areas = np.concatenate([outlines.boxes(), of_codes]), np.concatenate([outlines.areas(), areas_of_codes])
    counts = np.diff(outlines.polygons), np.diff(outlines.codes)
    owners = np.concatenate([np.repeat(np.arange(len(n)), n) for n in counts])
    found = np.tile([np.inf, np.inf, -np.inf, -np.inf], (len(counts[0]), 1))
    np.minimum.at(found[:, :2], owners, pieces[:, :2])
    np.maximum.at(found[:, 2:], owners, pieces[:, 2:])
    return found, np.bincount(owners, areas, len(found))


def repeated(rows: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """Bool [n]: all but one of those ``rows`` int64 [n, k] that are the same and have nearly the same of ``areas``: an
    outline drawn as a polygon and as pixels differs along its edge. The last four columns are the box."""
    order = np.lexsort((areas, *rows.T))
    (less, more), (before, after) = ((values[order[:-1]], values[order[1:]]) for values in (areas, rows))
    again = np.zeros(len(rows), bool)
    edge = (before[:, -2:] - before[:, -4:-2]).sum(1) / 2
    again[order[1:]] = (before == after).all(1) & (more - less <= edge)
    return again


def repeated_in(samples: Sequence[Sample]) -> tuple[int, int, int]:
    """How many objects of the samples' masks have class, box and area of another of their picture, how many all this
    but the class, and how many there are."""
    again = alike = total = 0
    for sample in samples:
        if sample.masks is None or not len(sample.masks):
            continue
        classes = [segment.class_id for segment in sample.segments]
        boxes, areas = np.array([mask_extent(mask) for mask in sample.masks], np.int64), sample.masks.sum((1, 2))
        again += int(repeated(np.column_stack([classes, boxes]), areas).sum())
        alike += int(repeated(boxes, areas).sum())
        total += len(classes)
    return again, alike - again, total
