"""Cars and buses, seen from the side or from the front.

Local units: 1 is the height of a person standing at the same spot; x to the right (the way the
vehicle drives), y up, the origin on the ground below the middle.
"""

from __future__ import annotations

import random

from .light import Color, hexes, mix, shade
from .pen import Pen

CAR_PAINT = hexes("d8433b 2f6db5 f2c230 f4f1ea 3a3f4a 4fa08a e8833a 8fb8d8 b04a78 9aa2a8 7c9a3c")
BUS_PAINT = hexes("c8332e 1f8a8a f0b323 3b6fb6 6a9a3e e9e4d8")
GLASS: Color = (164, 204, 224)
DARK_GLASS: Color = (74, 98, 118)
TYRE: Color = (38, 38, 44)
LAMP_ON: Color = (255, 240, 176)
TAIL_LIGHT: Color = (214, 40, 44)


def wheel(pen: Pen, x: float, r: float) -> None:
    """A wheel standing on the ground at ``x``."""
    pen.disc(x, r, r, r, TYRE)
    pen.disc(x, r, r * 0.52, r * 0.52, (192, 196, 202))
    pen.disc(x, r, r * 0.2, r * 0.2, (96, 98, 106))


def shadow(pen: Pen, half: float, reach: float = 0.1) -> None:
    """A soft shadow on the ground, ``half`` as wide as the thing."""
    pen.blob(0.04, 0.01, half * 1.45, reach * 1.9, (20, 22, 40), pen.light.shadow * 2.2)


def headlight(pen: Pen, x: float, y: float, r: float) -> None:
    """A front light; at dusk it shines."""
    on = pen.light.lamps_on
    pen.disc(x, y, r, r, LAMP_ON if on else (250, 244, 214), lit=on)
    if on:
        pen.blob(x, y, r * 4.5, r * 4.5, LAMP_ON, 0.6)


def hood(kind: str) -> list[tuple[float, float]]:
    """Corners of the cabin (rear foot, rear roof, front roof, front foot) by kind of car."""
    return {
        "sedan": [(-0.52, 0.44), (-0.36, 0.72), (0.20, 0.72), (0.46, 0.44)],
        "hatch": [(-0.74, 0.44), (-0.64, 0.73), (0.12, 0.73), (0.42, 0.44)],
        "beetle": [(-0.62, 0.40), (-0.30, 0.76), (0.16, 0.76), (0.44, 0.42)],
        "van": [(-0.80, 0.44), (-0.78, 0.86), (0.34, 0.86), (0.62, 0.46)],
    }[kind]


