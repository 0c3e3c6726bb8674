"""The LossInspector's page: the same pictures from embedded numbers, reduced so that a page stays small."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Protocol

import numpy as np

from ...render import data_uri, webp_bytes
from ...render.pages import base64_numbers
from ...training.run import Run
from ..page import Shown, id_picture, inspector_page, slider, toggle
from .curves import LossCurves
from .pictures import HIGHEST, batch_sheet, heat, heat_colors, scale_bar
from .reading import LossParts
from .shown_step import LossStep, LossSteps
from .table import loss_rows
from .words import COLUMNS, focus_text, layers_text, place_text, rows_table, step_text

_STEPS, _SHEETS, _POINT_BYTES = 200, 12, 1_500_000
_WIDE = "grid-template-columns:repeat(auto-fit,minmax(min(26rem,100%),1fr))"  # two beside each other, or one


class LossShown(Shown, Protocol):
    """What the page reads of its inspector."""

    losses: tuple[str, ...]
    curves: LossCurves | None
    batches: LossSteps
    run: Run | None
    note: str

    def step_shown(self) -> LossStep | None: ...
    def norms_html(self) -> str: ...


def loss_page(inspector: LossShown) -> str:
    """The whole page, with the batch of the step that is chosen, and pictures of some others."""
    state, step = inspector.state, inspector.step_shown()
    data: dict = {"paired": COLUMNS, "heat": heat_colors().tolist(), "highest": HIGHEST}
    controls = [toggle("loss", {name: name for name in inspector.losses}, state["loss"])]
    if inspector.curves:
        data |= _over_time(inspector)
        stops = data["steps"]
        controls.insert(0, slider("step", 0, len(stops) - 1, 1, stops.index(state["step"])))
    if step:
        data["images"] = [
            {"photo": data_uri(webp_bytes(step.photo(i), 80)), "ids": id_picture(step.ids(i)), "task": task}
            for i, task in enumerate(step.tasks)
        ]
        data["segments"] = [step.names(i) for i in range(len(step.tasks))]
        small = batch_sheet(step.all_painted, step.captions)
        data["sheet"] = data_uri(webp_bytes(small, 82))
        data |= {"at": state.get("step"), "image": state["image"], "segment": state.get("segment")}
        if step.parts:
            data |= _numbers(step, inspector.losses)
            if inspector.run:
                data["now"] = data["now"].replace("this batch", f"the batch of step {state['step']:,}")
            controls.append(slider("layer", 0, len(step.parts.queries) - 1, 1, state["layer"]))
        controls.append(slider("image", 0, len(step.tasks) - 1, 1, state["image"]))
        if step.parts:
            controls.append('<label class="ofl-slider"><span>segment</span><select name="segment"></select></label>')
    note = f'<p class="ofl-look">{escape(inspector.note)}</p>' if inspector.note else ""
    norms = inspector.norms_html() if step and step.parts and step.norms_at_hand() else ""
    body = (
        f'{note}<div class="ofl-controls">{"".join(controls)}</div><div class="ofl-told-text" id="told"></div>'
        f'<div class="ofl-views" id="views" style="{_WIDE}"></div>'
        '<div id="table" class="ofl-told-table" style="margin:1rem 0"></div>'
        f'<div id="norms" class="ofl-told-table">{norms}</div>'
    )
    return inspector_page(type(inspector).__name__, inspector.LOOK_FOR, body, "inspectors/losses/page.js", data)


def _over_time(inspector: LossShown) -> dict:
    """Curves, words at each stop of the slider, and the batches of a few stops."""
    moments, chosen = inspector.curves.moments, inspector.state["step"]
    kept = np.unique(np.linspace(0, len(moments) - 1, min(_STEPS, len(moments))).round().astype(int))
    steps = sorted({*(moments[i] for i in kept), chosen})
    plots = {}
    for name, plot in inspector.curves.plots.items():
        places = {side: getattr(plot, side) for side in ("start", "slope", "top", "height")}
        plots[name] = {"picture": data_uri(plot.png), **places}
    sheets = {}
    for i in np.unique(np.linspace(0, len(steps) - 1, _SHEETS).round().astype(int)):
        if steps[i] != chosen and (step := inspector.batches.at(steps[i])):
            sheet = batch_sheet(step.all_painted, step.captions)
            sheets[steps[i]] = data_uri(webp_bytes(sheet, 78))
    texts = [step_text(inspector.curves.timeline, step) for step in steps]
    layers = {name: [layers_text(inspector.curves.timeline, step, name) for step in steps] for name in inspector.losses}
    return {"steps": steps, "plots": plots, "texts": texts, "layers": layers, "sheets": sheets}


def _numbers(step: LossStep, losses: Sequence[str]) -> dict:
    """Costs by loss, layer and pair, tables and words as HTML, points in six bytes each."""
    parts, names = step.parts, [category.name for category in step.categories]
    layers, first = range(len(parts.queries)), parts.first
    costs = {name: [np.round(parts.pairs(name, layer), 6).tolist() for layer in layers] for name in losses}
    tables = {
        name: [rows_table(loss_rows(parts, name, at, names), name, at + first, None, "pair:%d") for at in layers]
        for name in COLUMNS
    }
    for name in losses:
        if name not in COLUMNS:
            tables[name] = [rows_table(loss_rows(parts, name, 0, names), name, 0)] * len(layers)
    words = {name: [focus_text(parts, name, layer, None) for layer in layers] for name in losses}
    pairs = [[focus_text(parts, "mask", layer, g) for g in range(len(parts.images))] for layer in layers]
    return {
        "costs": costs, "tables": tables, "words": words, "pairWords": pairs, "pairs": len(parts.images),
        "pairImage": parts.images.tolist(), "pairSegment": parts.segments.tolist(),
        "places": [place_text(layer + first) for layer in layers], "now": f"Now {step.losses_text()}",
        "scales": {"segment": scale_bar("0", "the most expensive segment of the batch"), "dice": scale_bar("0", "1"),
                   "point": scale_bar("0", f"{HIGHEST:g} and more; undecided is 0.69")},
        **_points(parts),
    }  # fmt: skip


def _points(parts: LossParts) -> dict:
    """For each prediction and pair the points that cost most, cheapest first: x, y as uint16, then the places of
    pointwise loss and error in the colours as uint8."""
    layers, masks, count = parts.point_losses.shape
    kept = min(count, _POINT_BYTES // max(1, 6 * layers * masks))
    order = np.argsort(parts.point_losses, axis=-1, kind="stable")[..., count - kept :]
    places = np.take_along_axis(parts.points, order[..., None], axis=2) * 65535
    xy = places.clip(0, 65535).astype("<u2")
    values = [
        heat(np.take_along_axis(field, order, axis=-1), highest)
        for field, highest in ((parts.point_losses, HIGHEST), (parts.point_errors, 1.0))
    ]
    encoded = [base64_numbers(numbers) for numbers in (xy, *values)]
    return {"points": encoded, "pointsKept": kept, "pointsAll": count}
