"""A street seen along its middle: one vanishing point, houses on both sides.

Ground points are given as (lateral, unit): how many person heights to the right of the camera, and
how tall a person standing there is in the picture. Both coordinates fix the place, because the
camera hangs at a constant height: x = vanish + lateral * unit, y = horizon + height * unit.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from . import classes as c
from .houses import LIT, PANE, THEMES, paint_row
from .land import ASPHALT, LAWN, PAINT, PAVING, element_of, frosted, paint_sky, tuft
from .light import Color, mix, shade
from .pen import Pen, Point
from .view import View

FAR_UNIT = 0.085  # where the street ends


class Lane(NamedTuple):
    """A strip of ground that runs away from us between two lateral positions."""

    class_id: int
    view: View
    left: float
    right: float

    def spot(self, rng: random.Random, class_id: int) -> Point:
        """A place (x, y) for a thing of this class; vehicles drive in the middle of the lane."""
        unit = FAR_UNIT + (self.view.near_unit - FAR_UNIT) * rng.uniform(0.12, 1.0)
        share = rng.uniform(0.42, 0.58) if class_id in (c.CAR, c.BUS) else rng.uniform(0.2, 0.85)
        lateral = self.left + (self.right - self.left) * share
        return ground(self.view, lateral, unit)


def ground(view: View, lateral: float, unit: float, above: float = 0.0) -> Point:
    """The picture's point ``above`` person heights over a ground point."""
    return view.vanish + lateral * unit, view.horizon + (view.camera - above) * unit


def quad(view: View, left: float, right: float, near: float, far: float) -> list[Point]:
    """A strip of ground between two lateral positions and two distances (as units)."""
    return [ground(view, left, near), ground(view, right, near), ground(view, right, far),
            ground(view, left, far)]  # fmt: skip


def lay_avenue(rng: random.Random, view: View) -> list[Lane]:
    """Two lanes of road, and on each side a pavement and perhaps a lawn."""
    kerb = rng.uniform(1.15, 1.4)
    lanes = [Lane(c.ROAD, view, 0.0, kerb), Lane(c.ROAD, view, -kerb, 0.0)]
    for side in (-1, 1):
        edge = kerb
        order = [c.SIDEWALK, c.GRASS] if rng.random() < 0.75 else [c.GRASS, c.SIDEWALK]
        for class_id in order:
            wide = rng.uniform(0.55, 0.95)
            left, right = sorted((side * edge, side * (edge + wide)))
            lanes.append(Lane(class_id, view, left, right))
            edge += wide
    return lanes


def paint_avenue(pen: Pen, rng: random.Random, view: View, lanes: list[Lane]) -> None:
    """Sky, the town at the end, the ground and the houses along the street."""
    end = ground(view, 0, FAR_UNIT)[1]
    pen.world(element_of(c.SKY))
    paint_sky(pen, rng, view.width, end + 0.02)
    pen.world(element_of(c.BUILDING), 0.9)
    paint_row(pen, rng, view.width, lambda x: end, end * rng.uniform(0.2, 0.4))
    lawn, slab, asphalt = rng.choice(LAWN), rng.choice(PAVING), rng.choice(ASPHALT)
    colors = {c.GRASS: frosted(pen.light, lawn, 0.55), c.SIDEWALK: frosted(pen.light, slab, 0.5),
              c.ROAD: frosted(pen.light, asphalt, 0.12)}  # fmt: skip
    left, right = min(lane.left for lane in lanes), max(lane.right for lane in lanes)
    pen.world(element_of(c.GRASS), 0.4)
    for edge in (left, right):
        pen.polygon(quad(view, edge, edge * 20, 1.0, FAR_UNIT), shade(colors[c.GRASS], 0.9))
    for lane in lanes:
        pen.world(element_of(lane.class_id), 0.3)
        pen.polygon(quad(view, lane.left, lane.right, 1.0, FAR_UNIT), colors[lane.class_id])
        if lane.class_id == c.SIDEWALK:
            pave(pen, view, lane, colors[c.SIDEWALK])
        elif lane.class_id == c.GRASS:
            for _ in range(14):
                unit = rng.uniform(FAR_UNIT * 1.3, view.near_unit)
                tuft(pen, rng, *ground(view, rng.uniform(lane.left, lane.right), unit),
                     unit * 0.05, colors[c.GRASS])  # fmt: skip
    mark_road(pen, rng, view, max(lane.right for lane in lanes if lane.class_id == c.ROAD))
    theme = rng.choice(THEMES)
    pen.world(element_of(c.BUILDING), 0.5)
    for edge in (left, right):
        paint_side(pen, rng, view, edge, theme)


