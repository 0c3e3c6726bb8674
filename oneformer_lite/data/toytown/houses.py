"""Rows of houses: gables, windows, shops, chimneys, and the hazy town behind them."""

from __future__ import annotations

import random
from typing import NamedTuple

from .light import Color, hexes, mix, shade
from .pen import Pen


class Theme(NamedTuple):
    """Colours that go together: walls, roofs and awnings of one town."""

    walls: tuple[Color, ...]
    roofs: tuple[Color, ...]
    accents: tuple[Color, ...]


THEMES: tuple[Theme, ...] = (
    Theme(hexes("e9b995 df8a6b f2d196 d9a382 f4e3c6"), hexes("a44a3f 8c4a3c"),
          hexes("2f7f79 b23a48")),
    Theme(hexes("b04a40 e0b24c 44708c ece4d4 64907f"), hexes("3d405b 4f4a5e"),
          hexes("e9c46a d8573c")),
    Theme(hexes("9c5f4e b4755e 84584c c79a7b ab8a6c"), hexes("4b4a4f 5c4a46"),
          hexes("d9ae45 3f6b5a")),
    Theme(hexes("f4c9c6 c4d9e6 d6e4c4 f6e1b2 d6c8e2"), hexes("7d7390 8f6f6d"),
          hexes("e07a8b 5fa8a0")),
    Theme(hexes("93a6b0 bac5ca 728896 d6dad6 a6aaa2"), hexes("5a6670 4c5660"),
          hexes("e58a4a 4a90b8")),
)  # fmt: skip
PANE: Color = (122, 158, 182)
LIT = hexes("ffdf8e ffd070 ffeeb8")


def paint_skyline(pen: Pen, rng: random.Random, width: float, base: float, high: float) -> None:
    """Far, hazy blocks that peep out between the houses."""
    color = rng.choice(hexes("8c9cb4 a89cac 9cacac"))
    x = -0.05
    while x < width:
        w, h = rng.uniform(0.06, 0.16), high * rng.uniform(0.45, 1.0)
        pen.box(x, base - h, x + w, base + 0.02, shade(color, rng.uniform(0.92, 1.08)))
        x += w + (rng.uniform(0.02, 0.12) if rng.random() < 0.4 else 0.0)


def paint_row(pen: Pen, rng: random.Random, width: float, base, high: float) -> None:
    """Houses side by side along the line ``base(x)``, up to ``high`` tall, now and then a gap."""
    theme = rng.choice(THEMES)
    gaps = rng.choice((0.0, 0.12, 0.3))
    x = -rng.uniform(0.0, 0.12)
    last: Color | None = None
    billboard = rng.random() < 0.25
    while x < width:
        w, h = rng.uniform(0.14, 0.3), high * rng.uniform(0.5, 1.0)
        wall = rng.choice([c for c in theme.walls if c != last])
        last = wall
        paint_house(pen, rng, theme, wall, (x, x + w), base(x + w / 2), h)
        if billboard and rng.random() < 0.4:
            paint_billboard(pen, rng, x + w / 2, base(x + w / 2) - h * 0.55, w * 0.36)
            billboard = False
        x += w + (rng.uniform(0.03, 0.12) if rng.random() < gaps else 0.0)


def paint_house(pen: Pen, rng: random.Random, theme: Theme, wall: Color,
                span: tuple[float, float], base: float, high: float) -> None:  # fmt: skip
    """One house: wall, roof, windows by the storey, a door or a shop."""
    x0, x1 = span
    w, top = x1 - x0, base - high
    roof = rng.choice(theme.roofs)
    if pen.light.weather == "snow":
        roof = mix(roof, (246, 249, 252), 0.75)
    paint_roof(pen, rng, roof, wall, x0, x1, top)
    pen.box(x0, top, x1, base + 0.03, wall)
    pen.box(x1 - w * 0.1, top, x1, base + 0.03, shade(wall, 0.9))
    storeys = max(1, round((high - 0.08) / 0.075))
    columns = max(2, round(w / 0.065))
    ground = 0.085
    step, pitch = (high - ground - 0.01) / storeys, w / columns
    shutters = rng.choice(theme.accents) if rng.random() < 0.35 else None
    frame = shade(wall, 1.45) if rng.random() < 0.6 else shade(wall, 0.7)
    for row in range(storeys):
        for column in range(columns):
            cx, cy = x0 + (column + 0.5) * pitch, top + (row + 0.55) * step
            paint_window(pen, rng, cx, cy, pitch * 0.23, step * 0.3, frame, shutters)
    if rng.random() < 0.5:
        pen.box(x0, base - ground, x1, base - ground + 0.008, shade(wall, 0.78))
    paint_ground_floor(pen, rng, theme, wall, x0, x1, base)


