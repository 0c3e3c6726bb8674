"""The outline of a mask as polygons, along the edges of its pixels, so that painting them gives the mask again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool
from scipy import ndimage

Point = tuple[int, int]
# a step along each side of a pixel, clockwise: from its first corner, where the neighbour beyond that side is missing
_SIDES = (((0, 0), (1, 0), (-1, 0)), ((1, 0), (1, 1), (0, 1)), ((1, 1), (0, 1), (1, 0)), ((0, 1), (0, 0), (0, -1)))


def outlines(mask: Bool[np.ndarray, "H W"]) -> list[list[int]]:
    """COCO's polygons [x, y, x, y, ...] of a mask, one for each part that hangs together by the sides of pixels.

    Corners have whole numbers: a pixel of column x and row y spans x to x + 1 and y to y + 1. A hole is joined to the
    outer ring by a cut of no width, so that a single polygon holds it. Decoded by pycocotools, they give ``mask``.
    """
    parts, _ = ndimage.label(mask)
    polygons = []
    for number, place in enumerate(ndimage.find_objects(parts), start=1):
        top, left = place[0].start, place[1].start
        outer, *holes = sorted(_rings(parts[place] == number), key=min)  # the leftmost corner is the outer ring's
        for hole in holes:
            outer = _joined(outer, hole)
        polygons.append([value for x, y in outer for value in (x + left, y + top)])
    return polygons


def _rings(part: Bool[np.ndarray, "H W"]) -> Iterator[list[Point]]:
    """The closed rings around a part and around its holes, corners only, each with the part on its right."""
    steps = _steps(part)
    while steps:
        start = at = next(iter(steps))
        ring, before = [], None
        while True:
            ends = steps[at]
            # where two pixels touch by a corner, turn right: stay with the pixel
            after = ends.pop() if len(ends) == 1 or before is None else _right_turn(before, at, ends)
            if not ends:
                del steps[at]
            direction = (after[0] - at[0], after[1] - at[1])
            if direction != before:
                ring.append(at)
            at, before = after, direction
            if at == start:
                break
        yield ring


def _steps(part: Bool[np.ndarray, "H W"]) -> dict[Point, list[Point]]:
    """From each corner of a pixel on the rim to the next ones."""
    steps: dict[Point, list[Point]] = {}
    padded = np.pad(part, 1)
    height, width = part.shape
    for (x0, y0), (x1, y1), (down, right) in _SIDES:
        beyond = padded[1 + down : 1 + down + height, 1 + right : 1 + right + width]
        for row, column in np.argwhere(part & ~beyond).tolist():
            steps.setdefault((column + x0, row + y0), []).append((column + x1, row + y1))
    return steps


def _right_turn(direction: Point, at: Point, ends: list[Point]) -> Point:
    turned = (at[0] - direction[1], at[1] + direction[0])
    ends.remove(turned)
    return turned


def _joined(outer: list[Point], hole: list[Point]) -> list[Point]:
    """One ring: along the outer one to its corner nearest to the hole, around the hole, and back."""
    corners = np.array(outer)
    at = int(np.abs(corners - hole[0]).sum(1).argmin())
    return [*outer[: at + 1], *hole, hole[0], *outer[at:]]