def paint_car(pen: Pen, rng: random.Random) -> None:
    """A car from the side: 1.7 long, 0.72 to 0.86 high."""
    body = rng.choice(CAR_PAINT)
    kind = rng.choice(("sedan", "sedan", "hatch", "beetle", "van"))
    taxi = kind == "sedan" and rng.random() < 0.25
    body = (244, 196, 48) if taxi else body
    roof = (246, 243, 236) if kind in ("beetle", "hatch") and rng.random() < 0.4 else body
    shadow(pen, 0.88)
    cabin = hood(kind)
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = cabin
    pen.polygon([(ax - 0.03, ay), (bx - 0.02, by), (bx + 0.04, by + 0.04), (cx - 0.04, cy + 0.04),
                 (cx + 0.02, cy), (dx + 0.03, dy)], roof)  # fmt: skip
    pen.polygon([(-0.85, 0.16), (-0.87, 0.36), (-0.8, 0.46), (0.5, 0.48), (0.78, 0.43),
                 (0.87, 0.32), (0.86, 0.16)], body)  # fmt: skip
    pen.polygon([(-0.86, 0.16), (-0.865, 0.25), (0.865, 0.25), (0.86, 0.16)], shade(body, 0.72))
    pen.polygon([(-0.8, 0.45), (0.5, 0.47), (0.76, 0.42), (0.6, 0.415), (-0.8, 0.41)],
                shade(body, 1.3))  # fmt: skip
    glass = GLASS if rng.random() < 0.7 else DARK_GLASS
    middle = (bx + cx) / 2
    pen.polygon([(ax + 0.09, ay + 0.02), (bx + 0.06, by - 0.03), (middle - 0.03, by - 0.03),
                 (middle - 0.03, ay + 0.02)], glass)  # fmt: skip
    pen.polygon([(middle + 0.03, dy + 0.02), (middle + 0.03, cy - 0.03), (cx - 0.03, cy - 0.03),
                 (dx - 0.07, dy + 0.02)], shade(glass, 0.9))  # fmt: skip
    pen.line(middle - 0.1, 0.38, middle - 0.02, 0.38, 0.03, shade(body, 0.6))
    pen.box(-0.89, 0.17, -0.8, 0.22, (110, 114, 122))
    pen.box(0.8, 0.17, 0.89, 0.22, (110, 114, 122))
    pen.box(-0.87, 0.3, -0.8, 0.38, TAIL_LIGHT, lit=pen.light.lamps_on)
    if taxi:
        pen.rounded(-0.16, 0.76, 0.06, 0.84, 0.02, (250, 250, 240), lit=pen.light.lamps_on)
        for i in range(8):
            pen.box(-0.5 + i * 0.12, 0.3, -0.44 + i * 0.12, 0.34, (40, 40, 40))
    elif rng.random() < 0.15:
        pen.box(-0.4, by + 0.05, 0.1, by + 0.14, (150, 104, 62))  # luggage on the roof
        pen.box(-0.3, by + 0.12, -0.02, by + 0.2, (96, 120, 86))
    wheel(pen, -0.52, 0.17)
    wheel(pen, 0.53, 0.17)
    headlight(pen, 0.83, 0.34, 0.05)


def paint_bus(pen: Pen, rng: random.Random) -> None:
    """A bus from the side: 3 long, 1.2 high, or 1.75 with an upper deck."""
    body = rng.choice(BUS_PAINT)
    trim = rng.choice(hexes("f7f3e6 f2c84b 2b3a55"))
    trim = (247, 243, 230) if trim == body else trim
    double = rng.random() < 0.3
    top = 1.72 if double else 1.2
    shadow(pen, 1.5, 0.13)
    pen.rounded(-1.5, 0.15, 1.5, top, 0.1, body)
    pen.box(-1.4, top - 0.07, 1.4, top - 0.02, shade(body, 1.35))
    pen.box(-1.5, 0.15, 1.5, 0.27, shade(body, 0.65))
    pen.box(-1.5, 0.42, 1.5, 0.49, trim)
    lit = pen.light.lamps_on
    glass = (255, 226, 150) if lit else GLASS
    for deck in (0.6, 1.15) if double else (0.6,):
        for i in range(6):
            x = -1.38 + i * 0.4
            pen.box(x, deck, x + 0.34, deck + 0.4, glass, lit=lit)
            if not lit:
                pen.polygon([(x + 0.06, deck), (x + 0.2, deck + 0.4), (x + 0.28, deck + 0.4),
                             (x + 0.14, deck)], shade(glass, 1.4))  # fmt: skip
            elif rng.random() < 0.5:
                pen.disc(x + 0.17, deck + 0.14, 0.08, 0.12, (90, 70, 70))  # a passenger
    pen.box(1.05, 0.27, 1.27, 1.02, shade(body, 0.5))  # the door
    pen.box(1.08, 0.34, 1.24, 0.98, glass, lit=lit)
    pen.box(1.34, 0.58, 1.5, 1.06, shade(glass, 0.85), lit=lit)
    pen.rounded(0.3, top - 0.2, 1.0, top - 0.06, 0.03, (36, 38, 44))
    pen.box(0.38, top - 0.16, 0.9, top - 0.1, (255, 184, 62), lit=True)  # where it goes
    pen.box(-1.5, 0.32, -1.44, 0.42, TAIL_LIGHT, lit=lit)
    wheel(pen, -0.9, 0.2)
    wheel(pen, 0.86, 0.2)
    headlight(pen, 1.44, 0.34, 0.06)


