"""People and dogs. Local units: 1 is the height of a grown person; x right, y up from the foot."""

from __future__ import annotations

import math
import random

from .light import Color, hexes, mix, shade
from .pen import Pen
from .vehicles import shadow

SKIN = hexes("f3cfb3 e2ac86 c68a5e 9a643e 6b4329")
HAIR = hexes("2c2320 5a3a24 8c5a2c d2a455 a8462e 9c9a98 e6e0d6")
TOPS = hexes("d9484a 2f74b8 f0b93a 3f9a72 f2efe8 8a5aa8 e8835a 3a4054 e39ab4 6fb3c9")
LEGS = hexes("33405e 4b4b52 8a6f52 2a2c34 6a7a94 a89a80")
STONE = hexes("8f8f8a a8a49a 7d8478")
FUR = hexes("8a5a34 3a302c d9ab6a f1e8dc 9a938c b9703c")


def paint_person(pen: Pen, rng: random.Random) -> None:
    """A person 0.7 (child) to 1 high, with a big head as in picture books."""
    if rng.random() < 0.2:
        unit = 0.74
        pen.sx, pen.sy = pen.sx * unit, pen.sy * unit
    skin, hair = rng.choice(SKIN), rng.choice(HAIR)
    top, legs = rng.choice(TOPS), rng.choice(LEGS)
    shadow(pen, 0.2, 0.06)
    stride = rng.uniform(0.02, 0.14)
    dress = rng.random() < 0.3
    paint_legs(pen, skin if dress else legs, stride)
    paint_torso(pen, top, skin, dress, rng)
    paint_head(pen, skin, hair, rng)
    if pen.light.weather == "rain" and rng.random() < 0.7 or rng.random() < 0.03:
        paint_umbrella(pen, rng.choice(TOPS))


def paint_crowd(pen: Pen, rng: random.Random) -> None:
    """Eight to thirteen small people close together, 1.9 wide: one segment, marked as crowd."""
    element, x, y, unit, depth = pen.element, pen.ox, pen.oy, abs(pen.sx), pen.depth
    for i in range(rng.randint(8, 13)):
        back = 0.22 - 0.02 * i  # from the back row to the front
        pen.place(element, x + rng.uniform(-0.85, 0.85) * unit, y - back * unit, unit * 0.82, depth,
                  flip=rng.random() < 0.5)  # fmt: skip
        paint_person(pen, rng)


def paint_statue(pen: Pen, rng: random.Random) -> None:
    """A person of stone on a plinth, 1.2 high, which is no person."""
    stone = rng.choice(STONE)
    shadow(pen, 0.28, 0.06)
    pen.box(-0.28, 0.0, 0.28, 0.06, shade(stone, 0.7))
    pen.box(-0.22, 0.06, 0.22, 0.22, shade(stone, 0.85))
    pen.polygon([(-0.2, 0.22), (-0.14, 0.88), (0.14, 0.88), (0.2, 0.22)], stone)
    pen.polygon([(0.04, 0.22), (0.06, 0.88), (0.14, 0.88), (0.2, 0.22)], shade(stone, 0.85))
    pen.line(0.12, 0.82, rng.uniform(0.18, 0.34), rng.uniform(0.5, 1.1), 0.09, shade(stone, 1.1))
    pen.line(-0.12, 0.82, -0.2, 0.52, 0.09, shade(stone, 0.8))
    pen.disc(0.0, 1.03, 0.14, 0.15, stone)
    pen.disc(0.05, 1.02, 0.09, 0.11, shade(stone, 1.12))


def paint_legs(pen: Pen, color: Color, stride: float) -> None:
    """Two legs and shoes, ``stride`` apart."""
    for side, tone in ((-1, shade(color, 0.8)), (1, color)):
        x = side * (0.05 + stride / 2)
        pen.line(side * 0.06, 0.42, x, 0.03, 0.125, tone, end_width=0.1)
        pen.rounded(x - 0.06, 0.0, x + 0.1, 0.06, 0.025, (52, 42, 42))