def paint_roof(pen: Pen, rng: random.Random, roof: Color, wall: Color, x0: float, x1: float,
               top: float) -> None:  # fmt: skip
    """A gable, a mansard, a stepped gable or a flat roof; perhaps a chimney with smoke."""
    w, kind = x1 - x0, rng.random()
    rise = w * rng.uniform(0.25, 0.5)
    if kind < 0.75 and rng.random() < 0.5:
        cx = x0 + w * rng.uniform(0.15, 0.32)
        tip = top - rise * 0.95
        pen.box(cx, tip, cx + 0.022, top, shade(roof, 0.8))
        pen.box(cx - 0.004, tip - 0.008, cx + 0.026, tip, shade(roof, 0.65))
        for i in range(4 if rng.random() < 0.5 else 0):
            pen.blob(cx + 0.012 + 0.012 * i * i * 0.6, tip - 0.02 - 0.028 * i, 0.02 + 0.01 * i,
                     0.02 + 0.008 * i, (236, 236, 238), 0.6 - 0.1 * i)  # fmt: skip
    if kind < 0.35:
        pen.polygon([(x0 - 0.008, top), ((x0 + x1) / 2, top - rise), (x1 + 0.008, top)], roof)
        pen.disc((x0 + x1) / 2, top - rise * 0.38, w * 0.06, w * 0.06, shade(wall, 1.3))
    elif kind < 0.6:
        pen.polygon([(x0 - 0.006, top), (x0 + w * 0.14, top - rise * 0.8),
                     (x1 - w * 0.14, top - rise * 0.8), (x1 + 0.006, top)], roof)  # fmt: skip
        for t in (0.32, 0.62):
            paint_window(pen, rng, x0 + w * t + 0.01, top - rise * 0.3, 0.013, 0.017,
                         shade(wall, 1.3), None)  # fmt: skip
    elif kind < 0.75:
        for i in range(4):
            pen.box(x0 + w * 0.12 * i, top - rise * 0.26 * (i + 1), x1 - w * 0.12 * i, top, wall)
    else:
        pen.box(x0 - 0.005, top - 0.014, x1 + 0.005, top + 0.006, shade(wall, 0.75))


def paint_window(pen: Pen, rng: random.Random, x: float, y: float, rx: float, ry: float,
                 frame: Color, shutters: Color | None) -> None:  # fmt: skip
    """A window centred at (x, y) with half sizes (rx, ry); at dusk somebody may be at home."""
    if shutters:
        pen.box(x - rx * 1.8, y - ry, x + rx * 1.8, y + ry, shutters)
    pen.box(x - rx * 1.2, y - ry * 1.15, x + rx * 1.2, y + ry * 1.15, frame)
    if rng.random() < pen.light.windows_lit:
        pen.box(x - rx, y - ry, x + rx, y + ry, rng.choice(LIT), lit=True)
    else:
        pen.box(x - rx, y - ry, x + rx, y + ry, PANE)
        pen.box(x - rx, y - ry, x, y - ry * 0.1, shade(PANE, 1.25))


def paint_ground_floor(pen: Pen, rng: random.Random, theme: Theme, wall: Color, x0: float,
                       x1: float, base: float) -> None:  # fmt: skip
    """A door with two windows, or a shop with an awning."""
    w = x1 - x0
    at = rng.choice((0.2, 0.5, 0.78))
    lit = pen.light.lamps_on
    if rng.random() < 0.45:
        pen.box(x0 + w * 0.08, base - 0.055, x1 - w * 0.08, base - 0.004, shade(wall, 0.55))
        pen.box(x0 + w * 0.11, base - 0.05, x1 - w * 0.11, base - 0.008,
                (255, 230, 168) if lit else (176, 204, 214), lit=lit)  # fmt: skip
        stripe = rng.choice(theme.accents)
        n = max(4, round(w / 0.03))
        for i in range(n):
            left = x0 + w * (0.04 + 0.92 * i / n)
            pen.box(left, base - 0.074, left + w * 0.92 / n, base - 0.05,
                    stripe if i % 2 == 0 else (246, 240, 230))  # fmt: skip
    else:
        frame = shade(wall, 1.3)
        for t in (0.2, 0.5, 0.78):
            if t != at:
                paint_window(pen, rng, x0 + w * t, base - 0.042, 0.014, 0.02, frame, None)
    door = x0 + w * at
    pen.box(door - 0.016, base - 0.06, door + 0.016, base, shade(rng.choice(theme.accents), 0.8))
    pen.disc(door + 0.009, base - 0.028, 0.003, 0.003, (240, 210, 120))


def paint_billboard(pen: Pen, rng: random.Random, x: float, y: float, half: float) -> None:
    """An advertisement with a painted car or ball: it belongs to the building."""
    pen.box(x - half, y - half * 0.6, x + half, y + half * 0.6, (70, 72, 80))
    paper, ink = rng.sample(hexes("f6e7c8 d94f45 3d7ea6 f2c14e 5aa17f"), 2)
    pen.box(x - half * 0.94, y - half * 0.54, x + half * 0.94, y + half * 0.54, paper)
    if rng.random() < 0.5:
        pen.disc(x, y, half * 0.36, half * 0.36, ink)
        pen.disc(x - half * 0.12, y - half * 0.12, half * 0.1, half * 0.1, (255, 255, 255))
    else:
        pen.polygon([(x - half * 0.4, y + 0.0), (x - half * 0.25, y - half * 0.3),
                     (x + half * 0.2, y - half * 0.3), (x + half * 0.4, y)], ink)  # fmt: skip
        pen.box(x - half * 0.6, y - half * 0.02, x + half * 0.62, y + half * 0.24, ink)
        for side in (-0.34, 0.36):
            pen.disc(x + half * side, y + half * 0.26, half * 0.13, half * 0.13, (40, 40, 46))
