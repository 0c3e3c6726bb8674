"""The page of MergeInspector: everything that ``page.js`` needs to merge and to measure without a model.

Exact, not an approximation: pixels are counted here, at the picture's full size, for every number of competing
queries; the page adds and compares. Only the maps that it paints are those of a larger picture's reduced copy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from ...data.sample import Category, SegmentInfo
from ...render.colors import RGB
from ...render.grid import data_uri, png_bytes
from ...render.masks import VERDICT_COLORS
from ..page import id_picture, inspector_page, toggle
from .pictures import OUTCOME_OF, OUTCOMES, PART_OF, PARTS
from .words import FATE_WORDS, NOTHING_TO_SCORE, QUALITY_COLUMNS, QUALITY_RULE

if TYPE_CHECKING:
    from .reading import Contest

COLORS = {"class": "class", "outcome": "TP, FP, FN"}
PER_PICTURE = 12  # candidates in one picture of 24 bits: two for each
_TABLES = (
    '<div style="display:flex;flex-wrap:wrap;gap:.6rem 1.5rem;align-items:flex-start">'
    '<div id="fates" class="ofl-scroll"></div><div id="quality" style="flex:1 1 24rem;min-width:0"></div></div>'
)
_EXACT = (
    "Counts, fates and PQ are exact: pixels were counted at the picture's full size, {height} x {width}, for every "
    "number of competing queries."
)


def merge_page(
    title: str,
    look_for: str,
    photo: np.ndarray,
    zoom: int,
    contest: Contest,
    categories: Sequence[Category],
    colors: Sequence[RGB],
    thresholds: Sequence[tuple[str, str, float]],
    state: Mapping,
    queries: Mapping[int, str],
    truth: tuple[Sequence[SegmentInfo], np.ndarray, Mapping[int, RGB]] | None,
    size: tuple[int, int],
) -> str:
    """The page as text. ``photo`` as shown, its pixels ``zoom`` of the contest's grid; ``thresholds``: name, words and
    configured value; ``truth``: annotated segments, their map int [h, w] as numbers from 1, their colours."""
    data = {
        "photo": data_uri(png_bytes(photo)), "zoom": zoom, "width": contest.takes.shape[2],
        "height": contest.takes.shape[1], "planes": _planes(contest), "changes": _changes(contest),
        "columns": contest.columns, "columnAreas": contest.column_areas,
        "order": sorted(range(len(contest.candidates)), key=lambda place: contest.candidates[place].rank),
        "candidates": [
            {
                "query": c.query, "label": queries[c.query], "class": c.class_id, "name": categories[c.class_id].name,
                "thing": contest.is_thing[c.class_id], "score": c.score, "vote": c.vote, "own": c.own, "color": color,
            }
            for c, color in zip(contest.candidates, colors)
        ],
        "noObject": {str(query): [value, queries[query]] for query, value in contest.no_object.items()},
        "parts": [color for color, _ in PARTS.values()], "partWords": [text for _, text in PARTS.values()],
        "legends": [OUTCOME_OF, PART_OF],
        "verdicts": {word: VERDICT_COLORS[verdict] for verdict, word in OUTCOMES.items()}, "words": FATE_WORDS,
        "qualityColumns": QUALITY_COLUMNS, "rule": QUALITY_RULE, "nothing": NOTHING_TO_SCORE,
        "truth": _truth(truth, categories),
    }  # fmt: skip
    body = (
        f'<div class="ofl-controls">{_controls(contest, thresholds, state, queries)}</div>'
        '<div class="ofl-views"></div><div class="ofl-controls" id="legend" style="margin-top:.5rem"></div>'
        f'<div class="ofl-told-text" id="told"></div>{_TABLES}'
        f'<p class="ofl-look">{_EXACT.format(height=size[0], width=size[1])}</p>'
    )
    return inspector_page(title, look_for, body, "inspectors/merge/page.js", data)


def _controls(
    contest: Contest, thresholds: Sequence[tuple[str, str, float]], state: Mapping, queries: Mapping[int, str]
) -> str:
    steps = len(contest.candidates)
    sliders = [
        _marked_slider(name, f"{text} (config: {value:g})", (0, 1, 0.01), state[name], value)
        for name, text, value in thresholds
    ]
    sliders.append(_marked_slider("step", "step", (0, steps, 1), state["step"]))
    chosen = {query: " selected" if query == state["query"] else "" for query in queries}
    options = "".join(f'<option value="{q}"{chosen[q]}>{escape(name)}</option>' for q, name in queries.items())
    sliders.append(
        '<label class="ofl-slider"><span>query</span><select name="query"><option value="">that of the step</option>'
        f"{options}</select></label>"
    )
    if "min_iou" in state:
        sliders.append(_marked_slider("min_iou", "IoU threshold (PQ: 0.5)", (0.5, 0.95, 0.01), state["min_iou"]))
        sliders.append(toggle("colors", COLORS, state["colors"]))
    return "".join(sliders)


def _marked_slider(
    name: str, text: str, scale: tuple[float, float, float], value: float, mark: float | None = None
) -> str:
    """A slider from ``scale``'s low to its high, by its step, with a tick at ``mark``."""
    low, high, step = scale
    ticks = "" if mark is None else f'<datalist id="{name}-marks"><option value="{mark}"></option></datalist>'
    listed = "" if mark is None else f' list="{name}-marks"'
    return (
        f'<label class="ofl-slider"><span>{escape(text)}</span><input type="range" name="{name}" min="{low}" '
        f'max="{high}" step="{step}" value="{value}"{listed}>{ticks}<output>{value}</output></label>'
    )


def _planes(contest: Contest) -> list[str]:
    """Pictures whose bits say of 12 candidates each what they take at their entry and what their mask is."""
    planes = []
    for first in range(0, len(contest.candidates), PER_PICTURE):
        bits = np.zeros(contest.takes.shape[1:], dtype=np.int32)
        for bit, place in enumerate(range(first, min(first + PER_PICTURE, len(contest.candidates)))):
            bits |= contest.takes[place].astype(np.int32) << (2 * bit)
            bits |= contest.own[place].astype(np.int32) << (2 * bit + 1)
        planes.append(id_picture(bits))
    return planes


def _changes(contest: Contest) -> list[list[int]]:
    """What each entry changes in the counts of pixels: place in them and difference, in turn."""
    steps = np.diff(contest.counts, axis=0).reshape(len(contest.candidates), contest.counts[0].size)
    return [np.stack([np.flatnonzero(step), step[step != 0]], axis=1).ravel().tolist() for step in steps]


def _truth(truth, categories: Sequence[Category]) -> dict | None:
    if truth is None:
        return None
    segments, numbers, colors = truth
    listed = [
        {"id": s.id, "class": s.class_id, "name": categories[s.class_id].name, "crowd": s.is_crowd,
         "color": colors[number]}
        for number, s in enumerate(segments, start=1)
    ]  # fmt: skip
    return {"ids": id_picture(numbers), "segments": listed}
