"""Training augmentations that leave pictures of varied sizes, as DETR's does: crops of random size, and half the time.

Official ``datasets/transforms.py`` of DETR (``RandomSizeCrop``, ``RandomSelect``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..checks import check_number
from .sample import Sample
from .transforms import Transform, cropped


@dataclass(frozen=True)
class RandomSizeCrop:
    """Cut a random window whose sides are drawn from ``least`` to ``most`` pixels, each at most the sample's own."""

    least: int
    most: int

    def __post_init__(self) -> None:
        _check_sides(self.least, self.most)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        height, width = (int(rng.integers(min(s, self.least), min(s, self.most) + 1)) for s in sample.size)
        top, left = (int(rng.integers(a - b + 1)) for a, b in zip(sample.size, (height, width)))
        return cropped(sample, top, left, height, width)


@dataclass(frozen=True)
class Sometimes:
    """``transform`` with probability ``p``, else nothing."""

    transform: Transform
    p: float = 0.5

    def __post_init__(self) -> None:
        check_number("p", self.p, 0, 1)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        return self.transform(sample, rng) if rng.random() < self.p else sample


def _check_sides(least: int, most: int) -> None:
    check_number("least", least, 1, whole=True)
    check_number("most", most, least, whole=True)
