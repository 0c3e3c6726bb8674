"""Was a map of numbers resized with smoothing, or saved as JPEG on its way? Then edges go in steps through numbers that
lie between those of both sides, and that are classes or objects of their own, wherever they are not refused as unknown.

In maps that are as they were drawn, also much reduced ones, 0 to 9 of 100 edges do so (street photographs, nuclei,
crowded scenes); in smoothed ones 18 to 69, where they hold a dozen numbers or more. (Of three classes few have a number
between them.)
"""

from __future__ import annotations

import numpy as np

_SMOOTHED = 0.15  # share of such edges from which maps are taken to be smoothed
_LEAST = 500  # edges that tell


class Edges:
    """Edges of the maps that were looked at."""

    def __init__(self) -> None:
        self.count = self.steps = 0

    def add(self, values: np.ndarray, void: int | None) -> None:
        """Count those of a map int [H, W] along rows and columns; ``void`` is no number between others."""
        for lines in (values, values.T):
            up, down = lines[:, 1:] > lines[:, :-1], lines[:, 1:] < lines[:, :-1]
            between = up[:, 1:] & up[:, :-1] | down[:, 1:] & down[:, :-1]
            if void is not None:
                between &= lines[:, 1:-1] != void
            self.count += int(up.sum() + down.sum())
            self.steps += int(between.sum())

    @property
    def smoothed(self) -> str:
        """What shows that the maps were smoothed, in words; empty where nothing does."""
        if self.count < _LEAST or self.steps <= _SMOOTHED * self.count:
            return ""
        return f"{self.steps} of {self.count} edges go in steps, through a number between those of both sides"
