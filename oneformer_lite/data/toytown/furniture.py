"""Trees, lamps, balls and signs, and the unlabelled bins, benches and hydrants between them.

Local units: 1 is the height of a grown person; x right, y up from the foot.
"""

from __future__ import annotations

import math
import random

from .light import Color, hexes, mix, shade
from .pen import Pen
from .vehicles import shadow

LEAVES = hexes("4f9a4a 3c8552 6cae4e 86b84a 2f7a5a")
AUTUMN = hexes("d98a2b c4552d e0b03a")
BLOSSOM = hexes("f0a9bf f7c9d4 e58aa8")
FIR = hexes("2c6a4e 3a7a58 245a52")
TOYS = hexes("e23b3b f5b82e 2e7fd0 f27a2a 8a4fc0 35b07a f4f0e6")
GLOW: Color = (255, 226, 150)


def ring(x: float, y: float, rx: float, ry: float, n: int, turn: float = 0.0):
    """Corners of a regular polygon with ``n`` corners, squeezed to an ellipse."""
    angles = [turn + 2 * math.pi * i / n for i in range(n)]
    return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]


def paint_tree(pen: Pen, rng: random.Random) -> None:
    """One of several species, 1.5 to 2.7 high."""
    shadow(pen, 0.5, 0.11)
    kind = rng.random()
    if kind < 0.25:
        paint_fir(pen, rng)
    elif kind < 0.42:
        paint_poplar(pen, rng)
    else:
        leaves = AUTUMN if kind > 0.9 else BLOSSOM if kind > 0.82 else LEAVES
        paint_round_tree(pen, rng, rng.choice(leaves))


def paint_round_tree(pen: Pen, rng: random.Random, leaf: Color) -> None:
    """A trunk with a cloud of leaves."""
    high = rng.uniform(1.2, 1.75)
    wide = rng.uniform(0.5, 0.72)
    bark = rng.choice(hexes("7a5238 6a4a3a 8d6e56"))
    pen.line(0, 0, 0, high, 0.2, bark, end_width=0.1)
    pen.line(0, high * 0.5, wide * 0.45, high * 0.85, 0.08, bark)
    puffs = [(math.cos(a), math.sin(a)) for a in (rng.uniform(0, 1) + i * 1.05 for i in range(6))]
    for cx, cy in puffs:
        pen.disc(cx * wide * 0.55, high + cy * wide * 0.42, wide * 0.55, wide * 0.5,
                 shade(leaf, 0.8 if cy < 0.2 else 0.92))  # fmt: skip
    pen.disc(0, high, wide * 0.8, wide * 0.68, leaf)
    for cx, cy in ((-0.35, 0.4), (0.15, 0.55), (-0.1, 0.05), (0.4, 0.1)):
        r = wide * rng.uniform(0.16, 0.3)
        pen.disc(cx * wide, high + cy * wide, r, r * 0.85, shade(leaf, 1.16))
    if rng.random() < 0.25 and leaf in LEAVES:
        fruit = rng.choice(hexes("d8402f f0b030 e87a3a"))
        for cx, cy in puffs:
            pen.disc(cx * wide * 0.6, high + cy * wide * 0.45, 0.05, 0.05, fruit)


def paint_fir(pen: Pen, rng: random.Random) -> None:
    """A fir of three or four storeys, with snow if it snows."""
    leaf = rng.choice(FIR)
    storeys = rng.choice((3, 4))
    wide, step = rng.uniform(0.5, 0.66), rng.uniform(0.46, 0.56)
    pen.box(-0.08, 0, 0.08, 0.35, (104, 74, 54))
    for i in range(storeys):
        half, low = wide * (1 - 0.22 * i), 0.25 + i * step * 0.78
        tip = low + step * 1.4
        needles = shade(leaf, 0.9 + 0.08 * i)
        pen.polygon([(-half, low), (0, tip), (half, low), (half * 0.5, low + 0.04),
                     (0, low - 0.03), (-half * 0.5, low + 0.04)], needles)  # fmt: skip
        pen.polygon([(0, tip), (half, low), (half * 0.3, low + 0.02)], shade(leaf, 0.74 + 0.06 * i))
        if pen.light.weather == "snow":
            pen.polygon([(-half * 0.42, low + step * 0.8), (0, tip), (half * 0.3, low + step),
                         (0, low + step * 0.7)], (244, 248, 252))  # fmt: skip


