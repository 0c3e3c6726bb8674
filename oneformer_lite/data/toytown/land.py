"""Sky and ground: the stuff that lies behind and below everything else."""

from __future__ import annotations

import math
import random

from . import classes as c
from .light import Color, Light, hexes, mix, shade
from .pen import Pen, Point

STUFF = (c.SKY, c.BUILDING, c.ROAD, c.SIDEWALK, c.GRASS, c.WATER)
ASPHALT = hexes("6c6f78 5f636e 787880")
PAVING = hexes("c9c2b6 bdb9b4 d2c4ae b8b4bc")
LAWN = hexes("7fb552 6ea54a 92bd5c 79b06a")
RIVER = hexes("4c9cb0 3f86a8 5aa8a4")
PAINT: Color = (240, 238, 228)
SNOW: Color = (240, 245, 250)


def element_of(class_id: int) -> int:
    """The number in the element map of a kind of stuff; 0 is void."""
    return 1 + STUFF.index(class_id)


def paint_sky(pen: Pen, rng: random.Random, width: float, low: float) -> None:
    """A fading sky down to ``low`` with sun or moon, stars, clouds and birds."""
    light = pen.light
    pen.fade(-0.1, -0.01, width + 0.1, low, light.sky_top, light.sky_low, steps=40)
    if light.name == "night":
        for _ in range(40):
            x, y, r = rng.uniform(0, width), rng.uniform(0, low * 0.8), rng.uniform(0.0012, 0.003)
            pen.disc(x, y, r, r, (236, 238, 255), lit=True)
    if light.weather == "dry" and light.fog < 0.24:
        paint_sun(pen, rng, width, low)
    tint = mix(light.sky_low, (255, 255, 255), 0.72 if light.sun[0] > 0.8 else 0.16)
    for _ in range(round(rng.uniform(0, 5) * light.clouds)):
        x, y = rng.uniform(0, width), rng.uniform(0.03, low * 0.72)
        paint_cloud(pen, rng, x, y, rng.uniform(0.05, 0.12) * (1.2 - y), tint)
    if rng.random() < 0.25 and light.weather == "dry":
        x, y = rng.uniform(0.1, width - 0.1), rng.uniform(0.06, low * 0.5)
        for i in range(rng.randint(2, 5)):
            bx, by = x + 0.03 * i, y + 0.012 * math.sin(i * 2.2)
            ink = shade(light.sky_top, 0.55)
            pen.line(bx - 0.011, by - 0.006, bx, by, 0.0035, ink, lit=True)
            pen.line(bx, by, bx + 0.011, by - 0.006, 0.0035, ink, lit=True)


def paint_sun(pen: Pen, rng: random.Random, width: float, low: float) -> None:
    """The sun, low and orange in the evening, or a moon."""
    light = pen.light
    x = rng.uniform(0.08, width - 0.08)
    night = light.name == "night"
    late = light.name in ("golden", "dusk")
    y = low * (rng.uniform(0.5, 0.8) if late else rng.uniform(0.12, 0.4))
    color = (246, 243, 222) if night else (255, 214, 150) if late else (255, 248, 214)
    r = 0.036 if night else 0.046
    pen.blob(x, y, r * 5, r * 5, color, 0.5)
    pen.disc(x, y, r, r, color, lit=True)
    if night:
        pen.disc(x + r * 0.45, y - r * 0.2, r * 0.86, r * 0.86, mix(light.sky_top, color, 0.1),
                 lit=True)  # fmt: skip


def paint_cloud(pen: Pen, rng: random.Random, x: float, y: float, r: float, tint: Color) -> None:
    """A flat-bottomed heap of discs."""
    under = mix(tint, pen.light.sky_top, 0.22)
    puffs = [(i * 0.62, rng.uniform(0.3, 0.55) * (1.25 - abs(i) * 0.3)) for i in (-2, -1, 0, 1, 2)]
    for color, drop in ((under, 0.08), (tint, 0.0)):
        for dx, size in puffs:
            pen.disc(x + dx * r, y - size * r * 0.35 + drop * r, size * r, size * r * 0.72, color,
                     lit=True)  # fmt: skip


def frosted(light: Light, color: Color, share: float) -> Color:
    """``color`` under a thin cover of snow, if it snows."""
    return mix(color, SNOW, share) if light.weather == "snow" else color


def strip(top, bottom, width: float, t0: float = 0.0, t1: float = 1.0) -> list[Point]:
    """The polygon between the shares ``t0`` and ``t1`` of the way from edge to edge."""
    xs = [-0.1 + (width + 0.2) * i / 8 for i in range(9)]
    upper = [(x, top(x) + (bottom(x) - top(x)) * t0) for x in xs]
    lower = [(x, top(x) + (bottom(x) - top(x)) * t1) for x in reversed(xs)]
    return upper + lower


def paint_bands(pen: Pen, top, bottom, width: float, far: Color, near: Color, n: int = 6) -> None:
    """Fill between two edges, shading from ``far`` to ``near``."""
    for i in range(n):
        pen.polygon(strip(top, bottom, width, i / n, 1.0), mix(far, near, i / (n - 1)))


