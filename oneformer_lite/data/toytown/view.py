"""The camera: how tall things are where they stand, and how much haze lies before them."""

from __future__ import annotations

from typing import NamedTuple


class View(NamedTuple):
    """A camera that looks level at ``horizon``; ``near_unit`` is a person at the lower edge."""

    width: float  # of the picture, in picture heights
    horizon: float
    near_unit: float
    vanish: float = 0.5  # x of the vanishing point, where it matters

    @property
    def camera(self) -> float:
        """How high the camera hangs, in person heights."""
        return (1.0 - self.horizon) / self.near_unit

    def depth(self, y: float) -> float:
        """0 at the lower edge, 1 at the horizon."""
        return min(1.0, max(0.0, (1.0 - y) / (1.0 - self.horizon)))

    def unit(self, y: float) -> float:
        """The height in the picture of a person whose feet are at ``y``."""
        return self.near_unit * (1.0 - self.depth(y))
