"""A scene: where the ground lies, what stands on it, and in which order it is painted.

Everything is drawn from one ``random.Random`` and measured in world units, so a scene is the same
at every size. Element 0 is void, 1 to 6 are the six kinds of stuff, from 7 on each thing has its
own number; :attr:`Scene.elements` says what each is.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from . import classes as c
from .figures import paint_dog, paint_person
from .furniture import paint_ball, paint_clutter, paint_lamp, paint_sign, paint_tree
from .houses import paint_row, paint_skyline
from .land import (
    paint_grass,
    paint_ripples,
    paint_road,
    paint_sidewalk,
    paint_sky,
    paint_water,
)
from .light import Light, choose_light
from .pen import Pen, Stroke
from .vehicles import paint_bus, paint_car

STUFF = (c.SKY, c.BUILDING, c.ROAD, c.SIDEWALK, c.GRASS, c.WATER)
FIRST_THING = 1 + len(STUFF)


class Element(NamedTuple):
    """What a number in the element map stands for; ``class_id`` None is void."""

    class_id: int | None
    is_crowd: bool = False


@dataclass(frozen=True)
class Scene:
    """A display list with the meaning of its elements."""

    strokes: tuple[Stroke, ...]
    elements: tuple[Element, ...]
    light: Light
    texture: tuple[float, float]  # where the texture tiles are cut, in tile widths


class Zone(NamedTuple):
    """A strip of ground between two lines y(x)."""

    class_id: int
    top: Callable[[float], float]
    bottom: Callable[[float], float]


class Thing(NamedTuple):
    """A thing to paint; (x, y) is where it touches the ground, ``unit`` a person's height."""

    class_id: int | None
    x: float
    y: float
    unit: float
    flip: bool
    paint: Callable[[Pen, random.Random], None]


class Kind(NamedTuple):
    """How often a class comes, where it stands, and the box it needs (half width, height)."""

    weight: float
    ground: tuple[int, ...]
    half: float
    high: float
    least: float  # smallest unit at which it still shows a fair number of pixels
    paint: Callable[[Pen, random.Random], None]


KINDS: dict[int, Kind] = {
    c.CAR: Kind(1.5, (c.ROAD,), 0.87, 0.75, 0.1, paint_car),
    c.BUS: Kind(0.45, (c.ROAD,), 1.5, 1.25, 0.08, paint_bus),
    c.PERSON: Kind(1.9, (c.SIDEWALK, c.SIDEWALK, c.GRASS, c.ROAD), 0.22, 1.0, 0.125, paint_person),
    c.TREE: Kind(1.1, (c.GRASS, c.GRASS, c.SIDEWALK), 0.6, 2.1, 0.09, paint_tree),
    c.DOG: Kind(0.8, (c.SIDEWALK, c.GRASS), 0.42, 0.6, 0.16, paint_dog),
    c.LAMP: Kind(0.85, (c.SIDEWALK,), 0.2, 2.0, 0.12, paint_lamp),
    c.BALL: Kind(0.7, (c.GRASS, c.SIDEWALK, c.ROAD), 0.25, 0.5, 0.17, paint_ball),
    c.SIGN: Kind(0.65, (c.SIDEWALK, c.GRASS), 0.3, 1.4, 0.12, paint_sign),
}

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


class View(NamedTuple):
    """The camera: things at height y in the picture are ``unit(y)`` tall."""

    width: float
    horizon: float
    near_unit: float

    def depth(self, y: float) -> float:
        """0 at the lower edge, 1 at the horizon."""
        return min(1.0, max(0.0, (1.0 - y) / (1.0 - self.horizon)))

    def unit(self, y: float) -> float:
        """World units that a person measures whose feet are at ``y``."""
        return self.near_unit * (1.0 - self.depth(y))


def compose(rng: random.Random, aspect: float) -> Scene:
    """Draw a scene for pictures ``aspect`` times as wide as high."""
    light = choose_light(rng)
    pen = Pen(light)
    base = rng.uniform(0.4, 0.56)
    view = View(aspect, base - rng.uniform(0.13, 0.2), rng.uniform(0.4, 0.56))
    elements = [Element(None), *(Element(class_id) for class_id in STUFF)]
    zones = lay_ground(rng, aspect, base)
    paint_backdrop(pen, rng, view, zones)
    things = place_things(rng, view, zones)
    paint_things(pen, rng, view, things, zones, elements)
    paint_weather(pen, rng, view)
    return Scene(tuple(pen.strokes), tuple(elements), light, (rng.random(), rng.random()))


