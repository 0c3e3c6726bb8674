"""In words: what the contrastive loss makes of one image and one text list. ``page.js`` says the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import numpy as np

from .pictures import KIND_COLORS, TWIN
from .reading import (
    KINDS,
    NEARLY,
    Contrast,
    Encoded,
    lowest_loss,
    shared_sentences,
    slot_cosines,
    slot_runs,
)  # fmt: skip

ALONE = (
    "A batch of one image: its softmax has a single entry, which is always 100 %, so the loss is exactly 0, with zero "
    "gradient, and the text mapper learns nothing. Negatives are the other images of the batch, over all processes."
)


def pair_text(
    batch: Sequence[Encoded], shares: np.ndarray, now: Contrast, row: int, column: int, temperature: float
) -> str:
    """HTML: the loss of the batch and its parts, then the chosen pair. ``shares`` float [B, B, Q]."""
    rows, columns = now.row_losses.mean(), now.column_losses.mean()
    lines = [f"<b>loss {now.loss:.3f}</b> = {rows:.3f} (mean of the rows) + {columns:.3f} (mean of the columns)"]
    if len(batch) == 1:
        lines = [f"<b>loss 0.</b> {ALONE}"]
    elif lowest := lowest_loss(batch):
        lines[0] += f"; cannot fall below {lowest:.3f}, because some text lists are equal"
    cosine, clamped = shares[row, column].sum(), now.scale < 1 / temperature
    scale = f" × {now.scale:.0f} (clamped)" if clamped else f" / {temperature:.3f}"
    pair = (
        f"Image {row} ({batch[row].task}) and texts {column} ({batch[column].task}): cosine {cosine:.3f}{scale} = "
        f"{now.similarity[row, column]:.2f}; {_percent(now.by_row[row, column])} of the row, "
        f"{_percent(now.by_column[row, column])} of the column"
    )
    parts = []
    for number, kind in enumerate(KINDS):
        here = batch[column].kinds == number
        if here.any():
            parts.append(f"{shares[row, column, here].sum():+.3f} from {here.sum()} {_NAMES[kind]}")
    lines += [pair, f"{cosine:.3f} = {', '.join(parts)}"]
    shared = shared_sentences(batch[row], batch[column])
    if row != column and shared > 0:
        twin = ": a false negative" if shared >= NEARLY else ""
        lines.append(f"The two lists share {_percent(shared)} of their sentences{twin}")
    return f'<div class="ofl-told-text">{"<br>".join(line + "." * (line[-1] != ".") for line in lines)}</div>'


SHORT = {"panoptic": "pan.", "instance": "inst.", "semantic": "sem."}
_NAMES = {"sentence": "sentences", "padding": "× padding", "context": "× learned context"}


def slot_text(image: Encoded, texts: Encoded, shares: np.ndarray, query: int, text: int) -> str:
    """HTML: object query ``query`` and text slot ``text``; ``shares`` float [Q] of the pair."""
    cosines = slot_cosines(image, texts)
    line = f"Query {query} and text slot {text} (“{escape(texts.text(text))}”): cosine {cosines[query, text]:.3f}"
    if query != text:
        line += "; the loss never compares them: slots meet by number"
    else:
        rank = int((np.abs(shares) > abs(shares[query])).sum()) + 1
        line += f"; it adds {shares[query]:+.4f} to the cosine of the pair, rank {rank} of {len(shares)}"
        nearest = int(cosines[query].argmax())
        if cosines[query, nearest] > cosines[query, query] + 1e-3:
            line += f". More like it: slot {nearest} (“{escape(texts.text(nearest))}”, {cosines[query, nearest]:.3f})"
    return f'<div class="ofl-told-text">{line}.</div>'


def slot_table(image: Encoded, texts: Encoded, shares: np.ndarray, own: np.ndarray, slot: int) -> str:
    """HTML table: the slots of both text lists, with what they add to the cosine; padding and context have one line."""
    same = image is texts
    heads = ["slot", f"texts {texts.image}", "adds"] + ([] if same else [f"texts {image.image} (own)", "adds"])
    head = "".join(f"<th{_right(name)}>{name}</th>" for name in heads)
    rows = []
    for first, last in slot_runs(image, texts):
        run = slice(first, last + 1)
        cells = [
            f"{first}" if first == last else f"{first}–{last}",
            *_cell(texts, first, last),
            f"{shares[run].sum():+.4f}",
        ]
        if not same:
            cells += [*_cell(image, first, last), f"{own[run].sum():+.4f}"]
        marked = ' class="ofl-marked"' if first <= slot <= last else ""
        rows.append(f"<tr{marked}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    return f'<div class="ofl-scroll"><table class="ofl-table"><tr>{head}</tr>{"".join(rows)}</table></div>'


def _cell(list_: Encoded, first: int, last: int) -> list[str]:
    kind = KINDS[list_.kinds[first]]
    count = last - first + 1
    words = escape(list_.text(first))
    if kind == "padding":
        words = f'<span class="ofl-later">{words} (padding{f" × {count}" if count > 1 else ""})</span>'
    elif kind == "context":
        words = f"{words} × {count}"
    return [f'<i class="ofl-dot" style="background:rgb{KIND_COLORS[kind]}"></i>{words}']


def _right(name: str) -> str:
    return ' class="number"' if name == "adds" else ""


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %" if math.isfinite(value) else "?"


def legend_entries() -> list[tuple[str, RGB | None]]:
    """What the colours and lines of the pictures mean."""
    return [
        ("sentence of a segment", KIND_COLORS["sentence"]),
        ("padding", KIND_COLORS["padding"]),
        ("learned context", KIND_COLORS["context"]),
        (f"false negative: same task, and the same sentences or {_percent(NEARLY)} of them", TWIN),
        ("— with the image’s own texts", None),
        ("lead: own pair above the next best", None),
    ]


def legend() -> str:
    """:func:`legend_entries` as HTML."""
    dot = '<i class="ofl-dot" style="background:rgb{}"></i>'
    items = (f"<span>{dot.format(color) if color else ''}{text}</span>" for text, color in legend_entries())
    return f'<div class="ofl-controls">{"".join(items)}</div>'