def paint_road(pen: Pen, rng: random.Random, top, bottom, width: float) -> None:
    """Asphalt with a dashed middle line, edge lines and perhaps a crossing."""
    asphalt = frosted(pen.light, rng.choice(ASPHALT), 0.12)
    paint_bands(pen, top, bottom, width, shade(asphalt, 1.08), shade(asphalt, 0.92))
    for t in (0.05, 0.93):
        pen.polygon(strip(top, bottom, width, t, t + 0.022), mix(asphalt, PAINT, 0.6))
    x, dash = -0.1 + rng.uniform(0, 0.1), rng.uniform(0.07, 0.12)
    while x < width:
        pen.polygon(across(top, bottom, x, x + dash, 0.47, 0.51), mix(asphalt, PAINT, 0.85))
        x += dash * 1.9
    if rng.random() < 0.35:
        x = rng.uniform(0.1, width - 0.2)
        for i in range(7):
            t = 0.04 + i * 0.135
            pen.polygon(across(top, bottom, x, x + 0.13, t, t + 0.075), mix(asphalt, PAINT, 0.9))
    for _ in range(rng.randint(0, 2)):
        x, t = rng.uniform(0, width), rng.uniform(0.15, 0.85)
        y = top(x) + (bottom(x) - top(x)) * t
        pen.disc(x, y, 0.02, 0.008, shade(asphalt, 0.75))


def across(top, bottom, x0: float, x1: float, t0: float, t1: float) -> list[Point]:
    """A marking between x0 and x1 and the shares t0 and t1 of the band."""
    return [
        (x, top(x) + (bottom(x) - top(x)) * t) for x, t in ((x0, t0), (x1, t0), (x1, t1), (x0, t1))
    ]


def paint_sidewalk(pen: Pen, rng: random.Random, top, bottom, width: float) -> None:
    """Paving slabs with a kerb on both sides."""
    slab = frosted(pen.light, rng.choice(PAVING), 0.5)
    paint_bands(pen, top, bottom, width, shade(slab, 0.94), shade(slab, 1.05), n=4)
    for t in (0.33, 0.66):
        pen.polygon(strip(top, bottom, width, t, t + 0.03), shade(slab, 0.86))
    step, lean = rng.uniform(0.06, 0.1), rng.uniform(-0.02, 0.02)
    for i in range(math.ceil((width + 0.2) / step)):
        x = -0.1 + i * step
        y0, y1 = top(x), bottom(x)
        spread = 1 + (y1 - y0)
        foot = width / 2 + (x - width / 2) * spread + lean
        pen.line(x, y0, foot, y1, 0.0035, shade(slab, 0.86))
    pen.polygon(strip(top, bottom, width, 0.0, 0.06), shade(slab, 0.82))
    pen.polygon(strip(top, bottom, width, 0.9, 1.0), shade(slab, 0.72))


def paint_grass(pen: Pen, rng: random.Random, top, bottom, width: float) -> None:
    """A lawn with mown stripes, tufts and flowers."""
    lawn = frosted(pen.light, rng.choice(LAWN), 0.55)
    paint_bands(pen, top, bottom, width, shade(lawn, 1.1), shade(lawn, 0.88))
    flower = rng.choice(hexes("f6f1e4 f2d13c e9677f b48ae0"))
    flowers = pen.light.weather != "snow" and rng.random() < 0.5
    for _ in range(45):
        x, t = rng.uniform(0, width), rng.random()
        y = top(x) + (bottom(x) - top(x)) * t
        r = 0.003 + 0.011 * y * t
        if flowers and rng.random() < 0.4:
            pen.disc(x, y, r * 0.75, r * 0.6, flower)
        else:
            tuft(pen, rng, x, y, r, lawn)


def tuft(pen: Pen, rng: random.Random, x: float, y: float, r: float, lawn: Color) -> None:
    """A few blades of grass."""
    pen.polygon([(x - r, y), (x - r * 0.6, y - r * 1.8), (x, y - r * 0.4),
                 (x + r * 0.7, y - r * 2.0), (x + r, y)],
                shade(lawn, rng.choice((0.8, 1.14))))  # fmt: skip


def paint_water(pen: Pen, rng: random.Random, top, bottom, width: float) -> None:
    """A river taking half its colour from the sky."""
    river = mix(rng.choice(RIVER), pen.light.sky_low, 0.25)
    paint_bands(pen, top, bottom, width, shade(river, 1.1), shade(river, 0.75))


def paint_ripples(pen: Pen, rng: random.Random, top, bottom, width: float) -> None:
    """Light wave crests, painted after the reflection."""
    for _ in range(26):
        x, t = rng.uniform(0, width), rng.uniform(0.06, 0.97)
        y = top(x) + (bottom(x) - top(x)) * t
        half = (0.012 + 0.04 * t) * rng.uniform(0.6, 1.4)
        pen.tint([(x - half, y), (x, y - 0.004), (x + half, y), (x, y + 0.004)],
                 mix(pen.light.sky_low, (255, 255, 255), 0.5), 0.4)  # fmt: skip
