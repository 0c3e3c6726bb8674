"""The criterion with its numbers: what each query would cost for each mask, who is matched, and what is paid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .svg import CELL, Canvas, Drawing, as_array, number

_QUERIES, _MASKS, _TERMS = 6, 4, 5


def criterion(
    costs, assigned: Sequence[int], terms: Mapping[str, float], weights: Mapping[str, float],
    queries: Sequence[str] = (), masks: Sequence[str] = (),
) -> Drawing:  # fmt: skip
    """``costs`` [Q, G] of each query with each mask, ``assigned`` [G] the row that each mask gets; the ``terms`` of the
    loss, the ``weights`` they are multiplied with, and their sum. ``queries`` and ``masks`` name rows and columns. At
    most six queries, four masks and five terms.
    """
    table = as_array(costs, "costs", 2, (_QUERIES, _MASKS))
    rows = list(queries) or [f"query {i}" for i in range(len(table))]
    columns = list(masks) or [f"mask {j}" for j in range(table.shape[1])]
    matched = [(int(row), column) for column, row in enumerate(assigned)]
    if len(terms) > _TERMS or set(terms) != set(weights):
        raise ValueError(f"up to {_TERMS} terms, each with a weight: got {list(terms)} and {list(weights)}")
    terms = {name: float(as_array(value, name, 0, ())) for name, value in terms.items()}
    parts = {name: terms[name] * weights[name] for name in terms}
    canvas = Canvas()
    middle, bottom = _matching(canvas, table, rows, columns, matched)
    _paid(canvas, (middle, bottom + 62), terms, weights, parts)
    return canvas.drawing(_words(table, rows, columns, matched, terms, weights, parts))


def _matching(
    canvas: Canvas, table: np.ndarray, rows: Sequence[str], columns: Sequence[str], matched: Sequence[tuple[int, int]]
) -> tuple[float, float]:
    """Predictions from the left and the truth from above meet in the table of costs; gives where it ends."""
    width, x, y = 68.0, 168.0, 86.0
    span, height = width * len(columns), CELL * len(rows)
    canvas.box(x, 14, span, 32, "truth")
    canvas.text(x + span / 2, 30, "ground truth", "title")
    canvas.arrow((x + span / 2, 46), (x + span / 2, y - 20))
    canvas.box(10, y + height / 2 - 22, 76, 44, "part")
    canvas.text(48, y + height / 2, "predictions", "soft")
    canvas.arrow((86, y + height / 2), (104, y + height / 2))
    canvas.table(x, y, table, width, rows=rows, columns=columns, kind="plain", framed=matched)
    canvas.text(x + span / 2, y + height + 15, "costs; framed: the match, least in all", "small")
    return x + span / 2, y + height + 22


def _paid(
    canvas: Canvas, start: tuple[float, float], terms: Mapping[str, float], weights: Mapping[str, float],
    parts: Mapping[str, float],
) -> None:  # fmt: skip
    middle, top = start
    canvas.arrow((middle, top - 56), (middle, top - 28))
    ends = (235, 315, 420)
    for title, end in zip(("loss", "weight", "loss × weight"), ends):
        canvas.text(end, top - 16, title, "name", "end")
    for i, name in enumerate(terms):
        row = top + 4 + i * CELL
        canvas.text(40, row, name, "title", "start")
        for written, end in zip((number(terms[name]), f"{weights[name]:g}", number(parts[name])), ends):
            canvas.text(end, row, written, "number", "end")
    bottom = top + 4 + len(terms) * CELL
    canvas.rule(ends[1] + 20, bottom - 12, ends[2])
    canvas.text(ends[2] - 60, bottom + 3, "sum", "name", "end")
    canvas.text(ends[2], bottom + 3, number(sum(parts.values())), "title", "end")


def _words(table, rows, columns, matched, terms, weights, parts) -> str:
    pairs = ", ".join(f"{rows[i]} answers for {columns[j]} (cost {number(table[i, j])})" for i, j in matched)
    paid = ", ".join(f"{name} {number(terms[name])} x {weights[name]:g}" for name in terms)
    return f"From predictions to the loss: {pairs}; then {paid}; sum {number(sum(parts.values()))}"
