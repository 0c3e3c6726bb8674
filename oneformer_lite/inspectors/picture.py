"""A picture to point at: core ipywidgets have none, so a transparent layer over an Image tells where it was clicked.

The layer's handlers are attributes of its HTML (a script would not run there): they write the place into a hidden Text
widget, whose value travels to Python like any other. So it works wherever ipywidgets does, without an extension.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import numpy as np
from ipywidgets import HTML, Image, Text, VBox
from traitlets import Any

from ..errors import ConfigError
from ..render import quick_bytes

_SEND = (
    "const t=this.closest('.ofl-picture').querySelector('.ofl-told input');t.value=v+' '+Date.now();"
    "for(const n of ['input','change'])t.dispatchEvent(new Event(n,{bubbles:true}));"
)
_PLACE = (
    "const b=this.getBoundingClientRect(),v='%s '+(event.clientY-b.top)/b.height+' '+(event.clientX-b.left)/b.width;"
)
_CLICK = _PLACE % "at" + _SEND + "this.focus({preventScroll:true});"
_HOVER = f"const n=performance.now();if(n-(this.told||0)>50){{this.told=n;{_PLACE % 'over'}{_SEND}}}"
_LEAVE = f"this.told=0;const v='off';{_SEND}"
_KEY = (
    "const d={ArrowUp:[-1,0],ArrowDown:[1,0],ArrowLeft:[0,-1],ArrowRight:[0,1]}[event.key];"
    "if(d){event.preventDefault();event.stopPropagation();const k=event.shiftKey?10:1,v='by '+d[0]*k+' '+d[1]*k;"
    + _SEND
    + "}"
)
_STYLE = """<style>
.ofl-picture { position: relative; overflow: visible; }
.ofl-inspector .widget-image { margin: 0; }
.ofl-picture > .widget-image { width: 100%; height: auto; display: block; }
.ofl-picture > .ofl-layer { position: absolute; inset: 0; margin: 0; height: auto; width: auto; overflow: visible; }
.ofl-layer .widget-html-content, .ofl-layer [role] { height: 100%; }
.ofl-layer [role] { cursor: crosshair; } .ofl-layer [role]:focus-visible { outline: 3px solid #0072b2; }
.ofl-picture > .ofl-frames { position: absolute; inset: 0; margin: 0; height: auto; width: auto; pointer-events: none; }
.ofl-frames i { position: absolute; outline: 2px solid #000; outline-offset: -1px; border-radius: 2px;
  box-shadow: 0 0 0 2px #fff; }
.ofl-frames i.line { outline: 0; box-shadow: none; border-left: 2px solid #000; }
</style>"""

_LINE = ' class="line"'
_NOTHING = np.full((1, 1, 3), 255, np.uint8)

Point = tuple[int, int]
Box = tuple[float, float, float, float]  # top, left, height, width


class Picture(VBox):
    """Shows uint8 [H, W, 3]; ``point`` is the (row, column) that was last clicked, or reached with the arrow keys
    (Shift: ten pixels at once), None before. ``on_hover`` is called with the place under the mouse, or None."""

    point = Any(None, allow_none=True)

    def __init__(
        self,
        picture: np.ndarray | None,
        label: str,
        size: Point | None = None,
        on_hover: Callable | None = None,
        photo: bool = False,
    ) -> None:
        """``picture`` None: not yet. ``label`` says what it is to readers who cannot see it. ``size``: height and
        width in which points count, where they are not the picture's. ``photo``: mostly a photograph, see
        :func:`..render.quick_bytes`."""
        self.label = label
        self.size, self._on_hover, self._photo = size, on_hover, photo
        nothing = quick_bytes(_NOTHING, photo)  # an image without content is a broken one to browsers
        self._image = Image(value=nothing, format="jpeg" if photo else "webp")
        self._frames, self._told = HTML(), Text()
        self.shown: np.ndarray | None = None
        self.framed: tuple[Box, ...] = ()
        events = {"onclick": _CLICK, "onkeydown": _KEY}
        if on_hover:
            events |= {"onmousemove": _HOVER, "onmouseleave": _LEAVE}
        handlers = " ".join(f'{name}="{escape(code)}"' for name, code in events.items())
        role = f'role="application" tabindex="0" aria-label="{escape(label)}"'
        layer = HTML(f"{_STYLE}<div {role} {handlers}></div>")
        self._told.observe(self._hear, "value")
        above = [self._frames.add_class("ofl-frames"), layer.add_class("ofl-layer")]
        super().__init__([self._image, *above, self._told.add_class("ofl-told")])
        self.add_class("ofl-picture")
        if picture is not None:
            self.show(picture)

    def show(self, picture: np.ndarray) -> None:
        """Another picture, of any size; one that is the same costs nothing."""
        self.size = self.size or picture.shape[:2]
        if self.shown is None or not np.array_equal(picture, self.shown):
            self.shown, self._image.value = picture, quick_bytes(picture, self._photo)

    def frame(self, *boxes: Box) -> None:
        """Lay a frame over each of the boxes, in the unit of the points; one of no width is a line. Frames that only
        say what is chosen move without another picture."""
        self.framed = boxes
        self._frames.value = "".join(self._frame(*box) for box in boxes)

    def _frame(self, top: float, left: float, tall: float, wide: float) -> str:
        height, width = self.size
        place = f"top:{_percent(top, height)};left:{_percent(left, width)}"
        size = f"height:{_percent(tall, height)};width:{_percent(wide, width)}"
        return f'<i{"" if wide else _LINE} style="{place};{size}"></i>'

    def move(self, point: Point | None) -> None:
        """Point at (row, column). Raises :class:`ConfigError` if it is outside, or no such pair."""
        if point is not None:
            height, width = self.size
            try:
                row, column = point
            except TypeError:
                raise ConfigError(f"the point is {point!r}; expected (row, column)") from None
            if not (0 <= row < height and 0 <= column < width):
                raise ConfigError(f"the point {row, column} is outside the picture of {height} x {width}")
            point = int(row), int(column)
        self.point = point

    def press(self, rows: int, columns: int) -> None:
        """Move the point as the arrow keys do, from the middle if there is none, no further than the edge."""
        height, width = self.size
        row, column = self.point or (height // 2, width // 2)
        self.point = self._inside(row + rows, column + columns)

    def hover(self, point: Point | None) -> None:
        """The mouse is over (row, column), or gone."""
        if self._on_hover:
            self._on_hover(point and self._inside(*point))

    def _hear(self, change) -> None:
        kind, *numbers = change["new"].split(" ")
        row, column = (float(number) for number in numbers[:2]) if kind != "off" else (0, 0)
        height, width = self.size
        if kind == "by":
            self.press(int(row), int(column))
        elif kind == "at":
            self.point = self._inside(row * height, column * width)
        else:
            self.hover((row * height, column * width) if kind == "over" else None)

    def _inside(self, row: float, column: float) -> Point:
        height, width = self.size
        return min(max(int(row), 0), height - 1), min(max(int(column), 0), width - 1)


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.3f}%"
