"""Training augmentation of colours: brightness, contrast, saturation and hue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from torchvision.transforms.v2 import functional as F

from ..checks import check_number
from .sample import Sample


@dataclass(frozen=True)
class ColorJitter:
    """Brightness, contrast, saturation and hue, each changed with probability ``p``.

    ``brightness`` is added (of 255), ``contrast`` and ``saturation`` are relative, ``hue`` is in
    turns of the colour circle. Contrast comes before or after the colours by a coin toss. SSD's
    recipe (Liu et al. 2016); detectron2: ``ColorAugSSDTransform``.
    """

    p: float = 0.5
    brightness: float = 32
    contrast: float = 0.5
    saturation: float = 0.5
    hue: float = 0.1

    def __post_init__(self) -> None:
        check_number("p", self.p, 0, 1)
        check_number("brightness", self.brightness, 0, 255)
        check_number("contrast", self.contrast, 0, 1)
        check_number("saturation", self.saturation, 0, 1)
        check_number("hue", self.hue, 0, 0.5)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        steps = [self._saturation, self._hue]
        steps.insert(2 * int(rng.integers(2)), self._contrast)
        image = sample.image
        for step in (self._brightness, *steps):
            if rng.random() < self.p:
                image = step(image, rng)
        return sample.replace(image=image)

    def _brightness(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _to_uint8(image + rng.uniform(-self.brightness, self.brightness))

    def _contrast(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _to_uint8(image * rng.uniform(1 - self.contrast, 1 + self.contrast))

    def _saturation(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return saturated(image, rng.uniform(1 - self.saturation, 1 + self.saturation))

    def _hue(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        turn = rng.uniform(-self.hue, self.hue)
        return np.array(F.adjust_hue(Image.fromarray(image), turn))


def saturated(image: np.ndarray, factor: float) -> np.ndarray:
    """uint8 [H, W, 3] with HSV saturation times ``factor`` (at most 1), hue and value kept."""
    rgb = image.transpose(2, 0, 1).astype(np.float32, order="C")  # planes: reduces ten times faster
    value = rgb.max(0)
    spread = value - rgb.min(0)  # saturation = spread / value
    rgb = value - (value - rgb) * np.minimum(factor, value / np.maximum(spread, 1))
    return _to_uint8(rgb.transpose(1, 2, 0))


def _to_uint8(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
