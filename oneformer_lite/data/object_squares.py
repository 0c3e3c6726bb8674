"""Training augmentation for pictures of many like objects at any magnification: a square some objects wide."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..checks import check_number
from .sample import Sample
from .transforms import RandomCrop

LEAST_WIDTH = 4  # pixels: what is narrower has no outline to learn


@dataclass(frozen=True)
class ObjectSquare:
    """Cut a random square ``least`` to ``most`` times as wide as the picture's median object, or as much of it as the
    sample has; of a picture without objects some square. All ratios between are equally likely on a scale of
    logarithms, so enlarging is as likely as shrinking.

    Enlarged to one size, objects then look alike whatever the microscope was. Lesson 21.
    """

    least: float
    most: float

    def __post_init__(self) -> None:
        check_number("least", self.least, 0.1)
        check_number("most", self.most, self.least)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        across = math.exp(rng.uniform(math.log(self.least), math.log(self.most)))
        side = max(1, round(across * object_width(sample)))
        return RandomCrop(side, side)(sample, rng)


def object_width(sample: Sample) -> float:
    """:func:`median_width` of the sample's things; of a sample without any an eighth of its longer side."""
    things = [i for i, s in enumerate(sample.segments) if sample.categories[s.class_id].is_thing and not s.is_crowd]
    if sample.masks is not None:
        areas = sample.masks[things].sum((1, 2))
    else:
        ids, counts = np.unique(sample.segment_map, return_counts=True)
        areas = counts[np.isin(ids, [sample.segments[i].id for i in things])]
    return median_width(areas) or max(LEAST_WIDTH, max(sample.size) / 8)


def median_width(areas: Sequence[float]) -> float:
    """How wide the median of objects with these areas is, in pixels, as if it were round, and at least
    :data:`LEAST_WIDTH`; 0 without any object."""
    areas = np.asarray(areas)
    areas = areas[areas > 0]
    return max(LEAST_WIDTH, 2 * math.sqrt(np.median(areas) / math.pi)) if len(areas) else 0.0
