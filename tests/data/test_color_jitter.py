"""Colours: by hand, against the standard library's colorsys, and how often each step is taken."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

from oneformer_lite.data.color_jitter import ColorJitter, saturated
from oneformer_lite.data.sample import Category, Sample, SegmentInfo


class Drawn:
    """A generator that draws the same place, ``value`` of [0, 1], of every range."""

    def __init__(self, value: float) -> None:
        self.value = value

    def uniform(self, low: float, high: float) -> float:
        return low + self.value * (high - low)


def make_sample() -> Sample:
    image = rng().integers(0, 256, (5, 6, 3), dtype=np.uint8)
    segment_map = np.ones((5, 6), np.int32)
    return Sample(image, segment_map, (SegmentInfo(1, 0),), (Category(1, "car", True),))


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def pixels(count: int = 400) -> np.ndarray:
    """Random colours, pure ones, greys, black and white: uint8 [1, n, 3]."""
    special = [[0, 0, 0], [255] * 3, [90] * 3, [255, 0, 0], [0, 255, 0], [0, 0, 255], [1, 0, 0]]
    return np.concatenate([rng().integers(0, 256, (count, 3)), special]).astype(np.uint8)[None]


def through_hsv(image: np.ndarray, saturation: float = 1.0, turn: float = 0.0) -> np.ndarray:
    """The slow reference: pixel by pixel with the standard library."""
    rows = []
    for red, green, blue in image[0] / 255:
        hue, sat, value = colorsys.rgb_to_hsv(red, green, blue)
        rows.append(colorsys.hsv_to_rgb((hue + turn) % 1, min(sat * saturation, 1), value))
    return 255 * np.array(rows)[None]


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 1.5])
def test_saturation_against_colorsys(factor):
    came = saturated(pixels(), factor)
    assert np.abs(came - through_hsv(pixels(), saturation=factor)).max() <= 0.51


@pytest.mark.parametrize("drawn", [0.0, 0.5, 1.0])
def test_hue_against_colorsys(drawn):
    turn = (2 * drawn - 1) * 0.1
    came = ColorJitter()._hue(pixels(), Drawn(drawn))
    error = np.abs(came - through_hsv(pixels(), turn=turn))
    # Pillow's hue has 256 steps, each worth up to 6 levels; hue and turn are both cut to a step.
    assert error.max() <= 18 and error.mean() < 2


def test_brightness_and_contrast_by_hand():
    image = np.array([[[0, 100, 240]]], np.uint8)
    assert ColorJitter()._brightness(image, Drawn(1.0)).tolist() == [[[32, 132, 255]]]
    assert ColorJitter()._brightness(image, Drawn(0.0)).tolist() == [[[0, 68, 208]]]
    assert ColorJitter()._contrast(image, Drawn(1.0)).tolist() == [[[0, 150, 255]]]
    assert ColorJitter()._contrast(image, Drawn(0.0)).tolist() == [[[0, 50, 120]]]


def test_each_step_is_taken_with_probability_p_and_contrast_comes_first_or_last(monkeypatch):
    taken: list[str] = []
    for name in ("_brightness", "_contrast", "_saturation", "_hue"):
        monkeypatch.setattr(
            ColorJitter, name, lambda self, image, rng, name=name: (taken.append(name), image)[1]
        )
    jitter, generator, orders, counts = ColorJitter(1.0), rng(), set(), []
    for _ in range(20):
        taken.clear()
        jitter(make_sample(), generator)
        orders.add("".join(taken))
    assert orders == {
        "_brightness_contrast_saturation_hue", "_brightness_saturation_hue_contrast"
    }  # fmt: skip
    taken.clear()
    for _ in range(500):
        ColorJitter()(make_sample(), generator)
    counts = [taken.count(name) for name in ("_brightness", "_contrast", "_saturation", "_hue")]
    assert all(200 < count < 300 for count in counts)


def test_colour_leaves_the_annotation_alone():
    sample = make_sample()
    came = ColorJitter(1.0)(sample, rng())
    assert (came.image != sample.image).any()
    assert came.segment_map is sample.segment_map and came.segments is sample.segments
    np.testing.assert_array_equal(ColorJitter(0.0)(sample, rng()).image, sample.image)
