"""Two tasks compared, for TaskInspector: steps between them, chart and words, computed when first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...config import BaseConfig
from ...render import segment_colors
from ...render.colors import RGB
from ...render.masks import display_ids
from ...render.paper import WHITE, Paper
from .pictures import BlendChart, blend_chart, named_segments
from .reading import SHARES, Step, TaskReader, cosine, fates, most_changed, speaks
from .words import channels, headline, query_words

ROWS = 14  # queries in the chart
KEPT = 2 * len(SHARES)  # pictures of steps, which take longer to paint than an eye waits for

Tasks = tuple[str, str]


@dataclass(frozen=True)
class Pair:
    """Two tasks, and what lies between them: ``told``, ``before`` and ``after`` of each query (its fate, and the cosine
    of its embeddings under the two tasks before and after the decoder)."""

    steps: tuple[Step, ...]
    chart: BlendChart
    told: list[str]
    before: np.ndarray
    after: np.ndarray
    headline: str
    channels: str


class TaskPairs:
    """All pairs of tasks of one picture. ``photo`` uint8 [H, W, 3]: how it is shown; ``colors`` of the classes."""

    def __init__(self, reader: TaskReader, config: BaseConfig, photo: np.ndarray, colors: Mapping[int, RGB]) -> None:
        self._reader, self._config, self._photo, self._class_colors = reader, config, photo, colors
        self._pairs: dict[Tasks, Pair] = {}
        self._charts: dict[tuple[str, str, Paper], np.ndarray] = {}
        self._blended: dict[tuple[str, str, int], np.ndarray] = {}

    def are_known(self, task: str, other: str) -> bool:
        """Whether :meth:`pair` has its answer at hand."""
        return task == other or (task, other) in self._pairs or (other, task) in self._pairs

    def pair(self, task: str, other: str) -> Pair:
        """What lies between two tasks: nine more runs of the model's second half when they are first asked for."""
        if (task, other) not in self._pairs:
            back = self._pairs.get((other, task))
            steps = back.steps[::-1] if back else self._reader.blends(task, other)
            self._pairs[task, other] = self._compare(task, other, steps)
        return self._pairs[task, other]

    def chart(self, task: str, other: str, paper: Paper = WHITE) -> np.ndarray:
        """The queries at each step of the blend, uint8 [H, W, 3]."""
        if (task, other, paper) not in self._charts:
            chart = blend_chart(self.pair(task, other).chart, self._class_colors, paper)
            self._charts[task, other, paper] = chart
        return self._charts[task, other, paper]

    def blended_picture(self, task: str, other: str, step: int) -> np.ndarray:
        """What the panoptic merge finds at a step of the blend; a query's segment has one colour at all steps."""
        key = (task, other, step)
        if key not in self._blended:
            pair = self.pair(task, other)
            every = {s.id: s for chosen in pair.steps for s in chosen.segments}
            colors = segment_colors(every.values(), self._reader.categories)
            ids, names = display_ids(pair.steps[step].segment_map), {i: s.name for i, s in every.items()}
            if len(self._blended) == KEPT:
                del self._blended[next(iter(self._blended))]  # the oldest
            self._blended[key] = named_segments(self._photo, ids, colors, names)
        return self._blended[key]

    def query_html(self, task: str, other: str, query: int) -> str:
        """What becomes of a query between two tasks, as HTML."""
        pair = self.pair(task, other)
        said = {
            name: (self._name(int(step.classes[query])), float(step.scores[query]))
            for name, step in zip((task, other), (pair.steps[0], pair.steps[-1]))
        }
        cosines = float(pair.before[query]), float(pair.after[query])
        return query_words(query, pair.told[query], said, cosines)

    def _compare(self, task: str, other: str, steps: tuple[Step, ...]) -> Pair:
        a, b = (self._reader.readings[name] for name in (task, other))
        before, after = cosine(a.object_queries, b.object_queries), cosine(a.embeddings, b.embeddings)
        classes, scores = (np.stack([getattr(step, name) for step in steps]) for name in ("classes", "scores"))
        heard = speaks(classes, scores, self._config.num_classes, self._config.object_mask_threshold)
        told = fates((classes[0], heard[0]), (classes[-1], heard[-1]))
        shown = most_changed(after, heard.any(axis=0), scores.max(axis=0), ROWS)
        counts = {name: [getattr(step, name) for step in steps] for name in ("things", "stuff")}
        words = [f"{after[q]:.2f}  {self._change(classes[:, q], heard[:, q])}" for q in shown]
        chart = BlendChart((task, other), counts, shown, classes[:, shown], scores[:, shown], heard[:, shown], words)
        return Pair(
            steps, chart, told, before, after,
            headline(task, other, float(cosine(a.token, b.token)), told, counts),
            channels(task, other, b.token - a.token),
        )  # fmt: skip

    def _change(self, classes: np.ndarray, heard: np.ndarray) -> str:
        ends = [self._name(int(classes[i])) if heard[i] else "silent" for i in (0, -1)]
        return ends[0] if ends[0] == ends[1] else " to ".join(ends)

    def _name(self, class_id: int) -> str:
        categories = self._reader.categories
        return categories[class_id].name if class_id < len(categories) else "no object"
