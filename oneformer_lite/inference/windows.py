"""Semantic segmentation through a square window that slides along the picture: models for squares see all of it.

The picture is resized until its shorter side is the window's; so many windows as cover the longer side, evenly spread,
are segmented each for itself, and where they overlap their class scores are averaged. Official ``lightning_module.py``
of EoMT (``window_imgs_semantic``, ``revert_window_logits_semantic``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ..data.batch import normalise
from ..data.tones import toned
from ..evaluating import evaluating
from ..notices import warn_user
from .raw import Between, RawPrediction, Size, bands_of, raw_predictions, resize

if TYPE_CHECKING:
    from ..model import MaskModel

MOST, BATCH = 16, 8  # windows of a picture, and of them at a time


@dataclass
class WindowedPrediction:
    """The readings of all windows of one picture, which begin at ``starts`` along the longer side of the ``resized``
    one. It has class scores alone: masks of one window are not those of another."""

    windows: list[RawPrediction]
    starts: list[int]
    resized: Size
    output: Size

    @property
    def device(self) -> torch.device:
        return self.windows[0].device

    @property
    def num_classes(self) -> int:
        return self.windows[0].num_classes

    @property
    def semantic_maps(self) -> int:
        return self.num_classes

    @cached_property
    def averaged(self) -> Float[Tensor, "K h w"]:
        """Class scores at the resized picture's size."""
        sums = torch.zeros(self.num_classes, *self.resized, device=self.device)
        counts = sums.new_zeros(1, *self.resized)
        for window, start in zip(self.windows, self.starts):
            rows, columns = place(start, window.output[0], self.resized)
            sums[:, rows, columns] += window.class_scores()
            counts[:, rows, columns] += 1
        return sums / counts

    def class_scores(self, rows: slice = slice(None)) -> Float[Tensor, "K H W"]:
        """Averaged, then resized: some rows of the picture."""
        first, last, _ = rows.indices(self.output[0])
        if last - first == self.output[0]:
            return resize(self.averaged, self.output)
        between = Between.of(first, last, self.resized[0], self.output[0])
        return between.resize(self.averaged[:, between.first : between.last], self.output[1])

    def bands(self, maps: int) -> Iterator[slice]:
        return bands_of(self.output, maps)


@torch.inference_mode()
def predict_windows(model: MaskModel, pixels: np.ndarray, part: bool = False) -> WindowedPrediction:
    """Segment a picture, uint8 [H, W, 3], window by window, :data:`BATCH` of them at a time. The ``part`` of a large
    one comes with the tones of the whole of it.

    Of a picture that is more than :data:`MOST` times as long as wide the longer side is squeezed, with a warning: at
    its own proportions one row of 4000 pixels would be 4000 windows.
    """
    side = model.config.image_size
    image = pixels if part else toned(pixels, model.config)
    size = covering_size(*image.shape[:2], side)
    if max(size) > MOST * side:
        warn_user(
            f"a picture of {pixels.shape[1]} x {pixels.shape[0]} pixels is seen squeezed: {max(size) / side:.0f} "
            f"windows would cover it at its own proportions, {MOST} do at most. Cut it into parts, or pad it"
        )
        size = min(size[0], MOST * side), min(size[1], MOST * side)
    image = np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR))
    starts = window_starts(max(size), side)
    crops = [image[place(start, side, size)] for start in starts]
    windows: list[RawPrediction] = []
    with evaluating(model):
        for first in range(0, len(crops), BATCH):
            part = [normalise(crop) for crop in crops[first : first + BATCH]]
            sizes = [(side, side)] * len(part)
            output = model(torch.stack(part).to(model.device), "semantic")
            windows += raw_predictions(output, sizes, sizes, (side, side))
    return WindowedPrediction(windows, starts, size, pixels.shape[:2])


def covering_size(height: int, width: int, side: int) -> Size:
    """Height and width of the picture once its shorter side is ``side``."""
    factor = max(side / height, side / width)
    return round(height * factor), round(width * factor)


def window_starts(length: int, side: int) -> list[int]:
    """Where windows of ``side`` begin that cover a ``length``: as few as can be, evenly spread."""
    count = math.ceil(length / side)
    overlap = count * side - length
    step = side - (overlap / (count - 1) if overlap > 0 else 0)
    return [int(i * step) for i in range(count)]


def place(start: int, side: int, size: Size) -> tuple[slice, slice]:
    """Rows and columns of a window in a picture of ``size``."""
    along = slice(start, start + side)
    return (along, slice(None)) if size[0] > size[1] else (slice(None), along)
