"""Drawn cases of lab 00b: vectors, costs, updates."""

from __future__ import annotations

from .draw import Draw, drawn


@drawn
def vectors(d: Draw) -> tuple:
    width, keys = d.between(2, 8), d.between(2, 6)
    return d.normal(d.between(1, 5), width, scale=2), d.normal(keys, width, scale=2), d.normal(keys, d.between(1, 6))


@drawn
def costs(d: Draw) -> tuple:
    masks = d.between(2, 4)
    return (d.normal(d.between(masks, 5), masks),)


@drawn
def updates(d: Draw) -> tuple:
    shape = d.between(1, 4), d.between(3, 9)
    return d.normal(*shape), d.normal(*shape, scale=3)
