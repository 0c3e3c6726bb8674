"""Objects that are there twice, as where two exports of the same pictures were merged: each would be two targets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..notices import warn_user
from .boxes import mask_extent
from .outlines import Outlines
from .sample import Sample

CURE = "Were two exports merged, or one imported twice? Keep each object once: of two, one can be found at most"


def count_repeated(
    outlines: Outlines, owners: np.ndarray, class_ids: np.ndarray, kept: np.ndarray, file: Path
) -> int:
    """How many of the objects ``kept`` have picture (``owners`` int64 [n]), class and box, to the pixel, of one before
    them; a warning says so."""
    boxes = np.rint(_extents(outlines)[kept]).astype(np.int64)
    again = repeated(np.column_stack([owners[kept], class_ids[kept], boxes]))
    if again.any():
        warn_user(
            f"{file}: {again.sum()} of {len(kept)} objects come twice, with the picture, the class and the box of "
            f"another, such as annotations[{kept[np.argmax(again)]}]. {CURE}"
        )
    return int(again.sum())


def _extents(outlines: Outlines) -> np.ndarray:
    """Float64 [n, 4]: left, top, right, bottom in pixels of each object; without meaning where nothing is drawn."""
    pieces = np.concatenate([outlines.boxes(), outlines.code_boxes()])
    counts = np.diff(outlines.polygons), np.diff(outlines.codes)
    owners = np.concatenate([np.repeat(np.arange(len(n)), n) for n in counts])
    found = np.tile([np.inf, np.inf, -np.inf, -np.inf], (len(counts[0]), 1))
    np.minimum.at(found[:, :2], owners, pieces[:, :2])
    np.maximum.at(found[:, 2:], owners, pieces[:, 2:])
    return found


def repeated(rows: np.ndarray) -> np.ndarray:
    """Bool [n]: which of ``rows`` int64 [n, k] is the same as one before it."""
    order = np.lexsort(rows.T)  # stable: the first of several stays the first
    again = np.zeros(len(rows), bool)
    again[order[1:]] = (rows[order[1:]] == rows[order[:-1]]).all(1)
    return again


def repeated_in(samples: Sequence[Sample]) -> tuple[int, int]:
    """How many objects of the samples' masks have class and box of another of their picture, and how many there are."""
    again = total = 0
    for sample in samples:
        if sample.masks is None or not len(sample.masks):
            continue
        classes = [segment.class_id for segment in sample.segments]
        boxes = np.array([mask_extent(mask) for mask in sample.masks], np.int64)
        again += int(repeated(np.column_stack([classes, boxes])).sum())
        total += len(classes)
    return again, total
