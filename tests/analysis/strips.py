"""Pictures of one row, on which overlaps are counted by hand."""

from __future__ import annotations

import numpy as np

from oneformer_lite.analysis.scene import Scene, instance_scene
from oneformer_lite.data import Category, Sample, SegmentInfo
from oneformer_lite.inference import Prediction, Segment

WIDTH = 100
CATEGORIES = (Category(1, "car", True), Category(2, "bus", True))


def strip(start: int, stop: int) -> np.ndarray:
    mask = np.zeros((1, WIDTH), bool)
    mask[:, start:stop] = True
    return mask


def masks_of(strips: list[tuple]) -> np.ndarray:
    return np.array([strip(*one[-2:]) for one in strips], bool).reshape(len(strips), 1, WIDTH)


def sample_of(truths: list[tuple[int, int, int]], crowds: tuple[int, ...] = ()) -> Sample:
    """``truths``: (class, start, stop) of each object."""
    segments = tuple(SegmentInfo(i + 1, one[0], i in crowds) for i, one in enumerate(truths))
    return Sample(
        np.zeros((1, WIDTH, 3), np.uint8), np.zeros((1, WIDTH), np.int32), segments, CATEGORIES,
        tasks=("instance",), masks=masks_of(truths),
    )  # fmt: skip


def prediction_of(found: list[tuple[int, float, int, int]]) -> Prediction:
    """``found``: (class, score, start, stop) of each instance."""
    segments = [
        Segment(i, c, CATEGORIES[c].name, score, True, stop - start, where=strip(start, stop))
        for i, (c, score, start, stop) in enumerate(found)
    ]
    image = np.zeros((1, WIDTH, 3), np.uint8)
    return Prediction("instance", image, segments, CATEGORIES, masks=masks_of(found))


def scene_of(truths: list[tuple], found: list[tuple], crowds: tuple[int, ...] = ()) -> Scene:
    return instance_scene(prediction_of(found), sample_of(truths, crowds))