def element_of(class_id: int) -> int:
    """The element of a kind of stuff."""
    return 1 + STUFF.index(class_id)


def lay_ground(rng: random.Random, width: float, base: float) -> list[Zone]:
    """Strips of ground from the foot of the houses to the lower edge, slightly tilted."""
    shares = rng.choices([s for _, s in LAYOUTS], weights=[w for w, _ in LAYOUTS])[0]
    slope, bend = rng.uniform(-0.05, 0.05), rng.uniform(-0.05, 0.05)
    sizes = [share * rng.uniform(0.8, 1.2) for _, share in shares]
    edges, y = [base], base
    for size in sizes:
        y += size * (1 - base) / sum(sizes)
        edges.append(y)
    edges[-1] = 1.1

    def line(y0: float, grow: float) -> Callable[[float], float]:
        return lambda x: y0 + grow * (slope * (x - width / 2) + bend * (x - width / 2) ** 2)

    lines = [line(y0, 0.4 + 0.6 * i / len(sizes)) for i, y0 in enumerate(edges)]
    return [
        Zone(class_id, top, bottom)
        for (class_id, _), top, bottom in zip(shares, lines, lines[1:], strict=False)
    ]


PAINT_GROUND = {
    c.ROAD: paint_road,
    c.SIDEWALK: paint_sidewalk,
    c.GRASS: paint_grass,
    c.WATER: paint_water,
}


def paint_backdrop(pen: Pen, rng: random.Random, view: View, zones: list[Zone]) -> None:
    """Sky, town and ground."""
    top = zones[0].top
    base = top(view.width / 2)
    pen.world(element_of(c.SKY))
    paint_sky(pen, rng, view.width, base + 0.08)
    high = base * rng.uniform(0.45, 0.85)
    pen.world(element_of(c.BUILDING), 1.0)
    if rng.random() < 0.6:
        paint_skyline(pen, rng, view.width, base, high * rng.uniform(0.8, 1.1))
    pen.world(element_of(c.BUILDING), 0.6)
    paint_row(pen, rng, view.width, top, high)
    for zone in zones:
        y = (zone.top(view.width / 2) + min(1.0, zone.bottom(view.width / 2))) / 2
        pen.world(element_of(zone.class_id), view.depth(y) * 0.8)
        PAINT_GROUND[zone.class_id](pen, rng, zone.top, zone.bottom, view.width)


def stand(rng: random.Random, zone: Zone, class_id: int | None, x: float) -> float:
    """A y in ``zone`` at ``x`` where a thing may stand: vehicles keep to their lanes."""
    top, bottom = zone.top(x), min(zone.bottom(x), 1.02)
    if class_id in (c.CAR, c.BUS):
        share = rng.choice((0.3, 0.4, 0.8, 0.9)) + rng.uniform(-0.03, 0.03)
    else:
        share = rng.uniform(0.12, 0.92)
    return top + (bottom - top) * share


def place_things(rng: random.Random, view: View, zones: list[Zone]) -> list[Thing]:
    """Between 1 and 12 things that leave each other a fair share of the picture."""
    wanted = rng.choices(range(1, 11), weights=(4, 8, 13, 16, 16, 14, 11, 8, 6, 4))[0]
    things: list[Thing] = []
    for _ in range(wanted * 4):
        if len(things) >= wanted:
            break
        class_id = rng.choices(list(KINDS), weights=[k.weight for k in KINDS.values()])[0]
        thing = propose(rng, view, zones, class_id, rng.uniform(0.02, view.width - 0.02))
        if thing is None or not fits(thing, things):
            continue
        things.append(thing)
        if rng.random() < 0.34:
            things += companions(rng, view, thing, things, min(12, wanted + 2) - len(things))
    for _ in range(rng.choice((0, 0, 1, 2))):
        spot = propose(rng, view, zones, c.SIGN, rng.uniform(0, view.width))
        if spot is not None and fits(spot, things):
            things.append(spot._replace(class_id=None, paint=paint_clutter))
    return things


