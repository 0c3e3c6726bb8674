"""Drawn cases of lab 17: boxes and noise, groups of queries, features under masks, masks that are painted."""

from __future__ import annotations

import torch

from .draw import Draw, drawn


@drawn
def shaken(d: Draw) -> tuple:
    count = d.between(3, 6)
    boxes = torch.cat([d.uniform(count, 2), 0.1 + 0.6 * d.uniform(count, 2)], dim=1)
    return boxes, d.number(0.2, 0.9), d.uniform(count, 4)


@drawn
def groups(d: Draw) -> tuple:
    return d.between(2, 4), d.between(2, 4), d.between(3, 7)


@drawn
def features(d: Draw) -> tuple:
    channels, height, width = d.between(2, 5), d.between(3, 6), d.between(3, 6)
    masks = 2 * d.normal(d.between(2, 4), height, width)
    masks[0, 0, 0] = 0.0
    return d.normal(channels, height, width), masks


@drawn
def painted(d: Draw) -> tuple:
    """Rectangles, some of which lie over each other."""
    count, values = d.between(4, 6), []
    for _ in range(count):
        value, (top, left) = 0.4 * d.uniform(12, 14), (d.between(0, 6), d.between(0, 7))
        value[top : top + d.between(3, 7), left : left + d.between(3, 8)] += d.number(0.5, 0.9)
        values.append(value)
    return 0.2 + 0.8 * d.uniform(count), torch.stack(values), d.number(0.05, 0.3), d.number(0.3, 0.8)
