"""MergeInspector: panoptic merging and panoptic quality, step by step."""

from __future__ import annotations

from html import escape
from pathlib import Path

import numpy as np
from ipywidgets import HTML, Box, Dropdown, FloatSlider, IntSlider, ToggleButtons, VBox
from PIL import Image as PILImage

from ...data.sample import Sample
from ...errors import ConfigError
from ...inference import predict_raw, read_prediction
from ...metrics.overlaps import SegmentMatching
from ...metrics.panoptic import PanopticResult
from ...model import MaskModel
from ...render import contact_sheet
from ...render.legend import with_legend
from ...render.masks import display_factor, display_image
from ..inspector import Absence, Inspector
from ..picture import Picture
from .maps import MergeMaps, legend_entries
from .page import COLORS, merge_page
from .pictures import legend
from .reading import Merged, hold_contest, measure, merge, tell
from .words import BY_PIXEL, FATE_WORDS, OTHER_RULES, FateRow, fates_table, quality_table


class MergeInspector(Inspector):
    """What becomes of each query when a picture's queries are merged to one map, and what that is worth.

    >>> MergeInspector(model, sample).set(object_threshold=0.5, query=17)

    The thresholds start at the model's own, where the map is that of :func:`ofl.predict`. With a :class:`Sample` the
    panoptic quality of this picture follows every change. Click a pixel to see the query that wins it. State:
    ``object_threshold``, ``overlap_threshold`` (0 to 1), ``step`` (how many candidates have had their turn), ``query``
    (its number, None: that of the step) and, with ground truth, ``min_iou`` (0.5 to 0.95) and ``colors`` ("class" or
    "outcome").
    """

    LOOK_FOR = (
        "What to look for: what is missing from the map is often there as a query, dropped by a threshold. Move that "
        "threshold until it appears, and see what comes with it: a true positive may bring false ones."
    )

    def __init__(self, model: MaskModel, image: Sample | PILImage.Image | str | Path | np.ndarray) -> None:
        """``image``: a :class:`Sample`, which brings its ground truth, or anything that :func:`ofl.predict` takes."""
        sample = image if isinstance(image, Sample) else None
        self.image, raw = predict_raw(model, sample.image if sample else image, "panoptic")
        self.config, self.categories = model.config, model.config.categories
        if sample and len(sample.categories) != len(self.categories):
            raise ConfigError(
                f"the sample has {len(sample.categories)} classes, the model {len(self.categories)}: its ground truth "
                "cannot be compared; pass sample.image to look at the prediction alone"
            )
        other = OTHER_RULES.get(self.config.POSTPROCESSING)
        if by_pixel := self.config.learns_absence:
            other = BY_PIXEL
        if other:
            task = "semantic" if by_pixel else "panoptic"
            found = read_prediction(raw, task, self.image, self.config, self.categories)
            super().__init__({}, [], Absence(self._title(), other, found.render()))
            return
        self._sample = sample if sample and "panoptic" in sample.tasks else None
        factor = display_factor(self.image.shape[:2])
        photo, zoom = display_image(self.image), max(1, int(factor))
        grid = tuple(size // zoom for size in photo.shape[:2])
        truth = self._sample.segment_map if self._sample else None
        things = tuple(category.is_thing for category in self.categories)
        self.contest = hold_contest(raw, things, truth, grid, self.config.merge_within_masks)
        self._rows, self._cols = (np.arange(n) * size // n for n, size in zip(grid, self.image.shape[:2]))
        self._maps = MergeMaps(self.contest, self.config, self._sample, photo, zoom, self._rows, self._cols)
        super().__init__(*self._build())

    def _build(self) -> tuple[dict, list]:
        self._told, self._legend, self._fates = HTML(), HTML(), HTML()
        self._quality = HTML(layout={"flex": "1 1 24rem", "min_width": "0"})
        names = {"result": "result", "query": "mask of the query"}
        if self._sample:
            names["truth"] = "ground truth"
        self._captions, self._pictures, panels = {}, {}, []
        for key, name in names.items():
            picture = Picture(None, f"{name}: click to choose the query that wins", self.image.shape[:2], photo=True)
            picture.observe(self._pick, "point")
            self._pictures[key], self._captions[key] = picture, HTML()
            panels.append(VBox([self._captions[key], picture], layout={"flex": "1 1 19rem", "min_width": "0"}))
        wide = {"style": {"description_width": "initial"}, "layout": {"width": "26rem", "max_width": "100%"}}
        thresholds = {
            name: FloatSlider(
                value, min=0, max=1, step=0.01, description=f"{text} (config: {value:g})", readout_format=".2f", **wide
            )
            for name, text, value in self._thresholds()
        }
        steps = len(self.contest.candidates)
        queries = [("that of the step", None), *((self._name(q), q) for q in self._queries())]
        controls = thresholds | {
            "step": IntSlider(steps, 0, steps, description="step", layout={"width": "20rem"}),
            "query": Dropdown(options=queries, value=self._first_query(), description="query"),
        }
        if self._sample:
            controls["min_iou"] = FloatSlider(
                0.5, min=0.5, max=0.95, step=0.01, description="IoU threshold (PQ: 0.5)", **wide
            )
            controls["colors"] = ToggleButtons(
                options=[(text, value) for value, text in COLORS.items()], style={"button_width": "auto"},
                layout={"width": "auto"},
            )  # fmt: skip
        controls["step"].observe(self._follow_step, "value")
        views = Box(panels, layout={"flex_flow": "row wrap", "grid_gap": "10px"})
        tables = Box([self._fates, self._quality], layout={"flex_flow": "row wrap", "grid_gap": "10px 24px"})
        return controls, [views, self._legend, self._told, tables]

    def _thresholds(self) -> list[tuple[str, str, float]]:
        return [
            ("object_threshold", "object mask threshold", self.config.object_mask_threshold),
            ("overlap_threshold", "overlap threshold", self.config.overlap_threshold),
        ]

    def _queries(self) -> list[int]:
        return sorted([c.query for c in self.contest.candidates] + list(self.contest.no_object))

    def _name(self, query: int) -> str:
        """Number, class and score of a query."""
        if query in self.contest.no_object:
            return f"{query}: no object {self.contest.no_object[query]:.2f}"
        candidate = self.contest.candidates[self._place(query)]
        return f"{query}: {self.categories[candidate.class_id].name} {candidate.score:.2f}"

    def _place(self, query: int | None) -> int | None:
        places = (place for place, c in enumerate(self.contest.candidates) if c.query == query)
        return next(places, None)

    def _first_query(self) -> int | None:
        """A query that the overlap threshold drops, which is what most want to see; None if there is none."""
        fates = merge(self.contest, self.config.object_mask_threshold, self.config.overlap_threshold).fates
        found = [c.query for c, fate in zip(self.contest.candidates, fates) if fate.name == "covered"]
        return found[0] if found else None

    def set(self, **choices) -> MergeInspector:
        """As in every inspector; a new ``step`` without a ``query`` shows the query of that step."""
        return super().set(**({"query": None} | choices if "step" in choices else choices))

    def _follow_step(self, change) -> None:
        if not self._held:
            self._controls["query"].value = None

    def _pick(self, change) -> None:
        if change["new"] is None:
            return
        row, column = (
            int(np.searchsorted(places, value, side="right")) - 1
            for places, value in zip((self._rows, self._cols), change["new"])
        )
        place = int(self.contest.winners(self.merged().entered)[row, column])
        if place >= 0:
            self.set(query=self.contest.candidates[place].query)

    def merged(self) -> Merged:
        """The merge with the chosen thresholds, up to the chosen step."""
        state = self.state
        return merge(self.contest, state["object_threshold"], state["overlap_threshold"], state["step"])

    def _current(self) -> int | None:
        """The query looked at."""
        state = self.state
        if state["query"] is not None or not state["step"]:
            return state["query"]
        return self.contest.candidates[state["step"] - 1].query

    def measured(self, merged: Merged) -> tuple[SegmentMatching, PanopticResult] | None:
        """Matching with the ground truth and PQ; None where there is no ground truth."""
        if self._sample is None:
            return None
        return measure(self.contest, merged, self._sample, self.categories, self.state["min_iou"])

    def _draw(self) -> None:
        merged, current = self.merged(), self._current()
        measured = self.measured(merged)
        for key, picture in self._painted(merged, measured).items():
            self._pictures[key].show(picture)
        for key, caption in self._titles(merged).items():
            self._captions[key].value = f"<b>{escape(caption)}</b>"
        self._legend.value = legend(legend_entries(self._outcomes(measured)))
        self._told.value = f'<div class="ofl-told-text">{escape(self._sentence(merged))}</div>'
        self._fates.value = fates_table(self._fate_rows(merged), current, len(self.contest.no_object))
        if measured:
            self._quality.value = quality_table(measured[1], measured[0])

    def _painted(self, merged: Merged, measured) -> dict[str, np.ndarray]:
        return self._maps.painted(merged, self._place(self._current()), self._outcomes(measured))

    def _outcomes(self, measured) -> SegmentMatching | None:
        """What colours tell besides classes, if so wished."""
        return measured[0] if measured and self.state["colors"] == "outcome" else None

    def _titles(self, merged: Merged) -> dict[str, str]:
        current, n = self._current(), len(merged.segments)
        titles = {"result": f"result: {n} segment{'' if n == 1 else 's'}"}
        titles["query"] = "no query" if current is None else f"query {self._name(current)}"
        return titles | ({"truth": "ground truth"} if self._sample else {})

    def _sentence(self, merged: Merged) -> str:
        current, state = self._current(), self.state
        if current is None:
            return "Move the step, choose a query, or click a pixel: the query that wins it is shown."
        told = tell(self.contest, merged, current, state["object_threshold"], state["overlap_threshold"])
        return f"Query {self._name(current)}: {told}."

    def _fate_rows(self, merged: Merged) -> list[FateRow]:
        first = self._maps.segment_colors(merged, None)
        rows = []
        for place, candidate in enumerate(self.contest.candidates):
            competes, fate = candidate.rank < merged.entered, (*merged.fates[place : place + 1], None)[0]
            areas = self.contest.areas(place, merged.entered)
            words = "" if fate is None else f"{FATE_WORDS[fate.name]} {fate.segment or ''}".strip()
            rows.append(FateRow(
                candidate.query, self.categories[candidate.class_id].name, candidate.score,
                (areas.own, areas.won) if competes else None, first.get(fate.segment) if fate else None, words,
            ))  # fmt: skip
        return rows

    def _picture(self) -> np.ndarray:
        merged = self.merged()
        measured = self.measured(merged)
        titles = self._titles(merged)
        if measured:
            titles["result"] += f", PQ {measured[1].pq:.1f}"
        pictures = self._painted(merged, measured)
        sheet = contact_sheet([[pictures[key] for key in titles]], list(titles.values()))
        return with_legend(sheet, legend_entries(self._outcomes(measured)))

    def _subject(self) -> str:
        merged = self.merged()
        measured = self.measured(merged)
        words = f"{len(merged.segments)} segments of {len(self.contest.candidates)} candidates"
        return words + (f", PQ {measured[1].pq:.1f}" if measured else "")

    def _page(self) -> str:
        truth, maps = None, self._maps
        if self._sample:
            truth = self._sample.segments, maps.truth, maps.truth_colors(None)
        return merge_page(
            self._title(), self.LOOK_FOR, maps.photo, maps.zoom, self.contest, self.categories, maps.colors,
            self._thresholds(), self.state, {q: self._name(q) for q in self._queries()}, truth, self.image.shape[:2],
        )  # fmt: skip