def paint_torso(pen: Pen, top: Color, skin: Color, dress: bool, rng: random.Random) -> None:
    """Coat, shirt or dress with arms; perhaps a bag or a scarf."""
    swing = rng.uniform(-0.12, 0.12)
    pen.line(-0.13, 0.64, -0.19 - swing * 0.5, 0.4, 0.09, shade(top, 0.78))
    pen.disc(-0.19 - swing * 0.5, 0.38, 0.045, 0.045, skin)
    if rng.random() < 0.2:
        pen.rounded(-0.27, 0.42, -0.06, 0.7, 0.05, rng.choice(TOPS))  # a rucksack
    if dress:
        pen.polygon([(-0.12, 0.7), (0.12, 0.7), (0.25, 0.28), (-0.25, 0.28)], top)
        pen.polygon([(0.02, 0.7), (0.12, 0.7), (0.25, 0.28), (0.1, 0.28)], shade(top, 0.86))
    else:
        low = rng.choice((0.36, 0.36, 0.26))
        pen.rounded(-0.17, low, 0.17, 0.72, 0.06, top)
        pen.box(0.06, low + 0.04, 0.17, 0.67, shade(top, 0.86))
        if rng.random() < 0.25:
            for y in (0.44, 0.54, 0.64):
                pen.box(-0.16, y, 0.16, y + 0.04, mix(top, (255, 255, 255), 0.6))
    pen.line(0.13, 0.65, 0.19 + swing, 0.42, 0.09, shade(top, 1.12))
    pen.disc(0.19 + swing, 0.4, 0.045, 0.045, skin)
    if rng.random() < 0.2:
        pen.box(-0.1, 0.68, 0.12, 0.74, rng.choice(TOPS))  # a scarf


def paint_head(pen: Pen, skin: Color, hair: Color, rng: random.Random) -> None:
    """Head, hair and sometimes a hat, facing right."""
    long_hair = rng.random() < 0.4
    if long_hair:
        pen.rounded(-0.16, 0.66, 0.06, 0.96, 0.07, shade(hair, 0.9))
    pen.disc(-0.01, 0.87, 0.15, 0.145, hair)
    pen.disc(0.02, 0.845, 0.125, 0.12, skin)
    pen.polygon([(-0.15, 0.9), (-0.08, 1.0), (0.08, 1.0), (0.14, 0.91)], hair)
    pen.disc(0.075, 0.85, 0.016, 0.02, (44, 36, 36))
    hat = rng.random()
    if hat < 0.12:
        color = rng.choice(TOPS)
        pen.polygon([(-0.15, 0.92), (-0.1, 1.04), (0.08, 1.04), (0.14, 0.92)], color)
        pen.box(0.08, 0.91, 0.24, 0.945, shade(color, 0.8))
    elif hat < 0.24:
        color = rng.choice(TOPS)
        pen.polygon([(-0.15, 0.92), (-0.06, 1.06), (0.06, 1.06), (0.15, 0.92)], color)
        pen.disc(0.0, 1.07, 0.045, 0.045, shade(color, 1.5))


def paint_umbrella(pen: Pen, color: Color) -> None:
    """An open umbrella in the right hand."""
    pen.line(0.2, 0.42, 0.12, 1.3, 0.03, (70, 60, 60))
    arc = [(0.1 + 0.42 * math.cos(a), 1.08 + 0.28 * math.sin(a))
           for a in (i * math.pi / 8 for i in range(9))]  # fmt: skip
    pen.polygon(arc, color)
    pen.polygon([arc[3], arc[4], arc[5], (0.22, 1.08), (-0.02, 1.08)], shade(color, 1.25))


def paint_dog(pen: Pen, rng: random.Random) -> None:
    """A dog 0.75 long and 0.55 high, looking right, tail up."""
    fur = rng.choice(FUR)
    dark = shade(fur, 0.72)
    long = rng.uniform(0.0, 0.1)
    shadow(pen, 0.34, 0.06)
    sway = rng.uniform(-0.04, 0.04)
    for x, tone in ((-0.2 - long, dark), (0.17, dark), (-0.14 - long, fur), (0.23, fur)):
        pen.line(x, 0.24, x + (sway if tone == fur else -sway), 0.0, 0.085, tone)
    tail = rng.uniform(0.1, 0.22)
    pen.line(-0.25 - long, 0.33, -0.38 - long, 0.33 + tail, 0.075, fur, end_width=0.035)
    pen.rounded(-0.3 - long, 0.17, 0.3, 0.4, 0.1, fur)
    if rng.random() < 0.45:
        spot = (246, 242, 236) if sum(fur) < 500 else (92, 66, 50)
        pen.disc(-0.08 - long, 0.31, 0.12, 0.08, spot)
    pen.polygon([(0.14, 0.28), (0.18, 0.52), (0.34, 0.5), (0.32, 0.26)], fur)
    pen.disc(0.31, 0.48, 0.135, 0.125, fur)
    pen.rounded(0.33, 0.37, 0.52, 0.49, 0.045, shade(fur, 1.15))
    pen.disc(0.51, 0.465, 0.032, 0.028, (28, 24, 26))
    if rng.random() < 0.6:
        pen.disc(0.235, 0.45, 0.06, 0.12, dark)
    else:
        pen.polygon([(0.2, 0.54), (0.22, 0.7), (0.32, 0.58)], dark)
    pen.disc(0.36, 0.52, 0.022, 0.024, (24, 20, 22))
    pen.line(0.19, 0.34, 0.33, 0.36, 0.045, rng.choice(TOPS))
