"""A crowded town: three times as many things, which stand in groups, touch, hide each other and look alike.

Here the parts of a model that keep things apart have something to do: people queue in the same clothes, cars are parked
bumper to bumper, small buses look like vans, and what stands among people may be made of stone, and nobody's.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from . import classes as c
from .figures import paint_statue
from .placing import CLUTTER, Kind, Thing, Zone, attempt, fits
from .vehicles import paint_bus, paint_small_bus
from .view import View

MOST = 40  # things: queries, and numbers of the element map, are few
HIDDEN = 0.7  # how much of a thing another may hide
ALIKE = 0.6  # share of the groups whose members wear the same colours
SMALLEST = 0.5  # of a class's smallest unit elsewhere: pictures are twice as large
STATUE = Kind(0.0, (c.SIDEWALK, c.GRASS), 0.28, 1.2, 0.06, 0.44, paint_statue)


class Group(NamedTuple):
    """How many stand together, how far apart (in half widths), and how far out of line (in units)."""

    least: int
    most: int
    near: float
    far: float
    scatter: float


GROUPS: dict[int, Group] = {
    c.CAR: Group(2, 5, 1.2, 2.1, 0.05),
    c.BUS: Group(1, 2, 1.7, 2.2, 0.05),
    c.PERSON: Group(3, 9, 0.8, 1.9, 0.25),
    c.TREE: Group(2, 5, 0.8, 1.6, 0.3),
    c.DOG: Group(2, 5, 0.8, 1.8, 0.3),
    c.LAMP: Group(1, 2, 2.0, 4.0, 0.1),
    c.BALL: Group(3, 7, 0.7, 1.7, 0.3),
    c.SIGN: Group(1, 3, 1.0, 2.5, 0.2),
}


def place_crowded(rng: random.Random, view: View, zones: list[Zone], kinds: dict[int, Kind]) -> list[Thing]:
    """Between a dozen and :data:`MOST` things in groups, and things that only look like them.

    ``kinds`` are those of the view; groups of one class are drawn by its weight there.
    """
    kinds = {class_id: kind._replace(least=kind.least * SMALLEST) for class_id, kind in kinds.items()}
    if kinds[c.BUS].paint is paint_bus:
        kinds[c.BUS] = kinds[c.BUS]._replace(half=0.95, high=0.95, paint=paint_small_bus)
    weights = [kind.weight for kind in kinds.values()]
    wanted = rng.randint(18, MOST)
    things: list[Thing] = []
    for _ in range(wanted):
        if len(things) >= wanted:
            break
        class_id = rng.choices(list(kinds), weights=weights)[0]
        first = attempt(rng, view, zones, kinds[class_id], class_id, things)
        if first:
            things += stand_together(rng, view, first[0], GROUPS[class_id], things, wanted - len(things))
    for kind in (STATUE, STATUE, CLUTTER, CLUTTER):
        things += attempt(rng, view, zones, kind, None, things)
    return things


def stand_together(rng: random.Random, view: View, first: Thing, group: Group, things: list[Thing],
                   room: int) -> list[Thing]:  # fmt: skip
    """``first`` and others of its class in a row to one side of it, as far as ``things`` leave place."""
    look = rng.getrandbits(32) if rng.random() < ALIKE else None
    first = first._replace(look=look)
    found, x, side = [first], first.x, rng.choice((-1, 1))
    for _ in range(min(room, rng.randint(group.least, group.most)) - 1):
        x += side * first.kind.half * first.unit * rng.uniform(group.near, group.far)
        y = first.y + rng.uniform(-1, 1) * group.scatter * first.unit
        flip = first.flip if first.class_id in (c.CAR, c.BUS) else rng.random() < 0.5
        other = first._replace(x=x, y=y, unit=view.unit(y) * rng.uniform(0.92, 1.08), flip=flip)
        seen = 0 < x < view.width and first.kind.least <= other.unit
        if seen and fits(other, [*things, *found], HIDDEN):
            found.append(other)
    return found
