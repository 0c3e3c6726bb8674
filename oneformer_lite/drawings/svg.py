"""Boxes, words, arrows and tables of numbers as SVG: small, the same on every machine, in light and in dark."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from ..files import replacing
from ..render.pages import read

WIDTH = 460  # of every drawing, in its own units: on a page of 400 pixels the smallest letters still have nine
CELL = 26  # height of a cell with a number


class Drawing:
    """A drawing and what it shows in words; as the last value of a cell the drawing, with the words as its alternative
    text. It follows the reader's light or dark, and stays sharp however far one zooms in."""

    def __init__(self, svg: str, words: str) -> None:
        self.svg, self.words = svg, words

    def __repr__(self) -> str:
        return self.words

    def save(self, path: str | Path) -> Path:
        """Write it as an SVG file."""
        with replacing(path) as draft:
            draft.write_text(self.svg, encoding="utf-8")
        return Path(path)

    def _repr_html_(self) -> str:
        content = base64.b64encode(self.svg.encode()).decode("ascii")
        style = f"width: 100%; max-width: {round(1.5 * WIDTH)}px; height: auto"
        return f'<img src="data:image/svg+xml;base64,{content}" alt="{escape(self.words)}" style="{style}">'


class Canvas:
    """What a drawing is put together from, top left to bottom right; ``height`` grows with what is drawn."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.height = 0.0

    def drawing(self, words: str) -> Drawing:
        """All parts on a card of their own, so that they are legible on any page."""
        height = _short(self.height + 10)
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
            f'height="{height}" role="img"><title>{escape(words)}</title><style>{_style()}</style>{_ARROW}'
        )
        card = f'<rect class="card" x=".5" y=".5" width="{WIDTH - 1}" height="{_short(self.height + 9)}" rx="8"/>'
        return Drawing("\n".join([head, card, *self.parts, "</svg>"]), words)

    def box(self, x: float, y: float, width: float, height: float, kind: str, rx: float = 5) -> None:
        """A rectangle; ``kind`` names its look in ``drawing.css``."""
        self._add(f'<rect class="{kind}" {_place(x, y)} width="{_short(width)}" height="{_short(height)}" rx="{rx}"/>')
        self._reach(y + height)

    def text(
        self, x: float, y: float, words: str, kind: str = "", anchor: str = "middle", turned: bool = False
    ) -> None:
        """One line of words; y is its middle. ``turned``: from there upwards."""
        look = f' class="{kind}"' if kind else ""
        look += f' transform="rotate(-90 {_short(x)} {_short(y)})"' if turned else ""
        self._add(f'<text{look} {_place(x, y)} text-anchor="{anchor}" dy=".35em">{escape(words)}</text>')
        self._reach(y + 8)

    def shade(self, x: float, y: float, width: float, height: float, share: float) -> None:
        """Colour over a rectangle, the stronger the nearer ``share`` is to 1 or -1."""
        if share:
            kind = "minus" if share < 0 else "plus"
            opacity = _short(round(0.55 * abs(share), 2))  # not more: words stand on it
            place = f'{_place(x, y)} width="{_short(width)}" height="{_short(height)}"'
            self._add(f'<rect class="{kind}" fill-opacity="{opacity}" {place}/>')

    def rule(self, left: float, y: float, right: float) -> None:
        """A line under numbers that are added."""
        self._add(f'<line class="rule" x1="{_short(left)}" x2="{_short(right)}" y1="{_short(y)}" y2="{_short(y)}"/>')

    def dot(self, x: float, y: float, radius: float, kind: str) -> None:
        """A filled circle."""
        self._add(f'<circle class="{kind}" cx="{_short(x)}" cy="{_short(y)}" r="{_short(radius)}"/>')

    def arrow(self, *points: tuple[float, float], kind: str = "way", over: bool = False) -> None:
        """A line through the points with a head at the last; one that goes ``over`` others leaves them a gap."""
        path = " ".join(f"{_short(x)},{_short(y)}" for x, y in points)
        if over:
            self._add(f'<polyline class="gap" points="{path}"/>')
        self._add(f'<polyline class="{kind}" points="{path}" marker-end="url(#{kind})"/>')
        self._reach(max(y for _, y in points))

    def picture(self, x: float, y: float, size: tuple[float, float], png: bytes, kind: str = "") -> None:
        """A picture of ``size``, width and height."""
        content, look = base64.b64encode(png).decode("ascii"), f' class="{kind}"' if kind else ""
        self._add(
            f'<image{look} {_place(x, y)} width="{_short(size[0])}" height="{_short(size[1])}" '
            f'preserveAspectRatio="none" href="data:image/png;base64,{content}"/>'
        )
        self._reach(y + size[1])

    def table(
        self, x: float, y: float, values: np.ndarray, width: float, title: str = "",
        rows: Sequence[str] = (), columns: Sequence[str] = (), kind: str = "signed",
        framed: Sequence[tuple[int, int]] = (), written: list[list[str]] | None = None,
    ) -> None:  # fmt: skip
        """Numbers [n, m] in cells, each shaded by its size; minus infinity is a dash. ``title`` and ``columns`` stand
        above, ``rows`` to the left of x, and the cells of ``framed`` have a frame.

        ``kind``: "signed" (two colours), "weight" (0 to 1, one colour) or "plain". ``written``: what stands in the
        cells instead of :func:`numbers`.
        """
        finite = np.abs(values[np.isfinite(values)])
        most = 1.0 if kind == "weight" else max(float(finite.max(initial=0)), 1e-9)
        written = written or numbers(values)
        middle = x + values.shape[1] * width / 2
        if title:
            self.text(middle, y - (26 if len(columns) else 11), title, "title")
        for j, name in enumerate(columns):
            self.text(x + (j + 0.5) * width, y - 9, name, "name")
        for i, name in enumerate(rows):
            self.text(x - 6, y + (i + 0.5) * CELL, name, "name", "end")
        for (i, j), value in np.ndenumerate(values):
            share = 0.0 if kind == "plain" or not np.isfinite(value) else min(abs(float(value)) / most, 1)
            self._cell((x + j * width, y + i * CELL), width, written[i][j], share, value < 0)
        for i, j in framed:
            self.box(x + j * width + 1, y + i * CELL + 1, width - 2, CELL - 2, "frame", rx=3)

    def _cell(self, corner: tuple[float, float], width: float, number: str, share: float, negative: bool) -> None:
        x, y = corner
        self.box(x, y, width, CELL, "cell", rx=0)
        self.shade(x, y, width, CELL, -share if negative else share)
        self.text(x + width / 2, y + CELL / 2, number, "number")

    def _add(self, part: str) -> None:
        self.parts.append(part)

    def _reach(self, bottom: float) -> None:
        self.height = max(self.height, bottom)


def numbers(values: np.ndarray) -> list[list[str]]:
    """Each number of [n, m] as a drawing writes it: without decimals if all are whole, else with two."""
    finite = values[np.isfinite(values)]
    digits = 0 if (finite == finite.round()).all() else 2
    return [[number(float(value), digits) for value in row] for row in values]


def number(value: float, digits: int = 2) -> str:
    """One number; a zero has no sign, minus infinity is a dash."""
    if not np.isfinite(value):
        return "–"
    written = f"{value:.{digits}f}"
    return written.lstrip("-") if float(written) == 0 else written


def as_array(values, name: str, axes: int, most: Sequence[int]) -> np.ndarray:
    """Float64 of a tensor or of lists. Raises ValueError where its digits would not fit into a drawing."""
    array = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, dtype=np.float64)
    if array.ndim != axes or any(not 0 < size <= limit for size, limit in zip(array.shape, most)):
        limits = " x ".join(f"1 to {limit}" for limit in most)
        raise ValueError(
            f"{name} must have the shape [{limits}], for each number is written out, got {list(array.shape)}: "
            "draw a part of it"
        )
    return array


def _short(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")


def _place(x: float, y: float) -> str:
    return f'x="{_short(x)}" y="{_short(y)}"'


def _style() -> str:
    return " ".join(read("drawings/drawing.css").split())


_ARROW = "<defs>{}</defs>".format(
    "".join(
        f'<marker id="{kind}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto" '
        f'markerUnits="userSpaceOnUse"><path class="{kind}-head" d="M0 .5 8 4 0 7.5z"/></marker>'
        for kind in ("way", "lit-way")
    )
)