def pave(pen: Pen, view: View, lane: Lane, slab: Color) -> None:
    """Joints across a pavement, and its kerbs."""
    for far, near in distances(0.45, 0.9):
        pen.polygon(quad(view, lane.left, lane.right, near, far), shade(slab, 0.88))
    kerb = lane.left if lane.left > 0 else lane.right - 0.09
    pen.polygon(quad(view, kerb, kerb + 0.09, 1.0, FAR_UNIT), shade(slab, 0.74))


def mark_road(pen: Pen, rng: random.Random, view: View, kerb: float) -> None:
    """A dashed middle line, edge lines, perhaps a crossing."""
    pen.world(element_of(c.ROAD), 0.3)
    paint = mix(ASPHALT[0], PAINT, 0.8)
    for far, near in distances(0.9, 0.5):
        pen.polygon(quad(view, -0.04, 0.04, near, far), paint)
    for edge in (-kerb * 0.94, kerb * 0.9):
        pen.polygon(quad(view, edge, edge + 0.05, 1.0, FAR_UNIT), mix(ASPHALT[0], PAINT, 0.55))
    if rng.random() < 0.4:
        near = rng.uniform(0.15, 0.34)
        for i in range(6):
            left = -kerb * 0.85 + i * kerb * 0.3
            pen.polygon(quad(view, left, left + kerb * 0.16, near, near * 0.78), paint)


def distances(period: float, share: float) -> list[tuple[float, float]]:
    """(far, near) units of dashes every ``period`` person heights; ``share`` of it is gap."""
    spans, z = [], 1.2
    while z < 1 / FAR_UNIT:
        spans.append((max(FAR_UNIT, 1 / (z + period * (1 - share))), 1 / z))
        z += period
    return spans


def paint_side(pen: Pen, rng: random.Random, view: View, lateral: float, theme) -> None:
    """The houses on one side, the far ones first so that the near ones cover them."""
    houses, z = [], 0.8
    while z < 1 / FAR_UNIT:
        deep = rng.uniform(1.4, 2.6)
        houses.append((z, min(z + deep, 1 / FAR_UNIT), rng.uniform(2.4, 4.2)))
        z += deep + (rng.uniform(0.3, 0.8) if rng.random() < 0.2 else 0.0)
    for near, far, high in reversed(houses):
        paint_front(pen, rng, view, lateral, near, far, high, theme)


def paint_front(pen: Pen, rng: random.Random, view: View, lateral: float, near: float, far: float,
                high: float, theme) -> None:  # fmt: skip
    """One house along the street: its end wall towards us, its front, windows and door."""
    wall, roof = rng.choice(theme.walls), rng.choice(theme.roofs)
    side = 1 if lateral > 0 else -1
    corner, foot = ground(view, lateral, 1 / near, high), ground(view, lateral, 1 / near)
    edge = view.width + 0.1 if side > 0 else -0.1
    if (corner[0] - edge) * side < 0:
        pen.polygon([corner, (edge, corner[1]), (edge, foot[1]), foot], shade(wall, 0.72))
        pen.polygon([corner, (edge, corner[1]), (edge, corner[1] - 0.012),
                     (corner[0], corner[1] - 0.012)], shade(roof, 0.8))  # fmt: skip

    def panel(z0: float, z1: float, low: float, top: float, color: Color,
              lit: bool = False) -> None:  # fmt: skip
        pen.polygon([ground(view, lateral, 1 / z0, low), ground(view, lateral, 1 / z1, low),
                     ground(view, lateral, 1 / z1, top), ground(view, lateral, 1 / z0, top)],
                    color, lit)  # fmt: skip

    panel(near, far, 0.0, high, wall if side < 0 else shade(wall, 0.88))
    panel(near, far, high, high + 0.16, roof)
    columns = max(2, round((far - near) / 0.55))
    pitch = (far - near) / columns
    for column in range(columns):
        z = near + (column + 0.5) * pitch
        for row in range(int((high - 1.0) / 0.72)):
            low = 1.15 + row * 0.72
            panel(z - 0.17, z + 0.17, low - 0.05, low + 0.47, shade(wall, 1.4))
            lit = rng.random() < pen.light.windows_lit
            panel(z - 0.13, z + 0.13, low, low + 0.42, rng.choice(LIT) if lit else PANE, lit)
    door = near + (rng.randrange(columns) + 0.5) * pitch
    panel(near + 0.1, far - 0.1, 0.85, 0.97, rng.choice(theme.accents))
    panel(door - 0.16, door + 0.16, 0.0, 0.75, shade(rng.choice(theme.accents), 0.75))
