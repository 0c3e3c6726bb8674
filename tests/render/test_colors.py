"""Colours: the class's own where possible, distinct where needed, the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from oneformer_lite.data.sample import Category, SegmentInfo
from oneformer_lite.render import colors as c
from oneformer_lite.render import label_colors, segment_colors


def distance(a, b) -> float:
    return float(np.linalg.norm((c.rgb_to_oklab(a) - c.rgb_to_oklab(b)) * c._AXES))


@pytest.mark.parametrize(
    ("rgb", "lab"),  # Ottosson's published values for white; red and blue as CSS Color 4 lists them
    [
        ((255, 255, 255), (1.0, 0.0, 0.0)),
        ((255, 0, 0), (0.62796, 0.22486, 0.12585)),
        ((0, 0, 255), (0.45201, -0.03246, -0.31153)),
        ((0, 0, 0), (0.0, 0.0, 0.0)),
    ],
)
def test_oklab_reference_values(rgb, lab):
    np.testing.assert_allclose(c.rgb_to_oklab(rgb), lab, atol=2e-4)


def test_oklab_round_trip():
    rgb = np.random.default_rng(0).integers(0, 256, (500, 3))
    np.testing.assert_array_equal(c.oklab_to_rgb(c.rgb_to_oklab(rgb)), rgb)


def test_stuff_and_first_thing_have_the_class_colour(categories):
    segments = [SegmentInfo(5, 2), SegmentInfo(3, 0), SegmentInfo(8, 2), SegmentInfo(9, 0)]
    colors = segment_colors(segments, categories)
    assert colors[5] == categories[2].color
    assert colors[3] == colors[9] == categories[0].color
    assert colors[8] != categories[2].color


def test_instances_are_told_apart_and_repeatable(categories):
    segments = [SegmentInfo(i, 1) for i in range(1, 9)]
    colors = segment_colors(segments, categories)
    values = list(colors.values())
    apart = [distance(a, b) for i, a in enumerate(values) for b in values[:i]]
    assert min(apart) >= c._APART
    assert segment_colors(segments, categories) == colors


def test_two_instances_differ_in_lightness_for_those_who_see_no_hue(categories):
    colors = segment_colors([SegmentInfo(1, 1), SegmentInfo(2, 1)], categories)
    lightness = [c.rgb_to_oklab(colors[i])[0] for i in (1, 2)]
    assert abs(lightness[0] - lightness[1]) > 0.08


def test_a_crowded_picture_still_gets_colours(categories):
    colors = segment_colors([SegmentInfo(i, 1) for i in range(1, 200)], categories)
    assert len(colors) == 199


def test_classes_without_colours_get_distinct_ones():
    grey = tuple(Category(i, str(i), True) for i in range(20))
    values = list(label_colors(grey).values())
    assert len(set(values)) == 20
    assert Category.color not in values
    twins = (Category(1, "a", True, (9, 9, 9)), Category(2, "b", True, (9, 9, 9)))
    assert label_colors(twins)[0] == (9, 9, 9) != label_colors(twins)[1]


def test_ink_stands_out_on_every_colour():
    levels = np.linspace(0, 255, 12).astype(int)
    for color in np.stack(np.meshgrid(levels, levels, levels), -1).reshape(-1, 3):
        shares = np.array([color, c.ink_on(color)]) / 255
        linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
        low, high = sorted(linear @ (0.2126, 0.7152, 0.0722))
        assert (high + 0.05) / (low + 0.05) >= 4.5
