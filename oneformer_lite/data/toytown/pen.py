"""The pen: turns local drawing coordinates into a list of strokes in resolution-free units.

World units: y runs from 0 (top) to 1 (bottom), x from 0 to width / height. Every stroke names the
*element* it belongs to (0 = void, see :mod:`.scene`), and the painter writes colour and element
together, so the picture and the annotation cannot disagree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from .light import Color, Light

Point = tuple[float, float]


class Stroke(NamedTuple):
    """One painting instruction; ``points`` are world units.

    kind: "polygon" (corners), "box" (two corners), "ellipse" (two corners of its box), all opaque;
    "blob" (soft ellipse, two corners of its box), "tint" (polygon) and "veil" (many line segments
    of one width), all blended with ``alpha`` and leaving the elements alone; "mirror" (two corners:
    a water surface that reflects what is already painted above its upper edge, where the element
    is ``element``).
    """

    kind: str
    element: int
    color: Color
    points: Sequence[Point]
    alpha: float = 1.0
    width: float = 0.0


class Pen:
    """Collects strokes. ``place`` moves it; things draw upwards from their foot, y up."""

    def __init__(self, light: Light) -> None:
        self.light = light
        self.strokes: list[Stroke] = []
        self.world(0)

    def world(self, element: int, depth: float = 0.0) -> Pen:
        """Draw ``element`` in world units, y down, at ``depth`` (0 near, 1 at the horizon)."""
        return self.place(element, 0.0, 0.0, 1.0, depth, up=False)

    def place(self, element: int, x: float, y: float, unit: float, depth: float = 0.0,
              flip: bool = False, up: bool = True) -> Pen:  # fmt: skip
        """Draw ``element`` around the point (x, y), one local unit being ``unit`` world units."""
        self.element, self.depth = element, depth
        self.ox, self.oy = x, y
        self.sx = -unit if flip else unit
        self.sy = -unit if up else unit
        return self

    def _map(self, points: Sequence[Point]) -> list[Point]:
        ox, oy, sx, sy = self.ox, self.oy, self.sx, self.sy
        return [(ox + sx * x, oy + sy * y) for x, y in points]

    def _add(self, kind: str, points: Sequence[Point], color: Color, lit: bool) -> None:
        tone = color if lit else self.light.tone(color, self.depth)
        self.strokes.append(Stroke(kind, self.element, tone, self._map(points)))

    def polygon(self, points: Sequence[Point], color: Color, lit: bool = False) -> None:
        """A filled polygon; ``lit`` colours shine by themselves and ignore the light."""
        self._add("polygon", points, color, lit)

    def box(self, x0: float, y0: float, x1: float, y1: float, color: Color,
            lit: bool = False) -> None:  # fmt: skip
        """A filled axis-parallel rectangle."""
        self._add("box", ((x0, y0), (x1, y1)), color, lit)

    def disc(self, x: float, y: float, rx: float, ry: float, color: Color,
             lit: bool = False) -> None:  # fmt: skip
        """A filled axis-parallel ellipse."""
        self._add("ellipse", ((x - rx, y - ry), (x + rx, y + ry)), color, lit)

    def rounded(self, x0: float, y0: float, x1: float, y1: float, r: float, color: Color,
                lit: bool = False) -> None:  # fmt: skip
        """A rectangle with corners of radius ``r``."""
        corners = ((x1 - r, y1 - r, 0), (x0 + r, y1 - r, 1), (x0 + r, y0 + r, 2),
                   (x1 - r, y0 + r, 3))  # fmt: skip
        points = [
            (cx + r * math.cos((quarter + step / 3) * math.pi / 2),
             cy + r * math.sin((quarter + step / 3) * math.pi / 2))
            for cx, cy, quarter in corners for step in range(4)
        ]  # fmt: skip
        self.polygon(points, color, lit)

    def line(self, x0: float, y0: float, x1: float, y1: float, width: float, color: Color,
             end_width: float | None = None, lit: bool = False) -> None:  # fmt: skip
        """A straight bar, optionally tapering to ``end_width``."""
        length = math.hypot(x1 - x0, y1 - y0) or 1e-9
        nx, ny = (y0 - y1) / length / 2, (x1 - x0) / length / 2
        w0, w1 = width, width if end_width is None else end_width
        corners = ((x0 + nx * w0, y0 + ny * w0), (x1 + nx * w1, y1 + ny * w1),
                   (x1 - nx * w1, y1 - ny * w1), (x0 - nx * w0, y0 - ny * w0))  # fmt: skip
        self.polygon(corners, color, lit)

    def fade(self, x0: float, y0: float, x1: float, y1: float, top: Color, bottom: Color,
             steps: int = 24) -> None:  # fmt: skip
        """A rectangle fading from ``top`` to ``bottom`` colour, y0 being the top edge."""
        for i in range(steps):
            t = i / (steps - 1)
            color = tuple(round(a + (b - a) * t) for a, b in zip(top, bottom, strict=True))
            upper = y0 + (y1 - y0) * i / steps
            self.box(x0, upper, x1, y0 + (y1 - y0) * (i + 1) / steps, color, lit=True)

    def blob(self, x: float, y: float, rx: float, ry: float, color: Color, alpha: float) -> None:
        """A soft, see-through ellipse (shadow, glow, smoke); leaves the elements alone."""
        points = self._map(((x - rx, y - ry), (x + rx, y + ry)))
        self.strokes.append(Stroke("blob", self.element, color, points, alpha))

    def tint(self, points: Sequence[Point], color: Color, alpha: float) -> None:
        """A see-through polygon (reflection on glass, beam of light); leaves the elements alone."""
        self.strokes.append(Stroke("tint", self.element, color, self._map(points), alpha))

    def veil(self, ends: Sequence[Point], width: float, color: Color, alpha: float) -> None:
        """Many see-through line segments, two points each (rain, snow, film scratches)."""
        self.strokes.append(Stroke("veil", self.element, color, self._map(ends), alpha, width))

    def mirror(self, x0: float, y0: float, x1: float, y1: float, alpha: float) -> None:
        """Reflect what is painted above y0 into this element's pixels of the box."""
        points = self._map(((x0, y0), (x1, y1)))
        self.strokes.append(Stroke("mirror", self.element, (0, 0, 0), points, alpha))
