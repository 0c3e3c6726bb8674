"""Drawn cases of lab 20: curves of losses, what fitting masks are called, labels to be written, pictures to mirror."""

from __future__ import annotations

import torch

from .draw import Draw, drawn

CURVES = ("falls", "flat", "zero", "below zero", "not finite")


@drawn
def letters(d: Draw) -> tuple:
    return ("PQRS"[(d.between(0, 3) + 2 * d.nth) % 4],)


def curve(d: Draw, kind: str) -> list[float]:
    """Sixty values of a loss, with noise."""
    count, start = 60, d.number(2.0, 12.0)
    noise = (1 + 0.005 * d.normal(count)).tolist()
    level = {"flat": 1.0, "falls": 0.3}.get(kind, 0.4)
    values = [n * start * (level + (1 - level) * (1 - i / count) ** 3) for i, n in enumerate(noise)]
    if kind == "zero":
        values[-20:] = [0.0] * 20
    if kind == "below zero":
        values = [v - start * 4.0 * i / count for i, v in enumerate(values)]
    if kind == "not finite":
        values[d.between(20, 50)] = float("nan")
    return values


@drawn
def curves(d: Draw) -> tuple:
    return (curve(d, CURVES[(d.nth + d.between(0, 4)) % len(CURVES)]),)


@drawn
def names(d: Draw) -> tuple:
    """Classes that are there, and what is said of them: right, counted from elsewhere, or nothing."""
    count, classes = d.between(12, 20), 14
    true = d.whole(classes - 3, count).tolist()
    kind, offset = d.between(0, 2), d.between(1, 3)
    said = [[t, t + offset, classes][kind] if d.number(0, 1) < 0.8 else int(d.whole(classes, 1)) for t in true]
    return true, said, classes


@drawn
def labels(d: Draw) -> tuple:
    count = d.between(6, 9)
    queries = d.order(count)[: d.between(2, 5)]
    return torch.tensor(queries), d.whole(14, len(queries)), count, 14


@drawn
def pictures(d: Draw) -> tuple:
    height, width = d.between(3, 6), d.between(4, 7)
    masks = 240 * d.whole(2, d.between(1, 3), height, width) + d.whole(12, 1, height, width)
    return d.whole(256, height, width, 3).to(torch.uint8), masks.to(torch.uint8), bool(d.nth % 2)
