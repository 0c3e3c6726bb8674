"""What no one labelled or what lies over the picture: balloons, boats, rain, snow, a frame."""

from __future__ import annotations

import math
import random

from .bands import Band
from .light import hexes, shade
from .pen import Pen
from .view import View

SILK = hexes("e4572e f3a712 2e86ab a23b72 5fa777 f4ece0")
FRAMES = hexes("f6f2e8 26262c e6d8bf")


def paint_balloon(pen: Pen, rng: random.Random, view: View) -> None:
    """Now and then a hot-air balloon (void): round like a ball, but in the sky."""
    if rng.random() > 0.08 or pen.light.weather != "dry":
        return
    a, b = rng.sample(SILK, 2)
    r = rng.uniform(0.035, 0.06)
    pen.place(0, rng.uniform(0.1, view.width - 0.1), rng.uniform(0.1, 0.2), r, 0.5, up=False)
    pen.polygon([(-0.85, 0.5), (-0.22, 1.25), (0.22, 1.25), (0.85, 0.5)], a)
    pen.disc(0, 0, 1, 1.02, a)
    pen.disc(0, 0, 0.6, 1.02, b)
    pen.disc(0, 0, 0.22, 1.02, a)
    pen.polygon([(-0.5, 0.8), (-0.16, 1.25), (0.16, 1.25), (0.5, 0.8)], b)
    for x in (-0.2, 0.2):
        pen.line(x, 1.2, x * 0.9, 1.6, 0.05, (90, 70, 60))
    pen.box(-0.22, 1.55, 0.22, 1.85, (148, 100, 60))


def paint_boats(pen: Pen, rng: random.Random, view: View, water: Band) -> None:
    """Ducks and a boat on the water (void)."""
    for _ in range(rng.choice((0, 0, 1, 2, 3))):
        x = rng.uniform(0.05, view.width - 0.05)
        top, bottom = water.top(x), min(1.0, water.bottom(x))
        y = top + (bottom - top) * rng.uniform(0.35, 0.9)
        flip = rng.random() < 0.5
        if rng.random() < 0.2 and bottom - top > 0.09:
            pen.place(0, x, y, view.unit(y) * 0.9, view.depth(y) * 0.6, flip)
            paint_boat(pen, rng)
        else:
            pen.place(0, x, y, view.unit(y) * 0.8, view.depth(y) * 0.6, flip)
            paint_duck(pen, rng)


def paint_duck(pen: Pen, rng: random.Random) -> None:
    """A duck 0.3 long."""
    body = rng.choice(hexes("f6f2e6 8c6a48 e8c34a"))
    pen.disc(0, 0.05, 0.17, 0.08, body)
    pen.polygon([(-0.2, 0.15), (-0.16, 0.03), (-0.05, 0.08)], body)
    pen.disc(0.13, 0.17, 0.075, 0.07, shade(body, 0.9))
    pen.polygon([(0.19, 0.19), (0.28, 0.155), (0.19, 0.14)], (236, 142, 44))


def paint_boat(pen: Pen, rng: random.Random) -> None:
    """A rowing boat or a small sailing boat."""
    hull = rng.choice(SILK)
    if rng.random() < 0.5:
        pen.line(0, 0.1, 0, 0.95, 0.035, (120, 88, 60))
        pen.polygon([(0.04, 0.22), (0.04, 0.92), (0.42, 0.26)], (246, 242, 230))
        pen.polygon([(-0.04, 0.22), (-0.04, 0.8), (-0.28, 0.26)], (232, 222, 204))
    pen.polygon([(-0.5, 0.17), (-0.36, -0.03), (0.36, -0.03), (0.55, 0.2)], hull)
    pen.polygon([(-0.5, 0.17), (-0.49, 0.12), (0.51, 0.15), (0.55, 0.2)], shade(hull, 1.4))


def paint_weather(pen: Pen, rng: random.Random, view: View) -> None:
    """Rain or snow over everything."""
    if pen.light.weather == "dry":
        return
    pen.world(0)
    ends = []
    rain = pen.light.weather == "rain"
    for _ in range(90 if rain else 120):
        x, y = rng.uniform(-0.05, view.width), rng.uniform(-0.05, 1.0)
        length = rng.uniform(0.03, 0.06) if rain else 0.006
        ends += [(x, y), (x + length * (0.25 if rain else 0.5), y + length)]
    pen.veil(ends, 0.003 if rain else 0.008, (250, 252, 255), 0.35 if rain else 0.8)


def paint_frame(pen: Pen, rng: random.Random, view: View) -> None:
    """Some pictures are prints with an unlabelled border and rounded corners."""
    if rng.random() > 0.07:
        return
    color = rng.choice(FRAMES)
    edge, r, w = rng.uniform(0.015, 0.04), rng.uniform(0.03, 0.1), view.width
    pen.world(0)
    pen.box(-0.1, -0.1, w + 0.1, edge, color, lit=True)
    pen.box(-0.1, 1 - edge, w + 0.1, 1.1, color, lit=True)
    pen.box(-0.1, -0.1, edge, 1.1, color, lit=True)
    pen.box(w - edge, -0.1, w + 0.1, 1.1, color, lit=True)
    for sx, x in ((1, edge), (-1, w - edge)):
        for sy, y in ((1, edge), (-1, 1 - edge)):
            arc = [(x + sx * r * (1 - math.cos(t)), y + sy * r * (1 - math.sin(t)))
                   for t in (i * math.pi / 12 for i in range(7))]  # fmt: skip
            pen.polygon([(x, y), *arc], color, lit=True)
