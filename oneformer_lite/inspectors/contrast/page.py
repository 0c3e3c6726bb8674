"""The page of ContrastInspector: cosines of all lists with all images, from which it computes every loss itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from ...data.sample import Sample
from ...render import data_uri, webp_bytes
from ...render.pages import base64_numbers
from ..page import Shown, inspector_page, slider, toggle
from .pictures import KIND_COLORS
from .reading import Encoded, distinct_cosines, lowest_loss, shared_sentences, slot_shares
from .words import ALONE, SHORT, legend


class ContrastShown(Shown, Protocol):
    """What the page reads of its inspector."""

    samples: list[Sample]
    photos: list[np.ndarray]
    encoded: Mapping[tuple[int, str], Encoded]
    batches: Mapping[str, list[Encoded]]
    twins: Mapping[str, np.ndarray]
    marks: list[tuple[str, float]]
    temperatures: np.ndarray


def contrast_page(inspector: ContrastShown, titles: Mapping[str, str]) -> str:
    """The page as text. ``titles``: picture -> what stands above it."""
    state = inspector.state
    data = _data(inspector) | {"titles": titles}
    low, high = np.log10(data["ends"])
    last, slots = len(inspector.samples) - 1, len(data["entries"][0]["index"])
    controls = [
        toggle("tasks", {name: name for name in inspector.batches}, state["tasks"]),
        slider("temperature", low, high, "any", math.log10(state["temperature"])),
        slider("row", 0, last, 1, state["row"]),
        slider("column", 0, last, 1, state["column"]),
        slider("slot", 0, slots - 1, 1, state["slot"]),
    ]
    body = (
        f'<div class="ofl-controls">{"".join(controls)}</div><div id="pair"></div><div class="ofl-views"></div>'
        f'{legend()}<div class="ofl-told-text" id="told"></div><div id="table"></div>'
    )
    return inspector_page(type(inspector).__name__, inspector.LOOK_FOR, body, "inspectors/contrast/page.js", data)


def _data(inspector: ContrastShown) -> dict:
    entries = list(inspector.encoded.values())
    place = {(e.image, e.task): i for i, e in enumerate(entries)}
    texts, index, cosines = distinct_cosines(entries)
    return {
        "photos": [data_uri(webp_bytes(photo)) for photo in inspector.photos],
        "entries": [
            {"image": e.image, "task": e.task, "short": SHORT[e.task], "index": index[i],
             "sentences": len(e.sentences), "texts": e.num_texts,
             "text": [e.text(slot) for slot in range(e.num_texts)]}
            for i, e in enumerate(entries)
        ],
        "batches": {name: [place[e.image, e.task] for e in batch] for name, batch in inspector.batches.items()},
        "lowest": {name: lowest_loss(batch) for name, batch in inspector.batches.items()},
        "shared": [[shared_sentences(a, b) for b in entries] for a in entries], "alone": ALONE,
        "twins": {name: twins.tolist() for name, twins in inspector.twins.items()},
        "shares": base64_numbers(slot_shares(entries).astype("<f4")),
        "cosines": base64_numbers(np.rint(127 * cosines).astype(np.int8)), "distinct": texts,
        "marks": inspector.marks, "ends": list(inspector.temperatures[[0, -1]]), "kinds": KIND_COLORS,
    }  # fmt: skip
