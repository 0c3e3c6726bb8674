"""A run's log as one HTML file: hover and slider move numbers, cursors and pictures, without network or Python."""

from __future__ import annotations

import json
from collections.abc import Mapping

from . import dashboard
from .curves import LAYER_TERMS
from .sheet import sheet_html
from .timeline import Timeline


def run_page(
    name: str, status: str, timeline: Timeline, sheets: Mapping[int, bytes], reason: str = "", moments: int = 400
) -> str:
    """The page as text. ``sheets``: step -> file of a run's pictures.

    The slider stops at ``moments`` of the logged steps at most, and at the last of them first.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    steps = timeline.moments(moments)
    terms = [term for term in LAYER_TERMS if any((r.get("by_layer") or {}).get(term) for r in timeline.train)]
    frames = [{"texts": timeline.texts(s), "plots": dashboard.hover_texts(timeline, s)} for s in steps]
    environment = Environment(
        loader=FileSystemLoader(dashboard.TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("run.html").render(
        name=name,
        style=Markup(dashboard.style()),
        head=Markup(dashboard.head(name, status, timeline, timeline.last, reason)),
        cards=Markup(dashboard.cards(timeline, timeline.last)),
        plots=Markup(dashboard.plots(timeline, terms)),
        terms=terms,
        steps=steps,
        last=timeline.last,
        sheets=[(step, Markup(dashboard.pictures(step, sheet_html(content)))) for step, content in sheets.items()],
        no_sheet=Markup(dashboard.pictures(None, "")),
        data=Markup(json.dumps({"steps": steps, "frames": frames}).replace("<", "\\u003c")),
    )
