"""The page of MatchInspector: all costs and small masks, from which it matches itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..render import data_uri, webp_bytes
from ..render.inspector_page import inspector_page
from ..render.match_page import match_body, task_data
from ..render.match_words import CLAIMS, SILENT
from ..render.matches import CHANGED, MATCHED, RAMP

if TYPE_CHECKING:
    from .matches import MatchInspector

_PIXELS = 6e6  # of all masks together


def match_page(inspector: MatchInspector, weights: tuple[str, ...], step: float) -> str:
    """The page as text; ``step`` of the sliders of the ``weights``."""
    state, readings = inspector.state, inspector.readings
    masks = sum(reading.query_masks[..., 0, 0].size for reading in readings.values())
    data = {
        "photo": data_uri(webp_bytes(inspector.photo)),
        "usual": inspector.weights, "names": inspector.names, "classes": [c.name for c in inspector.categories],
        "no_object_weight": inspector.no_object_weight, "ramp": RAMP, "matched": MATCHED, "changed": CHANGED,
        "claims": CLAIMS, "silent": SILENT, "chosen": [state["query"], state["segment"]],
        "tasks": {
            task: task_data(reading, inspector.colors[task], inspector.limits[task], _PIXELS / masks)
            for task, reading in readings.items()
        },
    }  # fmt: skip
    sliders = {name: (inspector.highest(name), state[name]) for name in ("layer", *weights)}
    body = match_body(list(readings), sliders, step, state)
    return inspector_page(type(inspector).__name__, inspector.LOOK_FOR, body, "matches.js", data)
