"""Drawn cases of lab 16: boxes, attention of several heads, regions of queries, schedules that fade out."""

from __future__ import annotations

import torch
from torch import Tensor

from .draw import Draw, drawn


def _boxes(d: Draw, count: int) -> Tensor:
    """Centre, width and height; small enough that many do not touch."""
    return torch.cat([d.uniform(count, 2), 0.02 + 0.4 * d.uniform(count, 2)], dim=1)


@drawn
def boxes(d: Draw) -> tuple:
    return _boxes(d, d.between(3, 6)), _boxes(d, d.between(2, 4))


@drawn
def heads(d: Draw) -> tuple:
    heads, width = d.between(2, 4), d.between(2, 5)
    return d.normal(d.between(2, 4), heads, width), d.normal(d.between(4, 9), heads, width)


@drawn
def regions(d: Draw) -> tuple:
    inside = d.uniform(d.between(2, 5), d.between(6, 12)) < 0.4
    inside[0] = False
    return inside, d.between(1, 5)


@drawn
def fading(d: Draw) -> tuple:
    starts = [d.number(0, 0.5) for _ in range(d.between(2, 4))]
    return d.number(0.2, 0.8), [(start, start + d.number(0.1, 0.5)) for start in starts]
