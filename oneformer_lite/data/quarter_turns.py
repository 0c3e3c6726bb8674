"""Training augmentation for pictures in which no side is the upper one: from a microscope, or from above."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .sample import Sample


@dataclass(frozen=True)
class QuarterTurns:
    """Turn by none, one, two or three quarters; height and width change places with one and three."""

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        quarters = int(rng.integers(4))

        def turned(array: np.ndarray, axes: tuple[int, int] = (0, 1)) -> np.ndarray:
            return np.ascontiguousarray(np.rot90(array, quarters, axes))

        masks = sample.masks
        return sample.replace(
            image=turned(sample.image),
            segment_map=turned(sample.segment_map),
            masks=None if masks is None else turned(masks, (1, 2)),
        )
