"""What all inspectors share: head, controls, what code can set and read, and how they leave the notebook."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path

import numpy as np
from ipywidgets import HTML, Box, FloatSlider, Widget
from ipywidgets import Image as ImageWidget
from PIL import Image
from traitlets import TraitError

from ..errors import ConfigError
from ..files import replacing
from ..render import data_uri, png_bytes, quick_bytes
from ..render.paper import WHITE, Paper
from .chips import Chips
from .kept import LIVE, WHILE_IT_LIVES, Kept
from .page import head, inspector_page, step_through, style
from .picture import Picture
from .theme import paper_of, scheme_widgets


@dataclass
class Absence:
    """What an inspector shows of a model that has not what it looks at: a sentence beside the picture."""

    title: str
    sentence: str
    photo: np.ndarray  # uint8 [H, W, 3]

    def _draw(self) -> None:
        """There is nothing to choose."""

    def _picture(self) -> np.ndarray:
        return self.photo

    def _subject(self) -> str:
        return self.sentence.partition(",")[0].partition(":")[0]

    def _page(self) -> str:
        told = f'<div class="ofl-told-text">{escape(self.sentence)}</div>'
        photo = f'<img src="{data_uri(png_bytes(self.photo))}" alt="the picture" style="max-width:100%">'
        return inspector_page(self.title, "", told + photo, "inspectors/still.js", {})

    def body(self) -> list[Widget]:
        picture = ImageWidget(value=quick_bytes(self.photo, photo=True), format="jpeg", layout={"max_width": "30rem"})
        return [HTML(f'<div class="ofl-told-text">{escape(self.sentence)}</div>'), picture]


class Inspector(Kept):
    """A question, its controls, and pictures that answer.

    Subclasses set ``LOOK_FOR`` (one sentence: what to look for), pass their controls and pictures to this constructor,
    and have four methods: ``_draw()`` shows what the controls say, ``_picture()`` gives that as one picture (uint8
    [H, W, 3]), ``_page()`` the page of :meth:`to_html`, ``_subject()`` a few words on what is inspected.
    """

    LOOK_FOR = ""
    paper: Paper = WHITE  # what is painted for the page that is seen now; stills are white

    def __init__(self, controls: Mapping[str, Widget], body: Sequence[Widget], absence: Absence | None = None) -> None:
        """``controls``: name -> widget with a ``value``, or a :class:`Picture` with its ``point``; those that have no
        place in ``body`` stand in a row above it. ``absence``: what takes the place of all that, and of the four
        methods, where the model has not what is looked at."""
        self._answer = absence or self
        body = absence.body() if absence else body
        self._controls, self._held, self._keys = dict(controls), False, {}
        self._placed = {name for name, c in controls.items() if isinstance(c, Picture) and c.point is not None}
        inside = set(_all_below(body))
        row = [control for control in self._controls.values() if control not in inside]
        bar = Box(row, layout={"flex_flow": "row wrap", "align_items": "center"}).add_class("ofl-controls")
        told = head(self._title(), "" if absence else self.LOOK_FOR)
        top = HTML(f"<style>{style()}{WHILE_IT_LIVES}</style>{told}")
        teller, scheme = scheme_widgets()
        scheme.observe(lambda change: self._paint_on(paper_of(change["new"])), "value")
        layout = {"width": "100%", "padding": "8px", "overflow": "hidden"}
        super().__init__([top, bar, *body, teller, scheme], layout=layout)
        self.add_class("ofl-inspector").add_class(LIVE)
        for control in self._controls.values():
            control.observe(self._changed, "point" if isinstance(control, Picture) else "value")
        self._answer._draw()

    @property
    def state(self) -> dict:
        """What is chosen, by name: ``inspector.set(**inspector.state)`` shows the same again."""
        return {
            name: control.point if isinstance(control, Picture) else control.value
            for name, control in self._controls.items()
        }

    def set(self, **choices) -> Inspector:
        """Choose as a user would, all at once. Raises :class:`ConfigError`, and changes nothing, if a name or a value
        is not one that the inspector has."""
        before = self.state
        if choices and not before:
            raise ConfigError(f"{type(self).__name__} has nothing to choose here: {self._answer.sentence}")
        if unknown := [name for name in choices if name not in before]:
            raise ConfigError(f"{type(self).__name__} has no {unknown[0]!r}; it has {', '.join(before)}")
        with self._one_drawing():
            try:
                for name, value in choices.items():
                    self._choose(name, value)
            except ConfigError:
                for name, value in before.items():
                    self._choose(name, value)
                raise
        return self

    @property
    def words(self) -> str:
        """What it says now beside its pictures, as plain text: what a screen reader would read."""
        return "\n".join(filter(None, (_plain(w.value) for w in _shown_below(self.children) if isinstance(w, HTML))))

    @property
    def views(self) -> dict[str, Picture]:
        """The pictures that can be pointed at, by what their label says they are."""
        pictures = (widget for widget in _all_below(self.children) if isinstance(widget, Picture))
        return {picture.label.partition(":")[0]: picture for picture in pictures}

    def click(self, view: str, row: int, column: int) -> Inspector:
        """Point at (row, column) of a picture of :attr:`views`, as a click does. Raises :class:`ConfigError` if there
        is no such picture, or the place is outside of it."""
        if view not in (views := self.views):
            raise ConfigError(f"{type(self).__name__} has no picture {view!r}; it has {', '.join(views)}")
        views[view].move((row, column))
        return self

    def control(self, name: str) -> Widget:
        """The widget by which ``name`` of :attr:`state` is chosen."""
        return self._controls[name]

    def still(self) -> Image.Image:
        """What is shown now, as one picture."""
        return Image.fromarray(self._answer._picture())

    def page(self) -> str:
        """One page that does the same without kernel or network, as far as its data goes."""
        return self._answer._page()

    def to_html(self, path: str | Path) -> Path:
        """Write :meth:`page`; its path."""
        page = self.page()
        with replacing(path) as draft:
            draft.write_text(page, encoding="utf-8")
        return Path(path)

    def _title(self) -> str:
        return type(self).__name__

    def _choose(self, name: str, value) -> None:
        control = self._controls[name]
        if isinstance(control, Picture):
            if value is None and name in self._placed:
                raise ConfigError(f"{name} is None; expected (row, column)")
            return control.move(value)
        if isinstance(control, Chips) and isinstance(value, tuple):
            value = list(value)
        expected, fits = _expected(control), value in _values(control.options) if hasattr(control, "options") else True
        try:
            if fits and isinstance(control, FloatSlider):
                control.step = step_through(value, control.min, control.step)
                control.readout_format = f".{max(2, math.ceil(-math.log10(control.step)))}f"
            if fits:
                control.value = value
        except (TraitError, ValueError, TypeError):
            fits = False
        if not fits or control.value != value:  # sliders move silently to the nearest end
            raise ConfigError(f"{name} is {value!r}; expected {expected}")

    def _show(self, view: Picture | ImageWidget, key: tuple, make: Callable[[], np.ndarray]) -> None:
        """Show ``make()``, unless the view shows what belongs to ``key`` already."""
        if self._keys.get(view) != key:
            self._keys[view] = key
            if isinstance(view, Picture):
                view.show(make())
            else:
                view.value = quick_bytes(make(), view.format == "jpeg")

    def _paint_on(self, paper: Paper) -> None:
        if paper != self.paper:
            self.paper = paper
            self._keys.clear()
            self._answer._draw()

    def _changed(self, change) -> None:
        if not self._held:
            self._draw()

    @contextmanager
    def _one_drawing(self):
        self._held = True
        try:
            yield
        finally:
            self._held = False
            self._answer._draw()

    def _whole_page(self) -> str:
        return self.page()

    def __repr__(self) -> str:
        chosen = ", ".join(f"{name} {_short(value)}" for name, value in self.state.items() if value is not None)
        return f"{type(self).__name__}({self._answer._subject()}{': ' if chosen else ''}{chosen})"


def _all_below(widgets: Sequence[Widget]):
    for widget in widgets:
        yield widget
        yield from _all_below(getattr(widget, "children", ()))


def _shown_below(widgets: Sequence[Widget]):
    for widget in widgets:
        if widget.layout.display != "none":
            yield widget
            yield from () if isinstance(widget, Picture) else _shown_below(getattr(widget, "children", ()))


def _plain(html: str) -> str:
    """The text of HTML, without what is style."""
    return " ".join(unescape(re.sub(r"<style>.*?</style>|<[^>]*>", " ", html, flags=re.DOTALL)).split())


def _values(options) -> list:
    return [option[1] if isinstance(option, tuple) else option for option in options]


def _expected(control: Widget) -> str:
    """The values that a control takes, in words."""
    if hasattr(control, "options"):
        return f"one of {', '.join(map(str, _values(control.options)))}"
    if isinstance(control, Chips):
        return f"a list of {', '.join(control.names)}"
    if hasattr(control, "max"):
        return f"{control.min} to {control.max}" + ("" if isinstance(control.min, float) else ", a whole number")
    return "True or False"


def _short(value) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