def paint_poplar(pen: Pen, rng: random.Random) -> None:
    """A tall, slim tree."""
    leaf = rng.choice(LEAVES)
    high, half = rng.uniform(1.9, 2.5), rng.uniform(0.3, 0.4)
    pen.box(-0.07, 0, 0.07, 0.6, (110, 80, 60))
    middle = (high + 0.35) / 2
    pen.disc(0, middle, half, high - middle, shade(leaf, 0.82))
    pen.disc(-half * 0.12, middle + 0.04, half * 0.8, (high - middle) * 0.9, leaf)
    pen.disc(-half * 0.3, middle + high * 0.12, half * 0.35, high * 0.2, shade(leaf, 1.14))


def paint_lamp(pen: Pen, rng: random.Random) -> None:
    """A street lamp 1.7 to 2.1 high: lantern, globes or a modern arm."""
    pole = rng.choice(hexes("3a4148 2f4a44 4c4650 5d666e"))
    high = rng.uniform(1.5, 1.8)
    shadow(pen, 0.16, 0.05)
    pen.polygon([(-0.12, 0), (-0.07, 0.2), (0.07, 0.2), (0.12, 0)], pole)
    pen.line(0, 0.1, 0, high, 0.1, pole, end_width=0.075)
    on = pen.light.lamps_on
    glass = GLOW if on else (246, 240, 216)
    kind = rng.random()
    if kind < 0.45:
        pen.polygon([(-0.1, high), (-0.17, high + 0.27), (0.17, high + 0.27), (0.1, high)], glass,
                    lit=on)  # fmt: skip
        pen.polygon([(-0.21, high + 0.26), (0, high + 0.43), (0.21, high + 0.26)], pole)
        pen.box(-0.13, high - 0.03, 0.13, high + 0.03, pole)
        heads = ((0.0, high + 0.14),)
    elif kind < 0.75:
        heads = ((-0.22, high + 0.1), (0.22, high + 0.1))
        pen.box(-0.22, high - 0.1, 0.22, high - 0.03, pole)
        for x, y in heads:
            pen.box(x - 0.035, high - 0.08, x + 0.035, high, pole)
            pen.disc(x, y, 0.15, 0.15, glass, lit=on)
    else:
        pen.line(0, high - 0.06, 0.3, high + 0.16, 0.07, pole)
        pen.polygon([(0.16, high + 0.12), (0.2, high + 0.22), (0.56, high + 0.22),
                     (0.6, high + 0.12)], pole)  # fmt: skip
        pen.box(0.22, high + 0.05, 0.56, high + 0.13, glass, lit=on)
        heads = ((0.39, high + 0.06),)
    for x, y in heads if on else ():
        pen.blob(x, y, 0.85, 0.85, GLOW, 0.62)


def paint_ball(pen: Pen, rng: random.Random) -> None:
    """A toy ball 0.5 across: beach ball, football, striped or dotted."""
    r = rng.uniform(0.22, 0.28)
    a, b = rng.sample(TOYS, 2)
    shadow(pen, r, 0.08)
    pen.disc(0, r, r, r, a)
    kind = rng.random()
    if kind < 0.4:
        for i in range(3):
            turns = [0.5 + i * 2 * math.pi / 3 + j * 0.26 for j in range(5)]
            rim = [(r * 0.97 * math.cos(t), r + r * 0.97 * math.sin(t)) for t in turns]
            pen.polygon([(0, r * 1.15), *rim], b)
    elif kind < 0.6:
        pen.disc(0, r, r, r, (246, 246, 242))
        pen.polygon(ring(0, r, r * 0.36, r * 0.36, 5, 1.57), (40, 42, 48))
        for i in range(5):
            turn = 1.57 + i * 2 * math.pi / 5
            pen.disc(r * 0.8 * math.cos(turn), r + r * 0.8 * math.sin(turn), r * 0.17, r * 0.17,
                     (40, 42, 48))  # fmt: skip
    elif kind < 0.85:
        pen.polygon([(-r * 0.95, r * 0.72), (-r * 0.95, r * 1.28), (r * 0.95, r * 1.28),
                     (r * 0.95, r * 0.72)], b)  # fmt: skip
    pen.disc(-r * 0.35, r * 1.4, r * 0.22, r * 0.17, mix(a, (255, 255, 255), 0.75))


