"""TaskInspector: what the task token changes, and what lies between two tasks."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from ipywidgets import HTML, Box, Image, IntSlider, SelectionSlider, ToggleButtons, VBox
from PIL import Image as PILImage

from ...data.sample import TASKS, Sample
from ...data.targets import targets_for
from ...errors import ConfigError
from ...inference import as_pixels, check_model
from ...model import MaskModel
from ...render import contact_sheet, label_colors, quick_bytes, segment_colors
from ...render.masks import display_ids, display_image
from ..inspector import Absence, Inspector
from ..picture import Picture
from ..segments import Reading, read_prediction, read_truth
from .page import task_page
from .pairs import Pair, TaskPairs
from .pictures import ABOVE, LEFT, mark_cell, named_segments, query_mask
from .reading import SHARES, TaskReader, cosine, fit_ids, text_list, token_ids
from .words import cosine_table, text_lines, token_table

CHART_WORDS = (
    "Above: segments of the panoptic merge at each step. Below: what the most changed queries say: the class's colour, "
    "paler where unsure, a low bar where too unsure for a segment; right: cosine of a query's embedding after the "
    "decoder under the two tasks. Click a cell, or move with the arrow keys."
)
_NONE = (
    "This model is not told its task, so there is no token to compare: its queries say the same whatever they are "
    "asked for, and MaskInspector shows what the three merges make of that."
)
TITLES = ("What the three tasks say, each by its own merge", "The task token")


class TaskInspector(Inspector):
    """Panoptic, instance, semantic: what the task token changes in one picture, from its ids to the merge.

    >>> TaskInspector(model, sample).set(task="panoptic", other="instance", blend=0.5, query=7)

    The blend gives the model a token between those of two tasks and reads what comes with the panoptic merge. State:
    ``task`` and ``other`` (the two tasks compared), ``blend`` (share of the other's token: 0, 0.1 ... 1) and ``query``.
    """

    LOOK_FOR = (
        "What to look for: move the blend from panoptic to instance. Only a few ids of the token differ, yet the "
        "queries of stuff fall silent one after the other while those of things keep their masks."
    )

    def __init__(self, model: MaskModel, image: Sample | PILImage.Image | str | Path | np.ndarray) -> None:
        """``image``: a :class:`Sample`, which brings texts and targets, or anything that :func:`ofl.predict` takes."""
        check_model(model)
        self._sample = image if isinstance(image, Sample) else None
        if model.task_token(TASKS[:1]) is None:
            photo = display_image(as_pixels(self._sample.image if self._sample else image))
            return super().__init__({}, [], Absence(type(self).__name__, _NONE, photo))
        self.reader = TaskReader(model, as_pixels(self._sample.image if self._sample else image))
        self.categories, self._config = self.reader.categories, model.config
        if self._sample and len(self._sample.categories) != len(self.categories):
            raise ConfigError(
                f"the sample has {len(self._sample.categories)} classes, the model {len(self.categories)}: its targets "
                "cannot be compared; pass sample.image to look at the predictions alone"
            )
        self.photo = display_image(self.reader.image)
        self.results = {task: read_prediction(self.reader.result(task)) for task in TASKS}
        self.pairs = TaskPairs(self.reader, model.config, self.photo, label_colors(self.categories))
        super().__init__(*self._build())

    def pair(self, task: str, other: str) -> Pair:
        """What lies between two tasks."""
        return self.pairs.pair(task, other)

    def _build(self) -> tuple[dict, list]:
        buttons = {"style": {"button_width": "auto"}, "layout": {"width": "auto"}}
        last = self._config.num_queries - 1
        controls = {
            "task": ToggleButtons(options=TASKS, **buttons),
            "other": ToggleButtons(options=TASKS, value="instance", description="other", **buttons),
            "blend": SelectionSlider(options=SHARES, value=0.0, description="blend", layout={"width": "18rem"}),
            "query": IntSlider(0, 0, last, description="query", layout={"width": "15rem"}),
        }
        controls["query"].value = int(self.pair("panoptic", "instance").chart.queries[0])
        self._headline, self._blend_words, self._query_words, self._token = HTML(), HTML(), HTML(), HTML()
        self._blend_image = Image(format="jpeg", layout={"width": "100%"})
        self._mask_images = [Image(format="jpeg", layout={"width": "100%"}) for _ in range(2)]
        self._mask_words = [HTML() for _ in range(2)]
        chart = self.pair("panoptic", "instance").chart
        label = "queries at each step of the blend: arrow keys choose"
        self._chart = Picture(None, label, chart.size)
        self._chart.observe(self._pick, "point")
        masks = [VBox([w, i], layout={"width": "50%"}) for w, i in zip(self._mask_words, self._mask_images)]
        columns = [
            ([self._blend_words, self._blend_image], "1 1 17rem"),
            ([HTML("<b>from task to other</b>"), self._chart, HTML(f"<p>{CHART_WORDS}</p>")], "1.4 1 21rem"),
            ([self._query_words, Box(masks, layout={"grid_gap": "8px"})], "1 1 17rem"),
        ]
        wrap = {"flex_flow": "row wrap", "grid_gap": "14px"}
        row = Box([VBox(part, layout={"flex": flex, "min_width": "0"}) for part, flex in columns], layout=wrap)
        panels = []
        for task in TASKS:
            parts = [HTML(f"<b>{self.caption(task)}</b>"), _still(self.result_picture(task))]
            if (truth := self.truth_picture(task)) is not None:
                parts += [HTML(f"<b>targets, {task}</b>"), _still(truth), HTML(self.texts(task))]
            panels.append(VBox(parts, layout={"flex": "1 1 19rem", "min_width": "0"}))
        titles = [HTML(f'<div class="ofl-title">{text}</div>') for text in TITLES]
        return controls, [self._headline, row, titles[0], Box(panels, layout=wrap), titles[1], self._token]

    @cached_property
    def token_words(self) -> str:
        """The ids of the three sentences and the cosines of the tokens, as HTML."""
        tokens = np.stack([self.reader.readings[task].token for task in TASKS])
        length = self._config.text_length
        return token_table(*token_ids(length), length) + cosine_table(cosine(tokens[:, None], tokens[None]))

    def caption(self, task: str) -> str:
        """A task and how many segments it found."""
        things = [self.categories[s.class_id].is_thing for s in self.results[task].segments]
        return f"{task}: {sum(things)} things, {len(things) - sum(things)} stuff"

    def truth_picture(self, task: str) -> np.ndarray | None:
        """The targets of a task, if the picture came with an annotation that supplies them."""
        if not self._sample or task not in self._sample.tasks:
            return None
        truth = read_truth(self._sample, task)
        return self._painted(replace(truth, segment_map=fit_ids(truth.segment_map)))

    def texts(self, task: str) -> str:
        """The text list of a task as HTML."""
        return text_lines(text_list(self._sample, task, self._config.num_texts), len(targets_for(self._sample, task)))

    def result_picture(self, task: str) -> np.ndarray:
        """What a task found, by its own merge: uint8 [H, W, 3]."""
        return self._painted(self.results[task])

    def _painted(self, reading: Reading) -> np.ndarray:
        ids = display_ids(reading.segment_map)
        names = {s.id: s.name for s in reading.segments}
        return named_segments(self.photo, ids, segment_colors(reading.segments, self.categories), names)

    def _draw(self) -> None:
        task, other, query, step = self._chosen()
        for name, words, image in zip((task, other), self._mask_words, self._mask_images):
            words.value = f"<b>{name}</b>"
            self._show(image, (name, query), partial(self._mask, name, query))
        if not self.pairs.are_known(task, other):
            self._headline.value = f"<p><b>{task} → {other}.</b> The steps between them are being computed …</p>"
        pair = self.pair(task, other)
        now = pair.steps[step]
        self._blend_words.value = f"<b>blend {SHARES[step]:.1f}: {now.things} things, {now.stuff} stuff</b>"
        self._show(self._blend_image, (task, other, step), partial(self.pairs.blended_picture, task, other, step))
        self._headline.value, self._token.value = pair.headline, self.token_words + pair.channels
        self._query_words.value = f"<p>{self.pairs.query_html(task, other, query)}</p>"
        self._show(self._chart, (task, other), partial(self.pairs.chart, task, other, self.paper))
        self._frame_chart(self._row(pair), step, pair.chart.size)

    def _frame_chart(self, row: int | None, step: int, size: tuple[int, int]) -> None:
        frames = [(0, LEFT + step, size[0], 1)]
        if row is not None:
            frames.append((ABOVE + row, 0, 1, size[1]))
            self._chart.move((ABOVE + row, LEFT + step))
        self._chart.frame(*frames)

    def _chosen(self) -> tuple[str, str, int, int]:
        state = self.state
        return state["task"], state["other"], state["query"], SHARES.index(state["blend"])

    def _row(self, pair: Pair) -> int | None:
        place = np.flatnonzero(pair.chart.queries == self.state["query"])
        return int(place[0]) if len(place) else None

    def _marked(self) -> np.ndarray:
        task, other, _, step = self._chosen()
        return mark_cell(self.pairs.chart(task, other), self._row(self.pair(task, other)), step)

    def _mask(self, task: str, query: int) -> np.ndarray:
        return query_mask(self.photo, self.reader.readings[task].masks[query])

    def _pick(self, change) -> None:
        """A place in the chart was clicked or reached: its step, and below the curve its query."""
        (row, column), (task, other, query, step) = change["new"], self._chosen()
        picked = min(max(column - LEFT, 0), len(SHARES) - 1)
        if row >= ABOVE:
            query = int(self.pair(task, other).chart.queries[row - ABOVE])
        if (query, SHARES[picked]) != (self.state["query"], SHARES[step]):
            self.set(query=query, blend=SHARES[picked])

    def _picture(self) -> np.ndarray:
        task, other, query, step = self._chosen()
        chart = PILImage.fromarray(self._marked())
        height = self.photo.shape[0]
        chart = chart.resize((round(chart.width * height / chart.height), height), PILImage.Resampling.LANCZOS)
        blended = self.pairs.blended_picture(task, other, step)
        masks = contact_sheet([[self._mask(name, query)] for name in dict.fromkeys((task, other))], gap=0)
        half = PILImage.fromarray(masks).resize((masks.shape[1] // 2, masks.shape[0] // 2), PILImage.Resampling.BOX)
        found = contact_sheet([[self.result_picture(name) for name in TASKS]], [self.caption(name) for name in TASKS])
        now = self.pair(task, other).steps[step]
        titles = (
            f"blend {SHARES[step]:.1f}: {now.things} things, {now.stuff} stuff", f"from {task} to {other}",
            f"mask of query {query}, {' and '.join(dict.fromkeys((task, other)))}",
        )  # fmt: skip
        between = contact_sheet([[blended, np.asarray(chart), np.asarray(half)]], titles)
        return contact_sheet([[found], [between]], gap=0)

    def _subject(self) -> str:
        return ", ".join(self.caption(task) for task in TASKS)

    def _page(self) -> str:
        return task_page(self, TITLES, CHART_WORDS)


def _still(picture: np.ndarray) -> Image:
    return Image(value=quick_bytes(picture, photo=True), format="jpeg", layout={"width": "100%"})
