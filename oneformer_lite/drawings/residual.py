"""Residual and norm with their numbers: what a layer adds to a vector, and how the sum is normalised."""

from __future__ import annotations

import numpy as np

from .svg import CELL, Canvas, Drawing, as_array, number

_MOST = 6


def residual_and_norm(x, update) -> Drawing:
    """A vector [d] and what a layer wants to add to it [d]: their sum, its mean and deviation, and the norm,
    (sum - mean) / deviation, before it is scaled and shifted by learned numbers. At most six channels.
    """
    start = as_array(x, "x", 1, (_MOST,))
    change = as_array(update, "update", 1, (len(start),))
    total = start + change
    mean, deviation = total.mean(), total.std()
    if deviation == 0:
        raise ValueError("the sum is the same in all channels: it has no deviation to divide by")
    normed = (total - mean) / deviation
    canvas, width = Canvas(), min(52.0, 330 / len(start))
    rows = {"x": start, "+ update": change, "= sum": total}
    for i, (name, values) in enumerate(rows.items()):
        canvas.table(96, 22 + i * (CELL + 6), values[None], width, rows=[name])
    middle, below = 96 + width * len(start) / 2, 22 + 3 * (CELL + 6)
    canvas.arrow((middle, below), (middle, below + 46))
    canvas.text(middle + 10, below + 13, f"− mean {number(mean)}", "name", "start")
    canvas.text(middle + 10, below + 30, f"/ deviation {number(deviation)}", "name", "start")
    canvas.table(96, below + 52, normed[None], width, rows=["norm"])
    _shortcut(canvas, 96 + width * len(start) + 6, below)
    return canvas.drawing(_words(rows, mean, deviation, normed))


def _shortcut(canvas: Canvas, x: float, below: float) -> None:
    """Around the layer: what was there is not lost."""
    first, last = 22 + CELL / 2, below - 6 - CELL / 2
    canvas.arrow((x, first), (x + 14, first), (x + 14, last), (x + 2, last))


def _words(rows: dict[str, np.ndarray], mean: float, deviation: float, normed: np.ndarray) -> str:
    told = "; ".join(f"{name} ({', '.join(map(number, values))})" for name, values in rows.items())
    return (
        f"{told}; less the mean {number(mean)}, divided by the deviation {number(deviation)}: "
        f"({', '.join(map(number, normed))})"
    )
