"""A street seen from across: strips of ground from the foot of the houses to the lower edge."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

from . import classes as c
from .houses import paint_row, paint_skyline
from .land import (
    element_of,
    paint_grass,
    paint_ripples,
    paint_road,
    paint_sidewalk,
    paint_sky,
    paint_water,
)
from .pen import Pen, Point
from .view import View

LAYOUTS: tuple[tuple[float, tuple[tuple[int, float], ...]], ...] = (
    # weight, then from far to near: kind of ground and its share of the depth
    (1.4, ((c.SIDEWALK, 0.18), (c.ROAD, 0.46), (c.SIDEWALK, 0.36))),
    (1.3, ((c.SIDEWALK, 0.18), (c.ROAD, 0.40), (c.GRASS, 0.42))),
    (1.0, ((c.GRASS, 0.16), (c.SIDEWALK, 0.16), (c.ROAD, 0.40), (c.SIDEWALK, 0.28))),
    (1.0, ((c.SIDEWALK, 0.14), (c.ROAD, 0.36), (c.SIDEWALK, 0.22), (c.WATER, 0.28))),
    (1.0, ((c.SIDEWALK, 0.14), (c.WATER, 0.22), (c.GRASS, 0.24), (c.ROAD, 0.40))),
    (1.0, ((c.GRASS, 0.30), (c.SIDEWALK, 0.20), (c.GRASS, 0.50))),
    (0.8, ((c.ROAD, 0.30), (c.SIDEWALK, 0.18), (c.GRASS, 0.52))),
    (0.8, ((c.GRASS, 0.18), (c.WATER, 0.22), (c.SIDEWALK, 0.20), (c.ROAD, 0.40))),
)


class Band(NamedTuple):
    """A strip of ground between two lines y(x)."""

    class_id: int
    view: View
    top: Callable[[float], float]
    bottom: Callable[[float], float]

    def spot(self, rng: random.Random, class_id: int) -> Point:
        """A place (x, y) for a thing of this class; vehicles keep to their lanes."""
        x = rng.uniform(0.02, self.view.width - 0.02)
        top, bottom = self.top(x), min(self.bottom(x), 1.02)
        share = rng.uniform(0.12, 0.92)
        if class_id in (c.CAR, c.BUS):
            share = rng.choice((0.3, 0.4, 0.8, 0.9)) + rng.uniform(-0.03, 0.03)
        return x, top + (bottom - top) * share


def lay_bands(rng: random.Random, view: View, base: float) -> list[Band]:
    """Slightly tilted strips below the line ``base``."""
    shares = rng.choices([s for _, s in LAYOUTS], weights=[w for w, _ in LAYOUTS])[0]
    slope, bend = rng.uniform(-0.05, 0.05), rng.uniform(-0.05, 0.05)
    sizes = [share * rng.uniform(0.8, 1.2) for _, share in shares]
    edges, y = [base], base
    for size in sizes:
        y += size * (1 - base) / sum(sizes)
        edges.append(y)
    edges[-1] = 1.1
    half = view.width / 2

    def line(y0: float, grow: float) -> Callable[[float], float]:
        return lambda x: y0 + grow * (slope * (x / half - 1) + bend * (x / half - 1) ** 2 / 2) / 2

    lines = [line(y0, 0.4 + 0.6 * i / len(sizes)) for i, y0 in enumerate(edges)]
    return [
        Band(class_id, view, top, bottom)
        for (class_id, _), top, bottom in zip(shares, lines, lines[1:], strict=False)
    ]


PAINT_GROUND = {
    c.ROAD: paint_road,
    c.SIDEWALK: paint_sidewalk,
    c.GRASS: paint_grass,
    c.WATER: paint_water,
}


def paint_bands_view(pen: Pen, rng: random.Random, view: View, bands: list[Band]) -> None:
    """Sky, town and ground."""
    top = bands[0].top
    base = top(view.width / 2)
    pen.world(element_of(c.SKY))
    paint_sky(pen, rng, view.width, base + 0.08)
    high = base * rng.uniform(0.45, 0.85)
    pen.world(element_of(c.BUILDING), 1.0)
    if rng.random() < 0.6:
        paint_skyline(pen, rng, view.width, base, high * rng.uniform(0.8, 1.1))
    pen.world(element_of(c.BUILDING), 0.6)
    paint_row(pen, rng, view.width, top, high)
    for band in bands:
        y = (band.top(view.width / 2) + min(1.0, band.bottom(view.width / 2))) / 2
        pen.world(element_of(band.class_id), view.depth(y) * 0.8)
        PAINT_GROUND[band.class_id](pen, rng, band.top, band.bottom, view.width)


def paint_mirror(pen: Pen, rng: random.Random, view: View, water: Band) -> None:
    """The reflection of everything painted so far, and ripples."""
    top = min(water.top(0.0), water.top(view.width))
    bottom = min(1.0, max(water.bottom(0.0), water.bottom(view.width)))
    pen.world(element_of(c.WATER))
    pen.mirror(0.0, top, view.width, bottom, 0.42)
    paint_ripples(pen, rng, water.top, water.bottom, view.width)
