"""Deformable sampling with its numbers: a few looks between the pixels of a map, weighted and added."""

from __future__ import annotations

import math

import numpy as np

from .svg import CELL, WIDTH, Canvas, Drawing, as_array, number, numbers

_ROWS, _COLUMNS, _LOOKS = 4, 6, 4


def sampling(feature_map, places, weights) -> Drawing:
    """A map [h, w], the ``places`` [P, 2] where a query looks (x, y in pixels; whole numbers are pixel centres) and the
    weight [P] of each: what each look finds, and the weighted sum. At most 4 x 6 pixels and four looks.

    Around the map stands one ring of pixels that are not there, and count as zero.
    """
    values = as_array(feature_map, "feature_map", 2, (_ROWS, _COLUMNS))
    looks = as_array(places, "places", 2, (_LOOKS, 2))
    shares = as_array(weights, "weights", 1, (len(looks),))
    found = np.array([bilinear(values, x, y) for x, y in looks])
    canvas = Canvas()
    bottom = _map(canvas, values, looks, shares)
    _sum(canvas, bottom + 50, looks, shares, found)
    return canvas.drawing(_words(looks, shares, found))


def bilinear(values: np.ndarray, x: float, y: float) -> float:
    """The value of a map [h, w] at a place between its pixels; pixels outside are zero."""
    left, top = math.floor(x), math.floor(y)
    corners = [(row, column) for row in (top, top + 1) for column in (left, left + 1)]
    inside = [(r, c) for r, c in corners if 0 <= r < values.shape[0] and 0 <= c < values.shape[1]]
    return float(sum((1 - abs(x - c)) * (1 - abs(y - r)) * values[r, c] for r, c in inside))


def _map(canvas: Canvas, values: np.ndarray, looks: np.ndarray, shares: np.ndarray) -> float:
    """The pixels with their numbers in their upper left corners, and the looks over them; gives its lower end."""
    height, width = values.shape
    side = min(56.0, (WIDTH - 24) / (width + 2))
    left, top = (WIDTH - side * width) / 2, 34 + side
    written, most = numbers(values), max(float(np.abs(values).max()), 1e-9)
    canvas.text(WIDTH / 2, 16, "the map, and where the query looks (dashed: outside, zero)", "title")
    for row, column in np.ndindex(height + 2, width + 2):
        r, c = row - 1, column - 1
        x, y = left + c * side, top + r * side
        if not (0 <= r < height and 0 <= c < width):
            canvas.box(x, y, side, side, "nothing", rx=0)
            continue
        canvas.box(x, y, side, side, "cell", rx=0)
        canvas.shade(x, y, side, side, float(values[r, c]) / most * 0.6)
        canvas.text(x + 5, y + 11, written[r][c], "number", "start")
    for name, (x, y), share in zip("abcd", looks, shares):
        inside = np.clip((x, y), -1.5, (width + 0.5, height + 0.5)) + 0.5  # one far outside stands at the edge
        place = left + inside[0] * side, top + inside[1] * side
        canvas.dot(*place, 6 + 10 * math.sqrt(max(share, 0)), "look")
        canvas.text(*place, name, "in-look")
    return top + (height + 1) * side


def _sum(canvas: Canvas, top: float, looks: np.ndarray, shares: np.ndarray, found: np.ndarray) -> None:
    titles = ("x", "y", "finds", "weight", "finds × weight")
    ends = (80, 140, 215, 295, 420)
    for title, end in zip(titles, ends):
        canvas.text(end, top - 16, title, "name", "end")
    for i, (name, (x, y), share, value) in enumerate(zip("abcd", looks, shares, found)):
        row = top + 4 + i * CELL
        canvas.dot(22, row, 9, "look")
        canvas.text(22, row, name, "in-look")
        for cell, end in zip((x, y, value, share, value * share), ends):
            canvas.text(end, row, number(cell), "number", "end")
    bottom = top + 4 + len(looks) * CELL
    canvas.rule(ends[-2] + 20, bottom - 12, ends[-1])
    canvas.text(ends[-1] - 60, bottom + 3, "sum", "name", "end")
    canvas.text(ends[-1], bottom + 3, number(float(found @ shares)), "title", "end")


def _words(looks: np.ndarray, shares: np.ndarray, found: np.ndarray) -> str:
    rows = "; ".join(
        f"{name} at x {number(x)}, y {number(y)} finds {number(value)} with weight {number(share)}"
        for name, (x, y), share, value in zip("abcd", looks, shares, found)
    )
    return f"A map of numbers with {len(looks)} looks between its pixels: {rows}. Sum {number(float(found @ shares))}"
