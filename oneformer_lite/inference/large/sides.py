"""How large the windows are: as large as somebody says, or so that the picture's objects look as those learned from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...checks import check_number
from .grid import Grid
from .predicting import in_windows

if TYPE_CHECKING:
    from ...model import MaskModel
    from ..ensemble import Ensemble

LEAST_SIDE = 32  # pixels of a window: smaller ones show nothing, and a picture has millions of them
# looks at a picture whose objects are measured, windows a side of it that suffice for that, and the change of a side
# that needs no further look
LOOKS, LOOKED_AT, ENOUGH = 3, 2, 0.1
SURE = 0.5  # score of an object that is measured


def grid_for(model: MaskModel | Ensemble, pixels: np.ndarray, windows: bool | int) -> Grid | None:
    """Windows over a picture, uint8 [H, W, 3]: of so many pixels a side, or (True) of the side at which the model looks
    at pictures, or, with ``config.objects_across``, of :func:`fitting_side`; None where one window would hold all of
    it. Raises :class:`ConfigError` for a number below :data:`LEAST_SIDE`."""
    if windows is False or windows is None:
        return None
    if windows is True:
        across = model.config.objects_across
        side = usual_side(model) if across is None else fitting_side(model, pixels, across)
    else:
        check_number("windows", windows, LEAST_SIDE, whole=True)
        side = int(windows)
    return Grid(*pixels.shape[:2], side) if max(pixels.shape[:2]) > side else None


def usual_side(model: MaskModel | Ensemble) -> int:
    """At which the model looks at square pictures."""
    return model.config.inference_size(64, 64)[0]


def fitting_side(model: MaskModel | Ensemble, pixels: np.ndarray, across: float) -> int:
    """The side of windows that are ``across`` times as wide as the picture's objects (:func:`usual_width`).

    These are the objects that the model finds in the middle of the picture, through windows of its usual side first,
    and then of that which these ask for, until it changes little. Where it finds none, windows stay as they are.
    Lesson 21.
    """
    side = usual_side(model)
    for _ in range(LOOKS):
        middle = pixels[tuple(_middle(length, LOOKED_AT * side) for length in pixels.shape[:2])]
        grid = Grid(*middle.shape[:2], side)
        middle = np.ascontiguousarray(middle)
        found = in_windows(model, middle, "instance", grid, model.config.categories, SURE, whole=pixels)
        if not found.segments:
            break
        before, width = side, usual_width([segment.area for segment in found.segments])
        side = max(LEAST_SIDE, round(across * width))
        if abs(side - before) < ENOUGH * before:
            break
    return side


def usual_width(areas: Sequence[float]) -> float:
    """How wide an object is, in pixels and as if it were round, in which the median pixel of all of them lies: of two
    lists of as many nuclei, one with specks among them, the same."""
    areas = np.sort(areas)
    half = np.searchsorted(areas.cumsum(), areas.sum() / 2)
    return 2 * math.sqrt(areas[half] / math.pi)


def _middle(length: int, most: int) -> slice:
    start = max(0, length - most) // 2
    return slice(start, start + min(length, most))
