"""Boundary IoU against its definition, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from oneformer_lite.analysis import boundary_iou
from oneformer_lite.analysis.boundary import band_width, boundary_pixels, inner_band


def slow_band(mask: np.ndarray, width: int) -> np.ndarray:
    """Pixels of the mask with one outside of it, or of the picture, within ``width`` rows and columns."""
    outside = np.pad(~mask, width, constant_values=True)
    band = np.zeros_like(mask)
    for row, column in np.argwhere(mask):
        band[row, column] = outside[row : row + 2 * width + 1, column : column + 2 * width + 1].any()
    return band


def square(top: int, left: int, side: int, size: int = 24) -> np.ndarray:
    mask = np.zeros((size, size), bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_a_square_by_hand():
    one, shifted = square(5, 5, 10), square(5, 6, 10)
    assert inner_band(one, 1).sum() == 36 and inner_band(one, 2).sum() == 64
    # rings one pixel wide: the upper and lower rows share 9 pixels each, the sides nothing
    assert boundary_iou(one, shifted, 1) == pytest.approx(18 / (36 + 36 - 18))
    assert boundary_iou(one, shifted, 5) == pytest.approx(90 / 110)  # all of both: mask IoU
    assert boundary_iou(one, one, 1) == 1


def test_the_edge_of_the_picture_is_an_outline():
    assert inner_band(np.ones((8, 8), bool), 1).sum() == 28


def test_nothing_has_no_outline():
    nothing = np.zeros((8, 8), bool)
    assert boundary_iou(nothing, nothing) == 0 and boundary_iou(nothing, square(0, 0, 3, 8)) == 0


@pytest.mark.parametrize("seed, width", [(0, 1), (1, 2), (2, 3), (3, 7)])
def test_agrees_with_the_definition(seed, width):
    rng = np.random.default_rng(seed)
    blobs = [np.kron(rng.random((6, 8)) < 0.6, np.ones((4, 5), bool)) for _ in range(2)]
    blobs[1] ^= rng.random(blobs[1].shape) < 0.02
    bands = [slow_band(mask, width) for mask in blobs]
    for mask, band in zip(blobs, bands):
        np.testing.assert_array_equal(inner_band(mask, width), band)
    both, either = (bands[0] & bands[1]).sum(), (bands[0] | bands[1]).sum()
    assert boundary_iou(*blobs, width) == pytest.approx(both / either)
    counted = rng.random(blobs[0].shape) < 0.5
    expected = [(bands[0] & bands[1] & counted).sum(), ((bands[0] | bands[1]) & counted).sum()]
    assert boundary_pixels(*blobs, width, counted).tolist() == expected


def test_the_width_is_two_percent_of_the_diagonal():
    assert band_width(480, 640) == 16 and band_width(3, 4) == 1 and band_width(1040, 1388) == 35
