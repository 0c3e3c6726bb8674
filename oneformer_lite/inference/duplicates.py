"""Several queries that draw one object: the surest of them stays.

Models that match each object with one query learn to say it once, and their papers leave nothing out. Where objects are
many and alike, a model that has not learned long says some of them twice. This is the non-maximum suppression of
detectors, by masks; ``config.duplicate_iou`` asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .placed import PlacedMask


def surest_of_each(
    masks: Sequence[PlacedMask], class_ids: Sequence[int], scores: Sequence[float], most: float | None
) -> list[int]:
    """Which instances stay, the surest first: those that have an IoU above ``most`` with no surer one of their class
    that stays. None: all of them, as they come."""
    if most is None:
        return list(range(len(masks)))
    boxes = np.array([mask.box for mask in masks]).reshape(-1, 4)
    corners, ends = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    areas, kinds = np.array([mask.area for mask in masks]), np.array(class_ids)
    stays = np.zeros(len(masks), bool)
    order = np.argsort(-np.asarray(scores, float), kind="stable").tolist()
    for i in order:
        meets = (np.minimum(ends, ends[i]) > np.maximum(corners, corners[i])).all(1) & (kinds == kinds[i]) & stays
        stays[i] = not any(_iou(masks[i], masks[k], areas[i] + areas[k]) > most for k in np.flatnonzero(meets))
    return [i for i in order if stays[i]]


def _iou(one: PlacedMask, other: PlacedMask, both_areas: int) -> float:
    shared = one.shared(other)
    return shared / max(1, both_areas - shared)
