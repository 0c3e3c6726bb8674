"""Which things stand where: sizes, lanes, groups that touch, and a fair view of each."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple, Protocol

from . import classes as c
from .figures import paint_crowd, paint_dog, paint_person
from .furniture import paint_ball, paint_clutter, paint_lamp, paint_sign, paint_tree
from .pen import Pen, Point
from .vehicles import paint_bus, paint_bus_front, paint_car, paint_car_front
from .view import View

Paint = Callable[[Pen, random.Random], None]


class Zone(Protocol):
    """A piece of ground of one class that knows where things may stand on it."""

    @property
    def class_id(self) -> int:
        """Its kind of ground."""

    def spot(self, rng: random.Random, class_id: int) -> Point:
        """A place (x, y) for a thing of this class."""


class Kind(NamedTuple):
    """How often a class comes, where it stands, and the box it needs (half width, height)."""

    weight: float
    ground: tuple[int, ...]
    half: float
    high: float
    least: float  # smallest and largest unit: above a fair number of pixels, below a screenful
    most: float
    paint: Paint


class Thing(NamedTuple):
    """A thing to paint; (x, y) is where it touches the ground, ``unit`` a person's height."""

    kind: Kind
    class_id: int | None  # None: something nobody labelled
    x: float
    y: float
    unit: float
    flip: bool
    is_crowd: bool = False
    look: int | None = None  # what its colours are drawn from, where others wear the same


WALKS = (c.SIDEWALK, c.SIDEWALK, c.GRASS, c.ROAD)
KINDS: dict[int, Kind] = {
    c.CAR: Kind(1.4, (c.ROAD,), 0.87, 0.75, 0.10, 0.36, paint_car),
    c.BUS: Kind(1.5, (c.ROAD,), 1.5, 1.25, 0.08, 0.27, paint_bus),
    c.PERSON: Kind(1.8, WALKS, 0.22, 1.0, 0.125, 0.44, paint_person),
    c.TREE: Kind(1.2, (c.GRASS, c.GRASS, c.SIDEWALK), 0.6, 2.1, 0.09, 0.34, paint_tree),
    c.DOG: Kind(0.9, (c.SIDEWALK, c.GRASS), 0.42, 0.6, 0.16, 0.46, paint_dog),
    c.LAMP: Kind(0.95, (c.SIDEWALK,), 0.2, 2.0, 0.12, 0.34, paint_lamp),
    c.BALL: Kind(0.8, (c.GRASS, c.SIDEWALK, c.ROAD), 0.25, 0.5, 0.17, 0.46, paint_ball),
    c.SIGN: Kind(0.95, (c.SIDEWALK, c.GRASS), 0.3, 1.4, 0.12, 0.36, paint_sign),
}
ONCOMING: dict[int, Kind] = KINDS | {  # in an avenue the traffic comes towards us
    c.CAR: KINDS[c.CAR]._replace(half=0.48, most=0.42, paint=paint_car_front),
    c.BUS: KINDS[c.BUS]._replace(half=0.56, high=1.45, most=0.36, paint=paint_bus_front),
}
CLUTTER = Kind(0.0, (c.SIDEWALK, c.GRASS), 0.4, 0.5, 0.14, 0.4, paint_clutter)
CROWD = Kind(0.0, (c.SIDEWALK, c.GRASS), 0.95, 1.15, 0.12, 0.24, paint_crowd)


def place_things(rng: random.Random, view: View, zones: list[Zone],
                 kinds: dict[int, Kind]) -> list[Thing]:  # fmt: skip
    """Between 1 and 12 things that leave each other a fair share of the picture."""
    wanted = rng.choices(range(1, 11), weights=(4, 9, 14, 16, 16, 13, 10, 7, 5, 3))[0]
    classes, weights = list(kinds), [kind.weight for kind in kinds.values()]
    things: list[Thing] = []
    for _ in range(6 if rng.random() < 0.07 else 0):
        things = things or attempt(rng, view, zones, CROWD, c.PERSON, things, is_crowd=True)
    for _ in range(wanted * 5):
        if len(things) >= wanted:
            break
        class_id = rng.choices(classes, weights=weights)[0]
        found = attempt(rng, view, zones, kinds[class_id], class_id, things)
        things += found
        if found and rng.random() < 0.32:
            room = min(12, wanted + 2) - len(things)
            things += companions(rng, view, found[0], things, room)
    for _ in range(rng.choice((0, 0, 1, 2))):
        things += attempt(rng, view, zones, CLUTTER, None, things)
    return things


def attempt(rng: random.Random, view: View, zones: list[Zone], kind: Kind, class_id: int | None,
            things: list[Thing], is_crowd: bool = False) -> list[Thing]:  # fmt: skip
    """One thing of this kind, or none if the place drawn for it does not suit."""
    ground = rng.choice(kind.ground)
    choices = [zone for zone in zones if zone.class_id == ground]
    if not choices:
        return []
    x, y = rng.choice(choices).spot(rng, c.SIGN if class_id is None else class_id)
    unit = view.unit(y)
    grown = unit * rng.uniform(0.92, 1.08)
    thing = Thing(kind, class_id, x, y, grown, rng.random() < 0.5, is_crowd)
    visible = 0 < x < view.width and kind.least <= unit <= kind.most
    return [thing] if visible and fits(thing, things) else []


def companions(rng: random.Random, view: View, first: Thing, things: list[Thing],
               room: int) -> list[Thing]:  # fmt: skip
    """One or two more of the same class, close enough to touch or overlap the first."""
    if first.class_id not in (c.CAR, c.PERSON, c.TREE, c.DOG, c.BALL):
        return []
    found: list[Thing] = []
    side, most = rng.choice((-1, 1)), rng.choice((1, 1, 2))
    if first.kind is ONCOMING[c.CAR]:  # towards the other lane, not onto the pavement
        side, most = (1 if first.x < view.vanish else -1), 1
    for i in range(min(room, most)):
        x = first.x + side * (i + 1) * first.kind.half * first.unit * rng.uniform(1.1, 1.9)
        y = first.y + rng.uniform(-0.02, 0.02) * (1 if first.class_id == c.CAR else 2)
        flip = first.flip if first.class_id == c.CAR else rng.random() < 0.5
        other = first._replace(x=x, y=y, unit=view.unit(y), flip=flip)
        if other.unit >= first.kind.least and fits(other, [*things, *found], 0.6):
            found.append(other)
    return found


def box_of(thing: Thing) -> tuple[float, float, float, float]:
    """The box x0, y0, x1, y1 a thing fills, roughly."""
    half, high = thing.kind.half * thing.unit, thing.kind.high * thing.unit
    return thing.x - half, thing.y - high, thing.x + half, thing.y


def fits(new: Thing, things: list[Thing], limit: float = 0.45) -> bool:
    """Whether ``new`` hides no more than ``limit`` of another thing, nor is hidden more itself."""
    a = box_of(new)
    for old in things:
        b = box_of(old)
        wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
        if wide <= 0 or high <= 0:
            continue
        back = a if new.y < old.y else b
        if wide * high > limit * (back[2] - back[0]) * (back[3] - back[1]):
            return False
    return True
