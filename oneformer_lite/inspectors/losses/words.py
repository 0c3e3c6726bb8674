"""What the LossInspector says in words and tables."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from ...render.timeline import Timeline, layer_text
from .gradients import GradientNorms
from .pictures import heat, heat_colors, norms_table, on_heat
from .reading import LossParts
from .table import LossRow

COLUMNS = ("class", "mask", "dice", "total")  # of losses that are sums over segments
_ROWS = 40

# of a row that is clicked, in a notebook: the widget hears of it by a hidden field
TELL = (
    "const t=this.closest('.ofl-losses').querySelector('.ofl-row input');t.value='%d '+Date.now();"
    "for(const n of ['input','change'])t.dispatchEvent(new Event(n,{bubbles:true}));"
)


def step_text(timeline: Timeline, step: int) -> str:
    """What was logged at a step."""
    texts = timeline.texts(step)
    told = [f"<b>step {step:,}</b>, as logged: total {texts['total']}"]
    told += [f"{name} {texts[name]}" for name in timeline.terms]
    return ", ".join(told)


def layers_text(timeline: Timeline, step: int, loss: str) -> str:
    """A loss by decoder layer as it was logged; empty where it is of no layer."""
    layers = timeline.layers(step).get(loss)
    return f"{loss} by layer, as logged: {layer_text(layers)}" if layers else ""


def focus_text(parts: LossParts, loss: str, layer: int, pair: int | None) -> str:
    """How much of a loss the most expensive segments carry in the prediction ``layer``, or a segment's such points."""
    costs = parts.pairs(loss, layer)
    if loss not in COLUMNS or not len(costs):
        return ""
    if pair is None:
        few = max(1, round(len(costs) / 5))
        share = np.sort(costs)[::-1][:few].sum() / max(costs.sum(), 1e-12)
        where = place_text(layer + parts.first)
        return f"{where.capitalize()}: {few} of {len(costs)} segments carry {share:.0%} of what segments cost."
    point_losses = np.sort(parts.point_losses[layer, pair])[::-1]
    tenth = max(1, len(point_losses) // 10)
    share = point_losses[:tenth].sum() / max(point_losses.sum(), 1e-12)
    return (
        f"Query {parts.queries[layer, pair]} answers for it. A tenth of its {len(point_losses)} points carries "
        f"{share:.0%} of its mask loss; the most expensive one costs {point_losses[0]:.2f}."
    )


def rows_table(rows: Sequence[LossRow], loss: str, layer: int, chosen: int | None = None, press: str = "") -> str:
    """The rows as an HTML table, the column of ``loss`` in colour, after the decoder's ``layer``. ``press``: script of
    a click on a row, in which %d becomes its pair. The last row sums all, also those that are not shown."""
    columns = COLUMNS if loss in COLUMNS else (loss, "total")
    highest = max((row.values.get(loss, 0.0) for row in rows), default=0.0)
    heads = "".join(
        f'<th class="{_column(name, loss)}"{" aria-sort=descending" if name == loss else ""}>'
        f"{name}{' ▾' if name == loss else ''}{' (weighted)' if name == 'total' else ''}</th>"
        for name in columns
    )
    lines = [_line(row, columns, loss, highest, chosen, press) for row in rows[:_ROWS]]
    sums = {name: sum(row.values.get(name, 0.0) for row in rows) for name in columns}
    foot = "".join(f'<th class="{_column(name, loss)}">{sums[name]:.4g}</th>' for name in columns)
    where = place_text(layer) if loss in COLUMNS else "of this batch"
    left = f", {len(rows) - _ROWS} more rows included" if len(rows) > _ROWS else ""
    return (
        f"<b>what adds to the losses {where}, most expensive first</b>"
        '<div class="ofl-scroll"><table class="ofl-table ofl-costs">'
        f"<tr><th>image</th><th>segment</th><th>answered by</th>{heads}</tr>{''.join(lines)}"
        f'<tr><th colspan="3">sum{left}</th>{foot}</tr></table></div>'
    )


def norms_text(found: GradientNorms) -> str:
    """Gradient norms as a table with its title, and how to read it."""
    return (
        "<b>gradient norm by part of the model and by weighted loss</b>"
        '<div class="ofl-look">How hard each loss pulls at each part: the darker, the harder, over four decades. '
        "Gradients can cancel: “total” is the norm of their sum.</div>"
        f'<div class="ofl-scroll">{norms_table(found.components, found.terms, found.norms)}</div>'
    )


def place_text(layer: int) -> str:
    """Where in the model a prediction is read."""
    return f"after decoder layer {layer}" if layer else "before the first decoder layer"


def _line(row: LossRow, columns: Sequence[str], loss: str, highest: float, chosen: int | None, press: str) -> str:
    cells = []
    for name in columns:
        value = row.values.get(name)
        style = _style(value, highest) if name == loss and value is not None else ""
        cells.append(f'<td class="{_column(name, loss)}"{style}>{_number(value)}</td>')
    attributes = ""
    if row.pair is not None and press:
        attributes = f' style="cursor:pointer" onclick="{escape(press % row.pair)}"'
    if row.pair is not None and row.pair == chosen:
        attributes += ' class="ofl-chosen"'
    words = "".join(f"<td>{escape(str(word))}</td>" for word in (row.image, row.what, row.who))
    return f"<tr{attributes}>{words}{''.join(cells)}</tr>"


def _column(name: str, loss: str) -> str:
    """The classes of a column's cells: on a narrow screen only the chosen loss and the total have room."""
    return "number" if name in (loss, "total") else "number ofl-aside"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{abs(value):.3g}" if value >= 1e-4 else "&lt; 0.0001"  # abs: no minus before a zero


def _style(value: float, highest: float) -> str:
    return f' style="{on_heat(heat_colors()[heat(value, highest)])}"'
