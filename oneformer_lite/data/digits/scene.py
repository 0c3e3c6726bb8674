"""One scene: which digits, where, and how they lie over each other."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
from PIL import Image

from .source import INK, SIDE

TRIES = 30  # places for one digit, before a scene is begun again
RESTARTS = 100  # of a scene, before its digits are put on a grid
SLANT, TURN, SCALE, SHIFT = 0.15, math.radians(8), 0.08, 1.0  # at most, to either side; the shift in pixels

Place = tuple[int, int]  # top and left of a frame
Box = tuple[int, int, int, int]  # top, left, bottom, right of the ink


def scatter(rng: random.Random, boxes: Sequence[Box], size: tuple[int, int], apart: bool) -> list[Place]:
    """Places of frames within ``size``, uniform; where digits are to be ``apart``, their boxes are disjoint."""
    for _ in range(RESTARTS):
        if (places := _places(rng, boxes, size, apart)) is not None:
            return places
    return _grid(rng, len(boxes), size)


def _places(rng: random.Random, boxes: Sequence[Box], size: tuple[int, int], apart: bool) -> list[Place] | None:
    """One after the other; None where no place was free for one of them."""
    places: list[Place] = []
    taken: list[Box] = []
    for box in boxes:
        for _ in range(TRIES):
            place = rng.randint(0, size[0] - SIDE), rng.randint(0, size[1] - SIDE)
            here = moved_box(box, place)
            if not apart or all(disjoint(here, other) for other in taken):
                break
        else:
            return None
        places.append(place)
        taken.append(here)
    return places


def _grid(rng: random.Random, count: int, size: tuple[int, int]) -> list[Place]:
    cells = [(SIDE * row, SIDE * column) for row in range(size[0] // SIDE) for column in range(size[1] // SIDE)]
    return rng.sample(cells, count)


def disjoint(a: Box, b: Box) -> bool:
    """Whether no pixel is in both."""
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def moved_box(box: Box, place: Place) -> Box:
    """The ink of a frame at ``place``."""
    return box[0] + place[0], box[1] + place[1], box[2] + place[0], box[3] + place[1]


def ink_box(frame: np.ndarray) -> Box:
    """Tight around the ink of a frame uint8 [28, 28]."""
    ink = frame > INK
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def paint(
    frames: Sequence[np.ndarray], places: Sequence[Place], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """The brightest of the frames at each pixel, uint8 [H, W], and the ink of each, bool [n, H, W].

    The maximum hides nothing, and masks are whole where one digit lies over another.
    """
    picture, masks = np.zeros(size, np.uint8), np.zeros((len(frames), *size), bool)
    for frame, (top, left), mask in zip(frames, places, masks):
        here = slice(top, top + SIDE), slice(left, left + SIDE)
        np.maximum(picture[here], frame, out=picture[here])
        mask[here] = frame > INK
    return picture, masks


def varied(rng: random.Random, frame: np.ndarray) -> np.ndarray:
    """A digit written a little otherwise: slanted, turned, scaled and moved about the middle of its frame."""
    slant, turn = rng.uniform(-SLANT, SLANT), rng.uniform(-TURN, TURN)
    across, down = (1 + rng.uniform(-SCALE, SCALE) for _ in range(2))
    a, b = across * math.cos(turn), across * (math.sin(turn) + slant)
    c, d = -down * math.sin(turn), down * math.cos(turn)
    middle = SIDE / 2
    right, below = (middle - rng.uniform(-SHIFT, SHIFT) for _ in range(2))
    shift = right - a * middle - b * middle, below - c * middle - d * middle
    matrix = (a, b, shift[0], c, d, shift[1])
    changed = Image.fromarray(frame).transform((SIDE, SIDE), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    again = np.asarray(changed)
    return again if again.max() > INK else frame
