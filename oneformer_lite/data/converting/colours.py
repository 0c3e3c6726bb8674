"""Colours that stand for classes: exact ones, and those that JPEG has blurred."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

from ..segment_ids import decode_ids

Color = tuple[int, int, int]


def exact(rgb: np.ndarray, colors: Sequence[Color], values: Sequence[int], other: int) -> np.ndarray:
    """The value int32 [H, W] of each pixel of ``rgb`` uint8 [H, W, 3] by its colour, ``other`` where it is none of
    ``colors``."""
    known = decode_ids(np.array(colors, np.uint8))
    order = np.argsort(known)
    ids = decode_ids(rgb)
    places = order[np.searchsorted(known[order], ids).clip(max=len(order) - 1)]
    return np.where(known[places] == ids, np.array(values, np.int32)[places], other)


def distances(rgb: np.ndarray, colors: Sequence[Color]) -> np.ndarray:
    """How far each pixel of ``rgb`` uint8 [H, W, 3] is from each of C ``colors``, in levels of 0..255: [C, H, W]."""
    squares = [((rgb.astype(np.int32) - color) ** 2).sum(-1) for color in colors]
    return np.sqrt(np.stack(squares))


def blurred(rgb: np.ndarray, colors: Sequence[Color], near: float, even: int, far: float) -> np.ndarray:
    """The place int64 [H, W] in ``colors`` that each pixel of ``rgb`` stood for before lossy compression, -1 where
    nothing tells.

    Inside a region JPEG changes little; across a border it mixes both colours, and the mixture may be that of a third
    class. So a pixel is sure where its colour is at most ``near`` away and the nine around it differ by at most
    ``even`` levels in a channel. Any other takes the nearest colour among those that are sure in its neighbours; where
    none is, as on lines of a pixel or two, the nearest of all within ``far``.
    """
    away = distances(rgb, colors)
    nearest, least = away.argmin(0), away.min(0)
    lowest, highest = (filter_(rgb, (3, 3, 1)).astype(np.int16) for filter_ in (minimum_filter, maximum_filter))
    sure = (least <= near) & ((highest - lowest).max(-1) <= even)
    beside = np.stack([maximum_filter(sure & (nearest == place), 3) for place in range(len(colors))])
    told = beside.any(0)
    places = np.where(told & ~sure, np.where(beside, away, np.inf).argmin(0), nearest)
    return np.where(told | (least <= far), places, -1)
