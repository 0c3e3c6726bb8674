"""Colours of classes and segments: near the class colour, told apart also by lightness.

Instances of one class differ first in lightness and only then in hue, because lightness is what
every viewer sees: about one man in twelve tells red from green badly. Distances are taken in OKLab
(Björn Ottosson, "A perceptual color space for image processing", 2020): equal steps look equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from ..data.sample import Category

RGB = tuple[int, int, int]

_TO_LMS = np.array([[0.4122214708, 0.5363325363, 0.0514459929],
                    [0.2119034982, 0.6806995451, 0.1073969566],
                    [0.0883024619, 0.2817188376, 0.6299787005]])  # fmt: skip
_TO_LAB = np.array([[0.2104542553, 0.7936177850, -0.0040720468],
                    [1.9779984951, -2.4285922050, 0.4505937099],
                    [0.0259040371, 0.7827717662, -0.8086757660]])  # fmt: skip

# How far two segments of a picture should be apart, and how the axes count: lightness most,
# red-green (a) least.
_APART = 0.11
_AXES = np.array([1.3, 0.6, 1.0])

# The variants of a class colour, nearest first: (lightness, hue in degrees).
_LIGHTNESS = (0.0, 0.13, -0.13, 0.07, -0.2, 0.2, -0.07)
_HUES = (0.0, 16.0, -16.0, 32.0, -32.0, 48.0, -48.0)
_GOLDEN_ANGLE = 137.508  # consecutive multiples never come close: hues for classes without a colour


class HasClass(Protocol):
    """What colouring reads of a segment, annotated or predicted."""

    @property
    def id(self) -> int: ...
    @property
    def class_id(self) -> int: ...


def rgb_to_oklab(rgb: np.ndarray) -> np.ndarray:
    """OKLab [..., 3] of sRGB colours [..., 3] in 0 to 255."""
    c = np.asarray(rgb, dtype=np.float64) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return np.cbrt(linear @ _TO_LMS.T) @ _TO_LAB.T


def oklab_to_rgb(lab: np.ndarray) -> np.ndarray:
    """sRGB uint8 [..., 3] of OKLab colours [..., 3]; what a screen cannot show is clipped."""
    linear = (np.asarray(lab) @ np.linalg.inv(_TO_LAB).T) ** 3 @ np.linalg.inv(_TO_LMS).T
    linear = linear.clip(0, 1)
    c = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (c * 255).round().astype(np.uint8)


def ink_on(color: Sequence[int]) -> RGB:
    """Black or white, whichever stands out more on an sRGB colour: always by a contrast of 4.5 at least, as WCAG counts
    it. ``ofl.inkOn`` in ``inspectors/page.js`` says the same."""
    c = np.asarray(color, dtype=np.float64) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return (0, 0, 0) if linear @ (0.2126, 0.7152, 0.0722) > 0.179 else (255, 255, 255)


def label_colors(categories: Sequence[Category]) -> dict[int, RGB]:
    """Class id -> colour: the category's own, or a generated one where an earlier class has it.

    Data sets without colours (all the default grey) so still get a palette of distinct hues.
    """
    colors: dict[int, RGB] = {}
    taken = set()
    for class_id, category in enumerate(categories):
        color = tuple(int(v) for v in category.color)
        if color in taken or color == Category.color:
            color = _generated(class_id)
        taken.add(color)
        colors[class_id] = color
    return colors


def segment_colors(segments: Iterable[HasClass], categories: Sequence[Category]) -> dict[int, RGB]:
    """Segment id -> colour, deterministic: near the class colour, and distinct for things.

    Stuff and the first thing of each class in the order given have exactly the class colour. Each
    further thing takes the first variant of it that is far enough from all colours given out, or
    the farthest when the picture is too crowded.
    """
    base = label_colors(categories)
    colors: dict[int, RGB] = {}
    later = []
    started = set()
    for segment in segments:
        if categories[segment.class_id].is_thing and segment.class_id in started:
            later.append(segment)
        else:
            colors[segment.id] = base[segment.class_id]
            started.add(segment.class_id)
    used = [rgb_to_oklab(color) for color in colors.values()]
    for segment in later:
        choice = _far_enough(_variants(base[segment.class_id]), used)
        colors[segment.id] = tuple(int(v) for v in choice)
        used.append(rgb_to_oklab(choice))
    return colors


def _generated(index: int) -> RGB:
    hue = np.deg2rad(index * _GOLDEN_ANGLE)
    lightness = (0.72, 0.6, 0.82)[index % 3]
    lab = [lightness, 0.13 * np.cos(hue), 0.13 * np.sin(hue)]
    return tuple(int(v) for v in oklab_to_rgb(np.array(lab)))


def _variants(color: RGB) -> np.ndarray:
    """uint8 [n, 3]: the colour itself, then others ever further from it."""
    lightness, a, b = rgb_to_oklab(color)
    shades = []
    for turn in _HUES:
        cos, sin = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
        for step in _LIGHTNESS:
            light = np.clip(lightness + step, 0.3, 0.95)
            shades.append([light, a * cos - b * sin, a * sin + b * cos])
    shades[0] = [lightness, a, b]
    return oklab_to_rgb(np.array(shades))


def _far_enough(candidates: np.ndarray, used: list[np.ndarray]) -> np.ndarray:
    """The first candidate at least _APART from every used colour, else the farthest from them."""
    steps = (rgb_to_oklab(candidates)[:, None] - np.stack(used)[None]) * _AXES
    nearest = np.linalg.norm(steps, axis=-1).min(axis=1)
    enough = np.flatnonzero(nearest >= _APART)
    return candidates[enough[0] if len(enough) else nearest.argmax()]
