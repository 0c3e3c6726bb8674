"""Overlays: pixels that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from oneformer_lite.errors import DataError
from oneformer_lite.render import boundaries, enlarge, enlarge_map, overlay, overlay_labels, overlay_masks
from oneformer_lite.render.overlay import stack_masks

COLORS = {1: (100, 150, 200), 2: (200, 60, 60), 3: (40, 120, 60), 4: (60, 160, 80)}


def test_painted_pixel_is_the_blend(sample):
    painted = overlay(sample.image, sample.segment_map, COLORS, alpha=0.55, outline=False)
    assert painted.dtype == np.uint8 and painted.shape == sample.image.shape
    # 0.45 * 100 + 0.55 * (200, 60, 60)
    np.testing.assert_array_equal(painted[10, 5], (155, 78, 78))
    np.testing.assert_array_equal(painted[5, 0], (100, 128, 155))  # 127.5 rounds to even


def test_void_is_darkened_and_desaturated(sample):
    image = sample.image.copy()
    image[:4] = (200, 100, 0)
    void = overlay(image, sample.segment_map, COLORS, outline=False)[1, 1].astype(int)
    assert void.sum() < 300 * 0.7
    assert 0 < void[0] - void[2] < 100  # a little of the 200 between red and blue is left


def test_outline_is_light_at_boundaries_and_nowhere_else(sample):
    plain = overlay(sample.image, sample.segment_map, COLORS, outline=False)
    lined = overlay(sample.image, sample.segment_map, COLORS)
    edge = boundaries(sample.segment_map)
    np.testing.assert_array_equal(lined[~edge], plain[~edge])
    assert edge[10, 15] and not edge[10, 14] and not edge[10, 16]  # between the two trees
    np.testing.assert_array_equal(lined[10, 15], np.round(0.15 * plain[10, 15] + 0.85 * 255))


def test_boundary_widths():
    ids = np.array([[1, 1, 2, 2]])
    np.testing.assert_array_equal(boundaries(ids), [[False, True, False, False]])
    np.testing.assert_array_equal(boundaries(ids, 2), [[False, True, True, False]])
    np.testing.assert_array_equal(boundaries(ids.T), boundaries(ids).T)
    np.testing.assert_array_equal(boundaries(ids.T, 2), boundaries(ids, 2).T)


def test_label_map_class_zero_is_painted_and_others_are_void(sample, categories):
    labels = np.full((16, 24), 255)
    labels[:, :8] = 0
    labels[:, 8:16] = 2
    painted = overlay_labels(sample.image, labels, categories, alpha=0.5)
    np.testing.assert_array_equal(painted[3, 3], (100, 125, 150))
    np.testing.assert_array_equal(painted[3, 12], (70, 110, 80))
    np.testing.assert_array_equal(painted[3, 20], (55, 55, 55))
    negative = np.where(labels == 255, -1, labels)
    np.testing.assert_array_equal(overlay_labels(sample.image, negative, categories, 0.5), painted)


def test_small_masks_lie_on_large_ones(sample, categories):
    large, small = np.zeros((2, 16, 24), dtype=bool)
    large[:, :20] = True
    small[4:8, 4:8] = True
    for masks in ([small, large], [large, small]):
        stacked = stack_masks(np.stack(masks))
        assert stacked[5, 5] == (1 if masks[0] is small else 2) and stacked[0, 23] == 0


def test_best_score_keeps_the_class_colour(sample, categories):
    masks = np.zeros((2, 16, 24), dtype=bool)
    masks[0, :6], masks[1, 8:14] = True, True
    painted = overlay_masks(sample.image, masks, [1, 1], categories, [0.5, 0.9], alpha=0.5)
    np.testing.assert_array_equal(painted[10, 5], (150, 80, 80))
    assert tuple(painted[2, 5]) != (150, 80, 80)
    plain = overlay_masks(sample.image, masks, [1, 1], categories, alpha=0.5)
    np.testing.assert_array_equal(plain[2, 5], (150, 80, 80))


def test_no_masks_leave_a_faded_picture(sample, categories):
    painted = overlay_masks(sample.image, np.zeros((0, 16, 24), dtype=bool), [], categories)
    np.testing.assert_array_equal(painted, np.full_like(sample.image, 55))


def test_overlay_is_deterministic_and_leaves_its_input_alone(sample):
    before = sample.image.copy()
    first = overlay(sample.image, sample.segment_map, COLORS)
    np.testing.assert_array_equal(first, overlay(sample.image, sample.segment_map, COLORS))
    np.testing.assert_array_equal(sample.image, before)


def test_errors_say_what_is_wrong(sample):
    with pytest.raises(DataError, match=r"no colour for segments \[4\]"):
        overlay(sample.image, sample.segment_map, {k: COLORS[k] for k in (1, 2, 3)})
    with pytest.raises(DataError, match="resize"):
        overlay(sample.image, sample.segment_map[:-1], COLORS)
    with pytest.raises(DataError, match="uint8"):
        overlay(sample.image / 255, sample.segment_map, COLORS)


def test_enlarge_keeps_shape_and_flat_colour(sample):
    big = enlarge(sample.image, 3)
    assert big.shape == (48, 72, 3) and big.dtype == np.uint8
    assert (big == 100).all()


def test_enlarged_map_keeps_ids_places_and_lone_pixels():
    ids = np.random.default_rng(1).integers(0, 4, (9, 11)).astype(np.int32)
    big = enlarge_map(ids, 3)
    assert big.dtype == np.int32 and set(np.unique(big)) <= set(np.unique(ids))
    lone = np.zeros((7, 7), dtype=np.int64)
    lone[3, 3] = 9
    np.testing.assert_array_equal(enlarge_map(lone, 3)[1::3, 1::3], lone)
    np.testing.assert_array_equal(enlarge_map(ids, 1), ids)


def test_each_mask_is_enlarged_as_the_whole_map_would_be(monkeypatch):
    """Around a mask, its share of the pixels is looked for only as far as it can reach."""
    ids = np.zeros((40, 50), dtype=np.int32)
    ids[3:20, 8:9], ids[20:33, 17:40], ids[25, 20:45], ids[39, 49] = 5, 7, 900, 2
    near = enlarge_map(ids, 4)
    monkeypatch.setitem(enlarge_map.__globals__, "_REACH", 100)  # the whole map
    np.testing.assert_array_equal(near, enlarge_map(ids, 4))


def test_enlarged_map_rounds_the_stairs_of_a_diagonal():
    ids = np.tri(12, dtype=np.int32)
    y, x = np.mgrid[8:40, 8:40]
    height = y - x + 2  # above 0: inside, for the straight line through the middle of the stairs
    nearest = np.kron(ids, np.ones((4, 4), dtype=np.int32))[8:40, 8:40]
    assert ((nearest > 0) != (height > 0))[height != 0].sum() > 10
    smooth = enlarge_map(ids, 4)[8:40, 8:40]
    np.testing.assert_array_equal((smooth > 0)[height != 0], (height > 0)[height != 0])
