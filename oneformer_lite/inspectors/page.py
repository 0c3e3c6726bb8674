"""The frame of every inspector: its style and head in a notebook, and its page, where vanilla JavaScript does the work.

A page is a body of HTML, data as JSON, and a script that reads the controls and paints. ``inspectors/page.js`` has
what all scripts share: pictures as pixels, maps of ids, points under the mouse, the state of the controls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from typing import Protocol

import numpy as np

from ..render.grid import data_uri, png_bytes
from ..render.pages import embedded_json, fill, read


class Shown(Protocol):
    """What every page reads of its inspector; each page adds what it needs besides."""

    LOOK_FOR: str

    @property
    def state(self) -> dict: ...


@cache
def style() -> str:
    """The style sheet, for notebooks and pages."""
    return read("inspectors/page.css")


def head(title: str, look_for: str) -> str:
    """Name and the sentence that says what to look for."""
    return f'<div class="ofl-title">{escape(title)}</div><p class="ofl-look">{escape(look_for)}</p>'


def inspector_page(title: str, look_for: str, body: str, script: str, data: Mapping) -> str:
    """The page as text. ``body``: HTML; ``script``: a file of the package; ``data``: what it finds as ``ofl.data``."""
    from markupsafe import Markup

    return fill(
        "inspectors/page.html",
        title=title,
        style=Markup(style()),
        head=Markup(head(title, look_for)),
        body=Markup(body),
        data=Markup(embedded_json(data)),
        scripts=Markup(read("inspectors/page.js") + read(script)),
    )


def id_picture(ids: np.ndarray) -> str:
    """A map of ids (int [H, W], 0 to 2^24 - 1) as a PNG data URI, which ``ofl.ids`` reads back."""
    rgb = np.stack([ids & 255, (ids >> 8) & 255, (ids >> 16) & 255], axis=-1).astype(np.uint8)
    return data_uri(png_bytes(rgb))


def toggle(name: str, options: Mapping[str, str], chosen: str) -> str:
    """Radio buttons side by side; ``options``: value -> text."""
    buttons = "".join(
        f'<label><input type="radio" name="{name}" value="{escape(value)}"{" checked" if value == chosen else ""}>'
        f"<span>{escape(text)}</span></label>"
        for value, text in options.items()
    )
    return f'<fieldset class="ofl-toggle"><legend>{escape(name)}</legend>{buttons}</fieldset>'


def step_through(value: float, low: float, step: float) -> float:
    """``step``, or the tenth, hundredth ... of it, with which a slider from ``low`` stops at ``value``: browsers move a
    value between two stops silently to one of them."""
    for _ in range(4):
        stops = (value - low) / step
        if abs(stops - round(stops)) < 1e-6:
            break
        step /= 10
    return step


def slider(name: str, low: float, high: float, step: float | str, value: float) -> str:
    """A slider with its value beside it; ``step`` "any": without stops."""
    if step != "any":
        step = step_through(value, low, step)
    return (
        f'<label class="ofl-slider"><span>{escape(name.replace("_", " "))}</span><input type="range" '
        f'name="{escape(name)}" min="{low}" max="{high}" step="{step}" value="{value}"><output>{value}</output></label>'
    )


def chips(name: str, text: str, options: Sequence[str], chosen: Sequence[str]) -> str:
    """Any number of ``options``, each a box that looks like a label; ``text`` stands before them."""
    boxes = "".join(
        f'<label><input type="checkbox" name="{escape(name)}" value="{escape(option)}"'
        f"{' checked' if option in chosen else ''}><span>{escape(option)}</span></label>"
        for option in options
    )
    return f'<fieldset class="ofl-toggle ofl-chips"><legend>{escape(text)}</legend>{boxes}</fieldset>'


def checkbox(name: str, text: str, checked: bool) -> str:
    """One choice that is on or off."""
    state = " checked" if checked else ""
    return f'<label class="ofl-check"><input type="checkbox" name="{escape(name)}"{state}>{escape(text)}</label>'
