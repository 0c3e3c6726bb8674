"""Contrast: the values of a picture stretched over the whole range, as microscopists do before they look.

Like :mod:`.equalize` it is no augmentation but a property of the model's input (``config.stretch``), saved with the
weights and obeyed in training and prediction; but linear, so that what is twice as bright above black stays so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .sample import Sample

TAILS = 0.001  # share of the values at either end that may be clipped, as in grey.py


@dataclass(frozen=True)
class Stretch:
    """Every picture with its values stretched, as the first step before random augmentations."""

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        return sample.replace(image=stretch_table(sample.image)[sample.image])


def stretch_table(image: np.ndarray) -> np.ndarray:
    """uint8 [256]: what each value of a picture, uint8 [H, W, 3], becomes. Its 0.1th percentile becomes 0, the 99.9th
    255, for all three colours together, which so keep their balance; a picture of one value stays as it is.

    A table, so that parts of a large picture are stretched as the whole is: ``table[part]``.
    """
    shares = np.cumsum(np.bincount(image.ravel(), minlength=256)) / image.size
    low, high = (int(np.searchsorted(shares, tail)) for tail in (TAILS, 1 - TAILS))
    values = np.arange(256)
    if low >= high:
        low, high = values[shares > 0][0], int(np.searchsorted(shares, 1.0))
    if low >= high:
        return values.astype(np.uint8)
    return ((values - low) * 255 / (high - low)).round().clip(0, 255).astype(np.uint8)
