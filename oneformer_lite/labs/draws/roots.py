"""Drawn cases of lab 18: digits and places, masks and shares, sizes of encoders, who took what where."""

from __future__ import annotations

import numpy as np

from .draw import Draw, drawn


@drawn
def frames(d: Draw) -> tuple:
    count = d.between(2, 4)
    pictures = [image.astype(np.uint8) for image in d.whole(256, count, 28, 28).numpy()]
    return pictures, [(d.between(0, 12), d.between(0, 22)) for _ in range(count)], (40, 50)


@drawn
def shares(d: Draw) -> tuple:
    count, points = d.between(2, 4), d.between(5, 9)
    return d.uniform(count, points), d.uniform(count, points), d.some([True, False], 1)[0]


@drawn
def encoders(d: Draw) -> tuple:
    return d.between(1, 4), 8 * d.between(1, 6), d.between(8, 90), d.some([2, 4, 8], 1)[0], d.between(16, 80)


@drawn
def takings(d: Draw) -> tuple:
    count = d.between(5, 12)
    return d.some([0, 2, 3], count), (64 * d.uniform(count, 2)).numpy()
