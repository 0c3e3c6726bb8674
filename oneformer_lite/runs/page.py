"""A run's log as one HTML file: hover and slider move numbers, cursors and pictures, without network or Python."""

from __future__ import annotations

from collections.abc import Mapping

from ..render.pages import embedded_json, fill
from ..render.timeline import Timeline
from . import dashboard


def run_page(
    name: str, status: str, timeline: Timeline, sheets: Mapping[int, bytes], reason: str = "", moments: int = 400
) -> str:
    """The page as text. ``sheets``: step -> file of a run's pictures.

    The slider stops at ``moments`` of the logged steps at most, and at the last of them first.
    """
    from markupsafe import Markup

    steps = timeline.moments(moments)
    terms = [term for term in timeline.layer_terms if any((r.get("by_layer") or {}).get(term) for r in timeline.train)]
    frames = [{"texts": timeline.texts(s), "plots": dashboard.hover_texts(timeline, s)} for s in steps]
    return fill(
        "runs/page.html",
        name=name,
        style=Markup(dashboard.style()),
        head=Markup(dashboard.head(name, status, timeline, timeline.last, reason)),
        cards=Markup(dashboard.cards(timeline, timeline.last)),
        plots=Markup(dashboard.plots(timeline, terms)),
        terms=terms,
        steps=steps,
        last=timeline.last,
        sheets=[(step, Markup(dashboard.pictures(step, content))) for step, content in sheets.items()],
        no_sheet=Markup(dashboard.pictures(None)),
        data=Markup(embedded_json({"steps": steps, "frames": frames})),
    )