def paint_small_bus(pen: Pen, rng: random.Random) -> None:
    """A bus no longer than a van, 1.9 by 0.95, in a car's colours: four windows and a lit line of text tell it."""
    body = rng.choice(CAR_PAINT)
    lit = pen.light.lamps_on
    glass = (255, 226, 150) if lit else GLASS
    shadow(pen, 0.95)
    pen.rounded(-0.95, 0.14, 0.95, 0.95, 0.09, body)
    pen.box(-0.95, 0.14, 0.95, 0.24, shade(body, 0.7))
    for i in range(4):
        pen.box(-0.86 + i * 0.43, 0.45, -0.5 + i * 0.43, 0.76, glass, lit=lit)
    pen.box(0.86, 0.42, 0.95, 0.78, shade(glass, 0.85), lit=lit)
    pen.box(-0.2, 0.81, 0.6, 0.88, (36, 38, 44))
    pen.box(-0.12, 0.83, 0.52, 0.865, (255, 184, 62), lit=True)
    pen.box(-0.95, 0.28, -0.9, 0.36, TAIL_LIGHT, lit=lit)
    wheel(pen, -0.58, 0.17)
    wheel(pen, 0.58, 0.17)
    headlight(pen, 0.9, 0.32, 0.05)


def face(pen: Pen, body: Color, half: float, top: float, belt: float) -> None:
    """What the fronts of cars and buses share: tyres, body, windscreen, grille, lights, plate."""
    for x in (-half * 0.72, half * 0.72):
        pen.box(x - half * 0.17, 0.0, x + half * 0.17, 0.24, TYRE)
    pen.rounded(-half, 0.12, half, belt, 0.06, body)
    pen.box(-half, 0.12, half, 0.22, shade(body, 0.65))
    lean, hips = half * 0.86, belt - 0.04
    pen.polygon([(-half * 0.96, hips), (-lean, top), (lean, top), (half * 0.96, hips)],
                shade(body, 0.95))  # fmt: skip
    pen.polygon([(-lean, belt), (-lean * 0.92, top - 0.06), (lean * 0.92, top - 0.06),
                 (lean, belt)], GLASS)  # fmt: skip
    pen.polygon([(-lean * 0.5, belt), (-lean * 0.2, top - 0.06), (lean * 0.1, top - 0.06),
                 (-lean * 0.2, belt)], mix(GLASS, (255, 255, 255), 0.45))  # fmt: skip
    pen.box(-half * 0.45, 0.27, half * 0.45, 0.34, (52, 54, 62))
    pen.box(-half * 0.22, 0.15, half * 0.22, 0.21, (240, 236, 220))
    headlight(pen, -half * 0.74, 0.32, 0.065)
    headlight(pen, half * 0.74, 0.32, 0.065)


def paint_car_front(pen: Pen, rng: random.Random) -> None:
    """A car that comes towards us: 0.9 wide, 0.75 high."""
    shadow(pen, 0.48)
    face(pen, rng.choice(CAR_PAINT), 0.45, 0.76, 0.46)
    for x in (-0.5, 0.5):
        pen.disc(x, 0.5, 0.05, 0.04, (60, 62, 70))


def paint_bus_front(pen: Pen, rng: random.Random) -> None:
    """A bus that comes towards us: 1.1 wide, 1.45 high."""
    body = rng.choice(BUS_PAINT)
    shadow(pen, 0.6, 0.13)
    face(pen, body, 0.54, 1.4, 0.62)
    pen.rounded(-0.54, 1.2, 0.54, 1.46, 0.06, body)
    pen.box(-0.36, 1.26, 0.36, 1.38, (36, 38, 44))
    pen.box(-0.28, 1.29, 0.26, 1.35, (255, 184, 62), lit=True)
    pen.box(-0.54, 0.44, 0.54, 0.5, (247, 243, 230))
