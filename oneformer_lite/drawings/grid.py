"""Boxes in three columns and arrows between them: what the map and the paper's figure share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from .svg import WIDTH, Canvas


class Way(NamedTuple):
    """Where an arrow leaves and arrives, as sides of the boxes; its corners between, in columns and rows: x.5 is the
    middle of a box, a whole column the gap before it."""

    leaves: str
    arrives: str
    corners: tuple[tuple[float, float], ...] = ()


DOWN = Way("bottom", "top")


@dataclass(frozen=True)
class Grid:
    """Width and height of a box, the gap between two of a row, the step from row to row; where the first stands."""

    tall: float
    step: float
    box: float = 131
    gap: float = 16
    left: float = 10
    top: float = 14

    def corner(self, column: int, row: int) -> tuple[float, float]:
        """The upper left one of a box."""
        return self.left + column * (self.box + self.gap), self.top + row * self.step

    def draw_ways(
        self, canvas: Canvas, places: Mapping[str, tuple[int, int]], ways: Mapping[tuple[str, str], Way],
        bright: frozenset[str] = frozenset(), over: tuple[str, str] | None = None,
    ) -> None:  # fmt: skip
        """All arrows; those that touch a ``bright`` box last, in its colour. ``over``: the one that crosses others."""
        for lit in (False, True):
            for (start, end), way in ways.items():
                if bool({start, end} & bright) == lit:
                    points = [self._side(places[start], way.leaves)]
                    points += [self._at(*corner) for corner in way.corners]
                    points.append(self._side(places[end], way.arrives))
                    canvas.arrow(*points, kind="lit-way" if lit else "way", over=(start, end) == over)

    def _side(self, place: tuple[int, int], side: str) -> tuple[float, float]:
        x, y = self.corner(*place)
        return {
            "top": (x + self.box / 2, y), "bottom": (x + self.box / 2, y + self.tall),
            "left": (x, y + self.tall / 2), "right": (x + self.box, y + self.tall / 2),
        }[side]  # fmt: skip

    def _at(self, column: float, row: float) -> tuple[float, float]:
        before, rest = int(column), column - int(column)
        x = self.left + before * (self.box + self.gap) + (self.box / 2 if rest else -self.gap / 2)
        return min(x, WIDTH - 7), self.top + int(row) * self.step + self.tall / 2  # the right edge is a way, too
