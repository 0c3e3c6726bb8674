"""The tones that a model is to see: equalised, stretched or as they are, by its configuration."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from .equalize import equalize_table, with_tones
from .stretch import stretch_table


class HasTones(Protocol):
    """What is read of a configuration."""

    equalize: bool
    stretch: bool


def tone_table(image: np.ndarray, config: HasTones) -> np.ndarray | None:
    """uint8 [3, 256]: what the values of a picture, uint8 [H, W, 3], become for a model of ``config``; None: stay.

    A table, so that the parts of a large picture get the tones of all of it, without a copy of it:
    ``with_tones(part, table)``. Each for itself, a part of plain background would become all noise.
    """
    table = equalize_table(image) if config.equalize else None
    if config.stretch:
        stretched = stretch_table(image if table is None else with_tones(image, table))
        table = np.tile(stretched, (3, 1)) if table is None else stretched[table]
    return table


def toned(image: np.ndarray, config: HasTones) -> np.ndarray:
    """A whole picture as a model of ``config`` is to see it."""
    table = tone_table(image, config)
    return image if table is None else with_tones(image, table)
