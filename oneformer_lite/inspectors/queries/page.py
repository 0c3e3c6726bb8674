"""The data of QueryInspector's page: all masks of all predictions, small enough to be sent by mail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch.nn.functional as F

from ...render.grid import data_uri, png_bytes, webp_bytes
from ...render.masks import display_ids
from ...render.overlay import stack_masks
from ..page import id_picture, inspector_page, slider, toggle
from .claims import Standing
from .painter import QueryPainter
from .pictures import mosaic, quantised
from .reading import SORTS, QueryReading
from .words import FIRST, looked_words, page_body

# (checkpoint, task) -> the reading, and how its queries fare after each layer
Readings = Mapping[tuple[str, str], tuple[QueryReading, Sequence[Sequence[Standing]]]]

MOST_BYTES = 3_000_000  # of mask logits before compression: a page then stays below 5 MB whatever they are

_ONE_TASK = (
    '<p class="ofl-look">This page holds the {task} task alone: the masks of all tasks together would make it too '
    "large. For {others}, choose the task in the notebook and write another page, as in "
    '<code>inspector.set(task="{other}").to_html("{other}.html")</code>.</p>'
)
MOST_CELLS = 2_000_000  # of attention in all shades


def query_page(
    title: str, look_for: str, state: Mapping, readings: Readings, painter: QueryPainter, factor: float, rule: str
) -> str:
    """The page as text. ``state``: what the inspector shows; ``factor``: how many times as large the picture is shown;
    ``rule``: by which a pixel is given away (``claims.rule_of``).

    Where the masks of all tasks have no room, the page has one task: that of ``state``.
    """
    note = ""
    if reduction([reading for reading, _ in readings.values()]) > 1:
        left_out = [task for task in dict.fromkeys(task for _, task in readings) if task != state["task"]]
        readings = {key: value for key, value in readings.items() if key[1] == state["task"]}
        note = _ONE_TASK.format(task=state["task"], others=" and ".join(left_out), other=left_out[0])
    step = reduction([reading for reading, _ in readings.values()])
    names, tasks = (list(dict.fromkeys(key[i] for key in readings)) for i in (0, 1))
    first, found = next(iter(readings.values()))
    queries, layers = first.num_queries, len(found) - 1
    data = {
        "photo": data_uri(webp_bytes(painter.photo)), "factor": factor, "size": first.size, "names": painter.names,
        "colors": painter.colors, "queries": queries, "layers": layers, "checkpoints": names, "point": state["point"],
        "first": first.first, "rule": rule,
        "readings": {f"{name}|{task}": reading_data(*value, step) for (name, task), value in readings.items()},
    }  # fmt: skip
    controls = [
        toggle("task", {task: task for task in tasks}, state["task"]),
        toggle("sort", {sort: sort for sort in SORTS}, state["sort"]),
        slider("query", 0, queries - 1, 1, state["query"]),
        slider("layer", 0, layers, 1, state["layer"]),
    ]
    if len(names) > 1:
        controls.append(toggle("checkpoint", {name: name for name in names}, state["checkpoint"]))
    return inspector_page(title, look_for, note + page_body(controls), "inspectors/queries/page.js", data)


def reduction(readings: list[QueryReading]) -> int:
    """By how much the sides of the masks must shrink that all of them have room: 1 where they fit."""
    step = 1
    while sum(reading.mask_logits.numel() for reading in readings) / step**2 > MOST_BYTES:
        step += 1
    return step


def reading_data(reading: QueryReading, standings: Sequence[Sequence[Standing]], step: int) -> dict:
    """One reading as ``inspectors/queries/page.js`` finds it; ``standings`` of every prediction and query."""
    cells = [side / (reading.stride * step) for side in reading.unpadded]
    kept = [int(np.ceil(side)) for side in cells]
    masks = F.avg_pool2d(reading.mask_logits, step, ceil_mode=True) if step > 1 else reading.mask_logits
    maps = quantised(masks.numpy())[:, :, : kept[0], : kept[1]]
    layers, queries = range(len(masks)), range(reading.num_queries)
    return {
        "shape": maps.shape[2:],
        "cells": cells,
        "masks": [_gray(maps[layer]) for layer in layers],
        "attention": [_attention(reading, layer) for layer in layers[1 - reading.first :]],
        "top": [[_flat(reading.top_classes(layer, q)) for q in queries] for layer in layers],
        "order": [reading.order(layer, "confidence") for layer in layers],  # of unrounded numbers
        "standings": [[[s.class_id, round(s.score, 4), s.barred, s.dropped] for s in row] for row in standings],
        "truth": _truth(reading),
        "boxes": None if reading.boxes is None else np.round(reading.boxes.double().numpy(), 4).tolist(),
        "first": FIRST[reading.told],
    }


def _attention(reading: QueryReading, layer: int) -> dict:
    """0 where a query may not look, else 1 to 255: its share of the strongest weight of the query. Words alone where
    the model records none."""
    if reading.looked_at(layer, 0) is None:
        return {"words": [looked_words(reading, layer, q) for q in range(reading.num_queries)]}
    place = reading.reads(layer)
    weights, regions = reading.attention[place].numpy(), reading.regions[place].numpy()
    strongest = weights.max((1, 2), keepdims=True).clip(1e-9)
    cells = sum(attention.numel() for attention in reading.attention)
    shades = 254 if cells <= MOST_CELLS else 15  # the noise of many weights does not compress
    levels = np.where(regions, 1 + (254 / shades * (shades * weights / strongest).round()).round(), 0).astype(np.uint8)
    words = [looked_words(reading, layer, q) for q in range(reading.num_queries)]
    return {"map": _gray(levels), "shape": levels.shape[1:], "cells": reading.cells_looked_at(layer), "words": words}


def _truth(reading: QueryReading) -> dict | None:
    truth = reading.truth
    if truth is None:
        return None
    layers, queries = range(reading.num_layers + 1), range(reading.num_queries)
    partners = [[truth.partner(layer, q) for q in queries] for layer in layers]
    return {
        "ids": id_picture(display_ids(stack_masks(truth.masks))),
        "classes": truth.class_ids,
        "partners": [[p and [p[0], round(p[1], 3), int(p[2])] for p in row] for row in partners],
    }


def _gray(maps: np.ndarray) -> str:
    return data_uri(png_bytes(mosaic(maps)))


def _flat(pairs: list[tuple[int, float]]) -> list[float]:
    return [number for class_id, value in pairs for number in (class_id, round(value, 3))]
