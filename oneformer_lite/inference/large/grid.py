"""Where the windows lie on a picture, and which pixels each of them decides."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

Part = tuple[slice, slice]  # rows and columns
OVERLAP = 1 / 4  # of a window's side, at least


@dataclass(frozen=True)
class Axis:
    """Windows of ``side`` along one side of a picture, evenly spread, neighbours overlapping by :data:`OVERLAP` of a
    window at least; a single one, as long as the picture, where that is shorter."""

    length: int
    side: int

    @cached_property
    def starts(self) -> list[int]:
        if self.length <= self.side:
            return [0]
        overlap = int(self.side * OVERLAP)
        count = math.ceil((self.length - overlap) / (self.side - overlap))
        return [round(i * (self.length - self.side) / (count - 1)) for i in range(count)]

    @cached_property
    def spans(self) -> list[slice]:
        return [slice(start, min(start + self.side, self.length)) for start in self.starts]

    @cached_property
    def owned(self) -> list[slice]:
        """What each window decides: up to the middle of what it shares with its neighbour."""
        middles = [(after.start + before.stop) // 2 for before, after in pairwise(self.spans)]
        return [slice(*ends) for ends in pairwise([0, *middles, self.length])]

    @cached_property
    def pieces(self) -> list[slice]:
        """The parts between all places where a window begins or ends: each lies in the same windows with all of it."""
        places = sorted({end for span in self.spans for end in (span.start, span.stop)})
        return [slice(*ends) for ends in pairwise(places)]


@dataclass(frozen=True)
class Window:
    """``number`` in order, its rows and columns, and those that it decides."""

    number: int
    place: Part
    owned: Part


@dataclass(frozen=True)
class Grid:
    """Windows of ``side`` x ``side`` pixels over a picture of ``height`` x ``width``, row by row. Lesson 21."""

    height: int
    width: int
    side: int

    @cached_property
    def down(self) -> Axis:
        return Axis(self.height, self.side)

    @cached_property
    def across(self) -> Axis:
        return Axis(self.width, self.side)

    def __len__(self) -> int:
        return len(self.down.starts) * len(self.across.starts)

    def __iter__(self) -> Iterator[Window]:
        number = 0
        for rows, own_rows in zip(self.down.spans, self.down.owned):
            for columns, own_columns in zip(self.across.spans, self.across.owned):
                yield Window(number, (rows, columns), (own_rows, own_columns))
                number += 1

    def pieces(self, window: Window) -> Iterator[Part]:
        """The parts of ``window`` of which all pixels lie in the same windows."""
        rows, columns = window.place
        for piece in (p for p in self.down.pieces if inside(p, rows)):
            yield from ((piece, p) for p in self.across.pieces if inside(p, columns))

    def windows_of(self, piece: Part) -> int:
        """How many windows a piece lies in."""
        rows, columns = piece
        down = sum(inside(rows, span) for span in self.down.spans)
        return down * sum(inside(columns, span) for span in self.across.spans)


def inside(part: slice, whole: slice) -> bool:
    return whole.start <= part.start and part.stop <= whole.stop


def within(part: Part, place: Part) -> Part:
    """A part of the picture, counted from where ``place`` begins."""
    rows, columns = (slice(p.start - w.start, p.stop - w.start) for p, w in zip(part, place))
    return rows, columns


def common(first: Part, second: Part) -> Part | None:
    """What two places share; None for nothing."""
    rows, columns = (slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(first, second))
    return (rows, columns) if rows.start < rows.stop and columns.start < columns.stop else None
