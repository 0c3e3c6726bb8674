"""Histogram equalisation: pictures that are too dark, too bright or too flat get the whole range of values.

It is no augmentation but a property of the model's input: a model trained on equalised pictures needs them in
prediction as well. Hence ``ModelConfig.equalize``, which is saved with the weights; training, ``predict`` and
``evaluate`` obey it. In all of them the whole picture is equalised, before anything is cut from it or put around it:
windows of a large picture get the table of all of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from .sample import Sample


@dataclass(frozen=True)
class Equalize:
    """Every picture with its histograms equalised, as the first step before random augmentations."""

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        return sample.replace(image=equalized(sample.image))


def equalized(image: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3] whose values are, in each colour alone, spread as evenly as possible over 0..255.

    A value becomes the share of pixels below it, times 255; so colours change their balance as well.
    """
    return with_tones(image, equalize_table(image))


def equalize_table(image: np.ndarray) -> np.ndarray:
    """uint8 [3, 256]: what each value of the three colours of a picture, uint8 [H, W, 3], becomes.

    In whole numbers, as Pillow's ``ImageOps.equalize`` and torchvision count; a colour of one value stays as it is.
    """
    table = np.tile(np.arange(256), (3, 1))
    for channel, counts in enumerate(np.reshape(Image.fromarray(image).histogram(), (3, 256))):
        step = (counts.sum() - counts[np.flatnonzero(counts)[-1]]) // 255
        if step and np.count_nonzero(counts) > 1:
            below = np.cumsum(counts) - counts
            table[channel] = np.minimum((below + step // 2) // step, 255)
    return table.astype(np.uint8)


def with_tones(image: np.ndarray, table: np.ndarray) -> np.ndarray:
    """The picture, uint8 [H, W, 3], with its values looked up in ``table``, uint8 [3, 256]."""
    return np.array(Image.fromarray(image).point(table.ravel().tolist()))  # several times as fast as an index