def propose(rng: random.Random, view: View, zones: list[Zone], class_id: int,
            x: float) -> Thing | None:  # fmt: skip
    """A place for a thing of this class near ``x``, or None if the scene has no ground for it."""
    kind = KINDS[class_id]
    ground = rng.choice(kind.ground)
    choices = [zone for zone in zones if zone.class_id == ground]
    if not choices:
        return None
    y = stand(rng, rng.choice(choices), class_id, x)
    unit = view.unit(y)
    if unit < kind.least:
        return None
    return Thing(class_id, x, y, unit * rng.uniform(0.92, 1.08), rng.random() < 0.5, kind.paint)


def companions(rng: random.Random, view: View, first: Thing, things: list[Thing],
               room: int) -> list[Thing]:  # fmt: skip
    """One or two more of the same class, close enough to touch or overlap the first."""
    if first.class_id not in (c.CAR, c.PERSON, c.TREE, c.DOG, c.BALL):
        return []
    half = KINDS[first.class_id].half * first.unit
    found: list[Thing] = []
    side = rng.choice((-1, 1))
    for i in range(min(room, rng.choice((1, 1, 2)))):
        x = first.x + side * (i + 1) * half * rng.uniform(1.1, 1.9)
        y = first.y + rng.uniform(-0.02, 0.02)
        if first.class_id != c.CAR:
            y += rng.uniform(-0.02, 0.02)
        other = first._replace(x=x, y=y, unit=view.unit(y), flip=rng.random() < 0.5)
        if other.unit >= KINDS[first.class_id].least and fits(other, [*things, *found], 0.6):
            found.append(other)
    return found


def box_of(thing: Thing) -> tuple[float, float, float, float]:
    """The box x0, y0, x1, y1 a thing fills, roughly."""
    kind = KINDS[c.SIGN if thing.class_id is None else thing.class_id]
    half, high = kind.half * thing.unit, kind.high * thing.unit
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


def paint_things(pen: Pen, rng: random.Random, view: View, things: list[Thing],
                 zones: list[Zone], elements: list[Element]) -> None:  # fmt: skip
    """Paint things and water mirrors from far to near, giving each thing its element."""
    waters = [zone for zone in zones if zone.class_id == c.WATER]
    jobs: list[tuple[float, Thing | Zone]] = [(thing.y, thing) for thing in things]
    jobs += [(water.top(view.width / 2), water) for water in waters]
    for _, job in sorted(jobs, key=lambda pair: pair[0]):
        if isinstance(job, Zone):
            paint_mirror(pen, rng, view, job)
            continue
        element = 0
        if job.class_id is not None:
            element = len(elements)
            elements.append(Element(job.class_id))
        pen.place(element, job.x, job.y, job.unit, view.depth(job.y) * 0.7, job.flip)
        job.paint(pen, rng)


def paint_mirror(pen: Pen, rng: random.Random, view: View, water: Zone) -> None:
    """The reflection of everything painted so far, and ripples."""
    top = min(water.top(0.0), water.top(view.width))
    bottom = min(1.0, max(water.bottom(0.0), water.bottom(view.width)))
    pen.world(element_of(c.WATER))
    pen.mirror(0.0, top, view.width, bottom, 0.42)
    paint_ripples(pen, rng, water.top, water.bottom, view.width)


def paint_weather(pen: Pen, rng: random.Random, view: View) -> None:
    """Rain or snow over everything."""
    pen.world(0)
    if pen.light.weather == "dry":
        return
    ends = []
    rain = pen.light.weather == "rain"
    for _ in range(90 if rain else 120):
        x, y = rng.uniform(-0.05, view.width), rng.uniform(-0.05, 1.0)
        length = rng.uniform(0.03, 0.06) if rain else 0.006
        ends += [(x, y), (x + length * (0.25 if rain else 0.5), y + length)]
    pen.veil(ends, 0.003 if rain else 0.008, (250, 252, 255), 0.35 if rain else 0.8)
