"""Squares some objects wide: widths by hand, sides within their bounds, objects alike at any magnification."""

from __future__ import annotations

import math

import numpy as np
import pytest

from oneformer_lite.data.augment import ACROSS, augmentation
from oneformer_lite.data.object_squares import ObjectSquare, median_width, object_width
from oneformer_lite.data.sample import Category, Sample, SegmentInfo
from oneformer_lite.errors import ConfigError

CLASSES = (Category(1, "nucleus", True), Category(2, "ground", False))


def grid(step: int, side: int, count: int = 20) -> Sample:
    """``count`` x ``count`` squares of ``side`` pixels, one every ``step``, on stuff."""
    one = np.zeros((step, step), np.int32)
    one[:side, :side] = 1
    numbers = np.arange(count * count, dtype=np.int32).reshape(count, count)
    ids = np.kron(numbers + 2, np.ones_like(one)) * np.kron(np.ones((count, count), np.int32), one)
    ids[ids == 0] = 1
    segments = (SegmentInfo(1, 1), *(SegmentInfo(i, 0) for i in range(2, count * count + 2)))
    return Sample(np.zeros((*ids.shape, 3), np.uint8), ids, segments, CLASSES)


def test_the_width_of_the_median_object() -> None:
    """A disc of radius r has pi r^2 pixels."""
    assert median_width([math.pi * 25, math.pi * 100, math.pi * 400]) == pytest.approx(20)
    assert median_width([0, 0, math.pi * 36]) == pytest.approx(12) and median_width([]) == median_width([0]) == 0
    assert median_width([1, 1, 1]) == 4


def test_the_width_of_a_sample_is_that_of_its_things() -> None:
    sample = grid(10, 6)
    wanted = 2 * math.sqrt(36 / math.pi)
    assert object_width(sample) == pytest.approx(wanted)
    assert object_width(sample.replace(masks=sample.segment_masks())) == pytest.approx(wanted)
    crowd = SegmentInfo(2, 0, is_crowd=True)
    assert object_width(sample.replace(segments=(sample.segments[0], crowd))) == 200 / 8  # nothing is left to measure
    assert object_width(grid(2, 1, 3).replace(segments=())) == 4


def test_squares_have_every_side_between_the_ends() -> None:
    sample, rng = grid(10, 6), np.random.default_rng(0)
    sides = {ObjectSquare(2, 4)(sample, rng).size for _ in range(300)}
    assert sides == {(side, side) for side in range(14, 28)}  # 2 to 4 times 6.77
    assert {ObjectSquare(40, 50)(sample, rng).size for _ in range(5)} == {(200, 200)}  # as much as there is


@pytest.mark.parametrize("magnified", [1, 2, 5])
def test_nuclei_are_as_wide_whatever_the_magnification(magnified: int) -> None:
    """A seventh to two sevenths of the crop."""
    sample = grid(10 * magnified, 6 * magnified)
    for seed in range(8):
        came = augmentation("microscope", 128)(sample, np.random.default_rng(seed))
        assert came.size == (128, 128)
        areas = np.bincount(came.segment_map.ravel())[2:]
        width = median_width(np.sort(areas)[-4:])  # whole ones
        assert 0.9 * 128 / ACROSS[1] < width < 1.1 * 128 / ACROSS[0]


def test_values_that_cannot_be() -> None:
    for values in ((0, 5), (6, 5), (1, float("inf"))):
        with pytest.raises(ConfigError):
            ObjectSquare(*values)
