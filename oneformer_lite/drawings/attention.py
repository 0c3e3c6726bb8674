"""Attention with its numbers: who asks, who answers, how much each counts, and what comes of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .svg import CELL, WIDTH, Canvas, Drawing, as_array, numbers

_MOST = 4
_HEADS, _WORDS = 4, 7


def attention(queries, keys, values, names: Sequence[str] = (), allowed=None) -> Drawing:
    """Queries [n, d], keys [m, d], values [m, c] and what attention makes of them: scores, weights, results.

    At most four of each. ``names``: of the keys and values; ``allowed`` bool [n, m]: where a query may look.
    What is drawn is softmax(Q Kᵀ / √d) V, computed here in float64.

    Lesson 00b.
    """
    q = as_array(queries, "queries", 2, (_MOST, _MOST))
    k = as_array(keys, "keys", 2, (_MOST, q.shape[1]))
    v = as_array(values, "values", 2, (len(k), _MOST))
    scores = q @ k.T / math.sqrt(q.shape[1])
    if allowed is not None:
        scores = np.where(np.asarray(allowed, dtype=bool), scores, -np.inf)
    weights = softmax(scores)
    names = list(names) or [f"k{j + 1}" for j in range(len(k))]
    askers = [f"q{i + 1}" for i in range(len(q))]
    canvas = Canvas()
    bottom = _scores(canvas, (q, k, scores), askers, names)
    _results(canvas, bottom + 88, (weights, v, weights @ v), askers, names)
    return canvas.drawing(_attention_words(weights, weights @ v, names))


def _cell_width(*tables: np.ndarray) -> float:
    """Of cells in which every number of the tables fits."""
    return max(26.0, *(7.2 * len(number) + 4 for table in tables for row in numbers(table) for number in row))


def softmax(scores: np.ndarray) -> np.ndarray:
    """Of each row; minus infinity becomes 0."""
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def _scores(canvas: Canvas, tables: Sequence[np.ndarray], askers: Sequence[str], names: Sequence[str]) -> float:
    """Q Kᵀ / √d in a row; gives its lower end."""
    q, k, scores = tables
    narrow, wide, top, x = _cell_width(q, k), _cell_width(scores), 48, 32.0
    total = x + (q.shape[1] + len(k)) * narrow + 76 + len(k) * wide
    if total > WIDTH:
        raise ValueError(
            f"queries {list(q.shape)} and keys {list(k.shape)} with decimals are {total:.0f} wide, {WIDTH} fit: "
            "take fewer channels, or whole numbers"
        )
    canvas.table(x, top, q, narrow, "Q: queries", askers)
    x += q.shape[1] * narrow + 13
    canvas.text(x, top + len(q) * CELL / 2, "·", "sign")
    x += 13
    canvas.table(x, top, k.T, narrow, "Kᵀ: keys", columns=names)
    x += len(k) * narrow + 24
    canvas.text(x, top + len(q) * CELL / 2, f"/ {_root(q.shape[1])} =", "soft")
    x += 26
    canvas.table(x, top, scores, wide, "scores", columns=names)
    middle = x + len(k) * wide / 2
    bottom = top + CELL * max(len(q), q.shape[1])
    canvas.arrow((middle, top + CELL * len(q) + 3), (middle, bottom + 26), (92, bottom + 26), (92, bottom + 46))
    canvas.text(104, bottom + 38, "softmax: e to the score, each row divided by its sum", "small", "start")
    return bottom


def _results(
    canvas: Canvas, top: float, tables: Sequence[np.ndarray], askers: Sequence[str], names: Sequence[str]
) -> None:
    weights, v, results = tables
    wide = min(46, (WIDTH - 104) / (weights.shape[1] + 2 * v.shape[1]))
    x = 32.0
    canvas.table(x, top, weights, wide, "weights", askers, names, "weight")
    x += weights.shape[1] * wide + 14
    canvas.text(x, top + CELL * len(v) / 2, "·", "sign")
    x += 34
    canvas.table(x, top, v, wide, "V: values", names)
    x += v.shape[1] * wide + 14
    canvas.text(x, top + CELL * len(v) / 2, "=", "sign")
    canvas.table(x + 14, top, results, wide, "results")


def _root(d: int) -> str:
    root = math.sqrt(d)
    return f"{root:.0f}" if root == round(root) else f"√{d}"


def _attention_words(weights: np.ndarray, results: np.ndarray, names: Sequence[str]) -> str:
    rows = [
        f"q{i + 1} takes " + ", ".join(f"{w:.2f} of {name}" for w, name in zip(row, names) if w >= 0.005)
        + " and gets (" + ", ".join(f"{r:.2f}" for r in result) + ")"
        for i, (row, result) in enumerate(zip(weights, results))
    ]  # fmt: skip
    return "Attention, drawn with its numbers: " + "; ".join(rows)


def heads(weights, names: Sequence[str]) -> Drawing:
    """The weights [M, n, n] of up to four heads side by side, in percent, for up to seven tokens. Rows ask, columns are
    looked at; a dot is less than half a percent, an empty cell none at all.
    """
    w = as_array(weights, "weights", 3, (_HEADS, _WORDS, _WORDS))
    if not len(names) == w.shape[1] == w.shape[2]:
        raise ValueError(f"weights of {list(w.shape)} need {w.shape[1]} names for rows and columns, got {len(names)}")
    canvas, side = Canvas(), 25.5
    above = 44 + max(6.5 * len(name) for name in names)
    height = len(names) * CELL + above + 14
    for head, table in enumerate(w):
        x, y = 56 + head % 2 * 204, above + head // 2 * height
        canvas.text(x + len(names) * side / 2, y - above + 20, f"head {head}: percent", "title")
        for j, name in enumerate(names):
            canvas.text(x + (j + 0.5) * side, y - 6, name, "name", "start", turned=True)
        canvas.table(x, y, table, side, rows=names if head % 2 == 0 else (), kind="weight", written=percents(table))
    return canvas.drawing(_heads_words(w, names))


def percents(weights: np.ndarray) -> list[list[str]]:
    """As cells of a table."""
    return [["" if w == 0 else f"{100 * w:.0f}" if w >= 0.005 else "·" for w in row] for row in weights]


def _heads_words(weights: np.ndarray, names: Sequence[str]) -> str:
    most = (f"in head {h}, {names[-1]!r} looks most at {names[w[-1].argmax()]!r}" for h, w in enumerate(weights))
    return f"Attention weights of {len(weights)} heads over the words {', '.join(names)}: {'; '.join(most)}"
