"""Histogram equalisation: pictures that are too dark, too bright or too flat get the whole range of values.

It is no augmentation but a property of the model's input: a model trained on equalised pictures needs them in
prediction as well. Hence ``ModelConfig.equalize``, which is saved with the weights; training, ``predict`` and
``evaluate`` obey it. In all three the whole picture is equalised, before anything is cut from it or put around it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from torchvision.transforms.v2 import functional as F

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
    return np.array(F.equalize(Image.fromarray(image)))  # torchvision's form for tensors takes three times as long