def paint_sign(pen: Pen, rng: random.Random) -> None:
    """A traffic sign 1.3 high: stop, warning, no entry, parking or way."""
    high = rng.uniform(1.0, 1.2)
    r = 0.3
    shadow(pen, 0.12, 0.05)
    pen.line(0, 0, 0, high, 0.085, (152, 158, 164))
    white: Color = (248, 248, 244)
    kind = rng.randrange(5)
    if kind == 3:
        pen.sx = abs(pen.sx)  # letters are not mirrored
    if kind == 0:
        pen.polygon(ring(0, high, r, r, 8, math.pi / 8), white)
        pen.polygon(ring(0, high, r * 0.88, r * 0.88, 8, math.pi / 8), (200, 36, 40))
        pen.box(-r * 0.6, high - r * 0.16, r * 0.6, high + r * 0.16, white)
    elif kind == 1:
        pen.polygon(ring(0, high, r * 1.15, r * 1.1, 3, math.pi / 2), (206, 40, 44))
        pen.polygon(ring(0, high, r * 0.7, r * 0.68, 3, math.pi / 2), (252, 222, 92))
        pen.box(-r * 0.08, high - r * 0.2, r * 0.08, high + r * 0.3, (40, 40, 44))
    elif kind == 2:
        pen.disc(0, high, r, r, (204, 34, 40))
        pen.box(-r * 0.66, high - r * 0.17, r * 0.66, high + r * 0.17, white)
    elif kind == 3:
        pen.rounded(-r * 0.88, high - r * 0.88, r * 0.88, high + r * 0.88, 0.05, (36, 96, 190))
        pen.box(-r * 0.4, high - r * 0.6, -r * 0.12, high + r * 0.6, white)
        pen.disc(r * 0.08, high + r * 0.26, r * 0.36, r * 0.34, white)
        pen.disc(r * 0.08, high + r * 0.26, r * 0.14, r * 0.13, (36, 96, 190))
    else:
        pen.polygon([(-0.4, high - 0.16), (-0.4, high + 0.16), (0.26, high + 0.16), (0.44, high),
                     (0.26, high - 0.16)], (34, 128, 84))  # fmt: skip
        pen.box(-0.32, high - 0.04, 0.24, high + 0.05, white)


def paint_clutter(pen: Pen, rng: random.Random) -> None:
    """Something nobody labelled: a bin, a bench, a hydrant or a flower tub."""
    kind = rng.randrange(4)
    if kind == 0:
        shadow(pen, 0.2, 0.06)
        pen.polygon([(-0.17, 0), (-0.21, 0.5), (0.21, 0.5), (0.17, 0)], (86, 104, 96))
        pen.box(-0.24, 0.48, 0.24, 0.56, (60, 74, 70))
    elif kind == 1:
        shadow(pen, 0.5, 0.07)
        for x in (-0.4, 0.4):
            pen.box(x - 0.04, 0, x + 0.04, 0.3, (66, 66, 72))
        for y in (0.27, 0.4, 0.52):
            pen.box(-0.5, y, 0.5, y + 0.08, (164, 110, 66))
    elif kind == 2:
        shadow(pen, 0.16, 0.05)
        pen.rounded(-0.12, 0, 0.12, 0.42, 0.06, (206, 66, 52))
        pen.box(-0.18, 0.22, 0.18, 0.3, (180, 52, 44))
    else:
        shadow(pen, 0.26, 0.06)
        pen.polygon([(-0.18, 0), (-0.26, 0.3), (0.26, 0.3), (0.18, 0)], (196, 112, 78))
        for i in range(7):
            x = -0.22 + i * 0.073
            pen.disc(x, 0.36 + 0.06 * math.sin(i * 2.3), 0.07, 0.07,
                     rng.choice(hexes("e85a7a f2c23a f4f0f0 6a9a4a")))  # fmt: skip
