"""The page of TaskInspector: all pairs of tasks, eleven steps between each two."""

from __future__ import annotations

from itertools import combinations, product
from typing import Protocol

import numpy as np

from ...data.sample import TASKS
from ...render import data_uri, png_bytes, webp_bytes
from ..page import Shown, inspector_page, slider, toggle
from .pairs import Pair, TaskPairs
from .pictures import ABOVE, LEFT, mask_atlas, shrunk
from .reading import SHARES, TaskReader

_QUALITY = 75
_PIXELS = 7e5  # of the masks of a task
_BODY = """<div class="ofl-controls">{controls}</div><div id="headline"></div>
<div class="ofl-views">
<figure><figcaption id="blend-words"></figcaption><canvas id="blend" style="cursor:default"></canvas></figure>
<figure><figcaption id="ends"></figcaption><canvas id="chart" aria-label="queries at each step of the blend: arrow
keys choose"></canvas><p>{chart_words}</p></figure>
<figure><p id="query-words" class="ofl-told-text" style="min-height:7.5em"></p>
<div style="display:grid;grid-template-columns:1fr 1fr;gap:8px">{masks}</div></figure>
</div>
<div class="ofl-title">{titles[0]}</div><div class="ofl-views">{panels}</div>
<div class="ofl-title">{titles[1]}</div>{token}<div id="channels"></div>
<style>@media print {{ figure:has(> #chart) {{ grid-column: span 2; grid-row: span 2; }} }}</style>"""


class TaskShown(Shown, Protocol):
    """What the page reads of its inspector."""

    photo: np.ndarray
    reader: TaskReader
    pairs: TaskPairs

    @property
    def token_words(self) -> str: ...
    def pair(self, task: str, other: str) -> Pair: ...
    def caption(self, task: str) -> str: ...
    def result_picture(self, task: str) -> np.ndarray: ...
    def truth_picture(self, task: str) -> np.ndarray | None: ...
    def texts(self, task: str) -> str: ...


def task_page(inspector: TaskShown, titles: tuple[str, str], chart_words: str) -> str:
    """The page as text; what the notebook computes when asked is computed for all pairs here."""
    state = inspector.state
    masks = "".join(
        f'<div><b id="mask-words{i}"></b><canvas id="mask{i}" style="cursor:default"></canvas></div>' for i in (0, 1)
    )
    tasks = {task: task for task in TASKS}
    last = len(inspector.pair(*TASKS[:2]).told) - 1
    controls = (
        toggle("task", tasks, state["task"]) + toggle("other", tasks, state["other"])
        + slider("blend", 0, 1, 0.1, state["blend"]) + slider("query", 0, last, 1, state["query"])
    )  # fmt: skip
    body = _BODY.format(
        controls=controls, masks=masks, titles=titles, chart_words=chart_words, token=inspector.token_words,
        panels="".join(_panel(inspector, task) for task in TASKS),
    )  # fmt: skip
    script = "inspectors/tasks/page.js"
    return inspector_page(type(inspector).__name__, inspector.LOOK_FOR, body, script, _data(inspector))


def _panel(inspector: TaskShown, task: str) -> str:
    parts = [(inspector.caption(task), inspector.result_picture(task), "")]
    if (truth := inspector.truth_picture(task)) is not None:
        parts.append((f"targets, {task}", truth, inspector.texts(task)))
    style = "display:block;width:100%;border-radius:4px"
    figures = (
        f'<b>{caption}</b><img alt="{caption}" style="{style}" src="{_photo(picture)}">{words}'
        for caption, picture, words in parts
    )
    return f"<figure>{''.join(figures)}</figure>"


def _data(inspector: TaskShown) -> dict:
    masks = [shrunk(inspector.reader.readings[task].masks, _PIXELS) for task in TASKS]
    return {
        "tasks": TASKS, "left": LEFT, "above": ABOVE, "shares": SHARES,
        "photo": _photo(inspector.photo),
        "masks": data_uri(png_bytes(mask_atlas(masks))),
        "maskSize": masks[0].shape[1:],
        "pairs": {f"{task} {other}": _pair(inspector, task, other) for task, other in product(TASKS, TASKS)},
        "blends": {f"{task} {other}": _blend(inspector, task, other) for task, other in combinations(TASKS, 2)},
    }  # fmt: skip


def _pair(inspector: TaskShown, task: str, other: str) -> dict:
    pair = inspector.pair(task, other)
    picture = inspector.pairs.chart(task, other)
    return {
        "headline": pair.headline, "channels": pair.channels, "units": pair.chart.size,
        "chart": data_uri(png_bytes(picture, colors=256)), "queries": pair.chart.queries.tolist(),
        "words": [inspector.pairs.query_html(task, other, query) for query in range(len(pair.told))],
    }  # fmt: skip


def _blend(inspector: TaskShown, task: str, other: str) -> list[dict]:
    return [
        {
            "words": f"{step.things} things, {step.stuff} stuff",
            "picture": _photo(inspector.pairs.blended_picture(task, other, i)),
        }
        for i, step in enumerate(inspector.pair(task, other).steps)
    ]


def _photo(picture: np.ndarray) -> str:
    return data_uri(webp_bytes(picture, _QUALITY))
