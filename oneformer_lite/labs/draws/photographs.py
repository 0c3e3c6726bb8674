"""Drawn cases of lab 21: masks that overlap, instance maps that nearly agree, windows along a picture."""

from __future__ import annotations

import numpy as np

from .draw import Draw, drawn


@drawn
def masks(d: Draw) -> tuple:
    count = d.between(3, 6)
    found = np.zeros((count, 9, 11), bool)
    for mask in found:
        top, left = d.between(0, 5), d.between(0, 6)
        mask[top : top + d.between(3, 6), left : left + d.between(3, 7)] = True
    return found, (np.array(d.order(count)) + 1) / (count + 1)


@drawn
def maps(d: Draw) -> tuple:
    """Blocks on a grid, in the found map some of them cut, joined or gone, under other numbers."""
    truth, found = np.zeros((16, 24), int), np.zeros((16, 24), int)
    for n, name in enumerate(d.order(6)):
        top, left = 8 * (n // 3), 8 * (n % 3)
        truth[top : top + 6, left : left + 6] = n + 3
        found[top : top + d.between(1, 6), left : left + d.between(3, 8)] = name
    return found, truth


@drawn
def picture(d: Draw) -> tuple:
    side = d.between(20, 300)
    return d.between(side + 1, 12 * side), side
