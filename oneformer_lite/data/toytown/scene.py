"""A scene: light, ground, things and weather, put together in the order they are painted.

Everything is drawn from one ``random.Random`` and measured in world units, so a scene is the same
at every size. Element 0 is void, 1 to 6 are the six kinds of stuff, from 7 on each thing has its
own number; :attr:`Scene.elements` says what each is.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import NamedTuple

from . import classes as c
from .avenue import lay_avenue, paint_avenue
from .bands import Band, lay_bands, paint_bands_view, paint_mirror
from .crowded import place_crowded
from .land import STUFF
from .light import choose_light
from .pen import Pen, Stroke
from .placing import KINDS, ONCOMING, Thing, place_things
from .trimmings import paint_balloon, paint_boats, paint_frame, paint_weather
from .view import View


class Element(NamedTuple):
    """What a number in the element map stands for; ``class_id`` None is void."""

    class_id: int | None
    is_crowd: bool = False


@dataclass(frozen=True)
class Scene:
    """A display list with the meaning of its elements."""

    strokes: tuple[Stroke, ...]
    elements: tuple[Element, ...]
    texture: tuple[float, float]  # where the texture tile is cut, as shares of it


def compose(rng: random.Random, aspect: float, crowded: bool = False) -> Scene:
    """Draw a scene for pictures ``aspect`` times as wide as high; a crowded one is seen from higher and farther off."""
    pen = Pen(choose_light(rng))
    elements = [Element(None), *(Element(class_id) for class_id in STUFF)]
    waters: list[Band] = []
    if rng.random() < 0.16:
        horizon, near = ((0.24, 0.34), (0.3, 0.38)) if crowded else ((0.36, 0.46), (0.42, 0.52))
        view = View(aspect, rng.uniform(*horizon), rng.uniform(*near),
                    aspect * rng.uniform(0.36, 0.64))  # fmt: skip
        zones, kinds = lay_avenue(rng, view), ONCOMING
        paint_avenue(pen, rng, view, zones)
    else:
        foot, near = ((0.26, 0.38), (0.24, 0.32)) if crowded else ((0.4, 0.56), (0.38, 0.52))
        base = rng.uniform(*foot)
        view = View(aspect, base - rng.uniform(0.13, 0.2), rng.uniform(*near))
        zones, kinds = lay_bands(rng, view, base), KINDS
        paint_bands_view(pen, rng, view, zones)
        waters = [band for band in zones if band.class_id == c.WATER]
    paint_balloon(pen, rng, view)
    things = (place_crowded if crowded else place_things)(rng, view, zones, kinds)
    paint_things(pen, rng, view, things, waters, elements)
    paint_weather(pen, rng, view)
    paint_frame(pen, rng, view)
    return Scene(tuple(pen.strokes), tuple(elements), (rng.random(), rng.random()))


def paint_things(pen: Pen, rng: random.Random, view: View, things: list[Thing],
                 waters: list[Band], elements: list[Element]) -> None:  # fmt: skip
    """Paint things and water mirrors from far to near, giving each thing its element."""
    jobs: list[tuple[float, Thing | Band]] = [(thing.y, thing) for thing in things]
    jobs += [(water.top(view.width / 2), water) for water in waters]
    for _, job in sorted(jobs, key=lambda pair: pair[0]):
        if isinstance(job, Band):
            paint_mirror(pen, rng, view, job)
            paint_boats(pen, rng, view, job)
            continue
        element = 0
        if job.class_id is not None:
            element = len(elements)
            elements.append(Element(job.class_id, job.is_crowd))
        pen.place(element, job.x, job.y, job.unit, view.depth(job.y) * 0.7, job.flip)
        job.kind.paint(pen, rng if job.look is None else random.Random(job.look))
