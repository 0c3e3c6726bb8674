"""The page of MatchInspector: all costs and small masks, from which it matches itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from ...data.sample import Category
from ...render import data_uri, webp_bytes
from ..page import Shown, inspector_page
from .maps import CostMaps
from .page_parts import match_body, task_data
from .pictures import CHANGED, MATCHED, RAMP
from .reading import MatchReading
from .words import CLAIMS, SILENT, WHY

_BYTES = 3.2e6  # of costs and masks together, before base64 and compression: two pixels of a mask in a byte
_LEAST = 5e5  # pixels of all masks


class MatchShown(Shown, Protocol):
    """What the page reads of its inspector."""

    photo: np.ndarray
    readings: Mapping[str, MatchReading]
    weights: tuple[float, ...]
    names: tuple[str, ...]
    parts: tuple[str, ...]
    categories: tuple[Category, ...]
    no_object_weight: float | None
    meanings: Mapping[str, str]
    maps: CostMaps

    def noised_html(self, task: str) -> str: ...

    def highest(self, name: str) -> float: ...


def match_page(inspector: MatchShown, weights: tuple[str, ...], step: float) -> str:
    """The page as text; ``step`` of the sliders of the ``weights``."""
    state, readings = inspector.state, inspector.readings
    masks = sum(reading.query_masks[..., 0, 0].size for reading in readings.values())
    costs = sum(2 * reading.costs.size for reading in readings.values())
    pixels = max(_LEAST, 2 * (_BYTES - costs)) / masks
    data = {
        "photo": data_uri(webp_bytes(inspector.photo)),
        "usual": inspector.weights, "names": inspector.names, "parts": inspector.parts,
        "meanings": [inspector.meanings[part] for part in inspector.parts],
        "classes": [c.name for c in inspector.categories],
        "no_object_weight": inspector.no_object_weight, "ramp": RAMP, "matched": MATCHED, "changed": CHANGED,
        "claims": CLAIMS, "silent": SILENT, "chosen": [state["query"], state["segment"]],
        "why": WHY,
        "tasks": {
            task: task_data(reading, inspector.maps.colors[task], reading.limits, pixels)
            | {"noised": inspector.noised_html(task)}
            for task, reading in readings.items()
        },
    }  # fmt: skip
    sliders = {name: (inspector.highest(name), state[name]) for name in ("layer", *weights)}
    body = match_body(list(readings), inspector.parts, sliders, step, state)
    return inspector_page(type(inspector).__name__, inspector.LOOK_FOR, body, "inspectors/matches/page.js", data)
