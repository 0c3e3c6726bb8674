"""MatchInspector: which query answers for which segment, what each pair costs, and what the others learn."""

from __future__ import annotations

from functools import partial

import numpy as np
from ipywidgets import HTML, Box, Dropdown, FloatSlider, Image, IntSlider, ToggleButtons, VBox

from ...data.sample import TASKS, Sample
from ...errors import ConfigError
from ...inference import check_model
from ...model import MaskModel
from ...render import contact_sheet
from ...render.legend import with_legend
from ...render.paper import WHITE, Paper
from ..inspector import Absence, Inspector
from ..picture import Picture
from .assigning import nearest_miss, rows_that_matter, view_matches
from .maps import CostMaps
from .noised import noised_html
from .page import match_page
from .pictures import small_photo
from .reading import MEANINGS, read_matches
from .words import LEGEND, how_matched, rows_words, summary_html, unmatched_html, why_html

STEP = 0.25  # of the weights
_NOTHING = (
    "This model has a mask for each class, so nothing is matched: each mask learns its own class, in every picture. "
    "LossInspector shows what that costs."
)


class MatchInspector(Inspector):
    """Why this query answers for this segment, and not that one; what the unmatched queries learn.

    >>> MatchInspector(model, sample).set(task="panoptic", layer=0, dice_weight=0)

    The matcher pays for each pair (query, segment) a class, a mask and a dice cost (DETR's: class, box and GIoU), and
    assigns such that the sum is least. Click a cell to compare its pair with the one that was chosen. State: ``task``,
    ``layer`` (0: before the first decoder layer), ``class_weight``, ``mask_weight``, ``dice_weight`` (or
    ``box_weight``, ``giou_weight``), ``query`` and ``segment`` (numbers from 0, segments in the order of the targets;
    None where there is no segment).
    """

    LOOK_FOR = (
        "What to look for: orange frames are the pairs that learn together. A segment does not always get its cheapest "
        "query, for all pairs together must be cheapest; drag a weight to 0, or go to an early layer, and pairs flip."
    )

    def __init__(self, model: MaskModel, sample: Sample) -> None:
        """Runs the model once for each task of the sample. Raises :class:`ConfigError` without ground truth."""
        check_model(model)
        if not isinstance(sample, Sample):
            raise ConfigError(
                f"matching needs ground truth: pass a Sample (an item of a data set), not a {type(sample).__name__}"
            )
        if len(sample.categories) != model.config.num_classes:
            raise ConfigError(
                f"the sample has {len(sample.categories)} classes, the model {model.config.num_classes}: their class "
                "ids do not mean the same; look at a model and a data set that belong together"
            )
        config = model.config
        if config.learns_absence:
            super().__init__({}, [], Absence(self._title(), _NOTHING, small_photo(sample.image)))
            return
        self.categories = sample.categories
        self.parts = config.MATCHED_BY
        self.meanings = {part: MEANINGS[config.CLASS_COST if part == "class" else part] for part in self.parts}
        self.weights = tuple(getattr(config, f"{part}_weight") for part in self.parts)
        said = {"mask": config.mask_loss.upper().replace("FOCAL", "focal"), "box": "L1", "giou": "GIoU"}
        self.names = tuple(said.get(part, part) for part in self.parts)
        self.readings = {task: read_matches(model, sample, task) for task in TASKS if task in sample.tasks}
        sigmoids = any(reading.sigmoids for reading in self.readings.values())
        self.no_object_weight = None if sigmoids else config.no_object_weight
        self.photo = small_photo(sample.image)
        self.maps = CostMaps(self.readings, self.parts, self.categories, self.photo)
        self.LOOK_FOR += how_matched(config.MATCHED_BEFORE, len(config.fixed_queries), config.num_queries)
        super().__init__(*self._build())

    def noised_html(self, task: str) -> str:
        """What denoising queries say, which are matched by nobody; empty of a model without."""
        reading = self.readings[task]
        words = self.photo, self.maps.colors[task], self.maps.segment_names(task)
        return noised_html(reading.noised, reading.noised_masks, *words)

    def _build(self) -> tuple[dict, list]:
        layers, _, queries, _ = next(iter(self.readings.values())).costs.shape
        self._told, self._unmatched, self._summary, self._masks = HTML(), HTML(), HTML(), Image(format="webp")
        self._noised, self._noised_of = HTML(), ""
        self._captions = {part: HTML() for part in ("total", *self.parts)}
        self._pictures = {
            (task, part): self._new_picture(task, part) for task in self.readings for part in self._captions
        }
        self._places = {part: Box(layout={"width": "100%"}) for part in self._captions}
        wide = {"layout": {"width": "19rem"}, "style": {"description_width": "6.5rem"}}
        controls = {
            "task": ToggleButtons(options=[*self.readings], style={"button_width": "auto"}, layout={"width": "auto"}),
            "layer": IntSlider(layers - 1, 0, layers - 1, description="layer", **wide),
        }
        for name, weight in zip(self._sliders(), self.weights):
            controls[name] = FloatSlider(
                weight, min=0, max=max(10.0, 2 * weight), step=STEP, description=name.replace("_", " "),
                readout_format=".2f", **wide,
            )  # fmt: skip
        controls["query"] = Dropdown(options=list(range(queries)), description="query", **wide)
        controls["segment"] = Dropdown(options=[("none", None)], description="segment", **wide)
        self._choices = controls
        self._offer_segments()
        controls["task"].observe(self._offer_segments, "value")
        panels = {
            part: VBox([self._captions[part], self._places[part]], layout={"flex": flex, "min_width": "0"})
            for part, flex in zip(self._captions, ("3 1 28rem", *["1 1 18rem"] * len(self.parts)))
        }
        why = VBox([self._told, self._masks], layout={"flex": "2 1 20rem", "min_width": "0"})
        self._masks.layout.max_width = "100%"
        row = {"flex_flow": "row wrap", "grid_gap": "14px", "align_items": "flex-start"}
        body = [
            self._summary,
            Box([panels["total"], why], layout=row),
            Box([panels[part] for part in self.parts], layout=row),
            self._unmatched,
            self._noised,
        ]
        return controls, body

    def _new_picture(self, task: str, part: str) -> Picture | None:
        reading = self.readings[task]
        queries, segments = reading.costs.shape[2:]
        if not segments:
            return None
        rows = len(rows_that_matter(np.zeros((queries, segments)), np.arange(segments)))
        grid = self.maps.grid(task, part)
        cells = grid.head + rows, grid.side + segments
        picture = Picture(None, f"{part} cost, {task}: queries by segments; arrow keys choose a pair", cells)
        picture.layout.max_width = f"{cells[1] * grid.cell[1]}px"
        picture.observe(lambda change: self._clicked(task, part, change["new"]), "point")
        return picture

    def _offer_segments(self, change=None) -> None:
        """The segments of the task, and of its pairs the one that was nearest to being chosen."""
        held, self._held = getattr(self, "_held", True), True
        reading = self.readings[self._choices["task"].value]
        names = [(f"{i}  {name}", i) for i, name in enumerate(self.maps.segment_names(reading.task))]
        self._choices["segment"].options = names or [("none", None)]
        view = view_matches(reading, self._choices["layer"].value, self._weights(), self.weights)
        pair = nearest_miss(view.total, view.assigned) or ((int(view.assigned[0]), 0) if names else None)
        if pair:
            self._choices["query"].value, self._choices["segment"].value = pair
        for part, place in self._places.items():
            picture = self._pictures[reading.task, part]
            place.children = [picture] if picture else []
        self._held = held

    def set(self, **choices) -> MatchInspector:
        """As every inspector's; the task comes first, because it says which segments there are."""
        first = {"task": choices.pop("task")} if "task" in choices else {}
        return super().set(**first, **choices)

    def _sliders(self) -> tuple[str, ...]:
        """The names of the weights, one for each part of the cost."""
        return tuple(f"{part}_weight" for part in self.parts)

    def _weights(self) -> tuple[float, ...]:
        return tuple(self._choices[name].value for name in self._sliders())

    def _clicked(self, task: str, part: str, point: tuple[int, int] | None) -> None:
        if self._held or point is None:
            return
        row, column = self.maps.grid(task, part).cell_at(*point)
        choice = {} if row is None else {"query": int(self._rows[row])}
        if column is not None:
            choice["segment"] = column
        self.set(**choice)

    def _draw(self) -> None:
        state = self.state
        self._reading = self.readings[state["task"]]
        self.matches = view_matches(self._reading, state["layer"], self._weights(), self.weights)
        self._rows = rows_that_matter(self.matches.total, self.matches.assigned, state["query"])
        held, self._held = self._held, True
        for part, caption in self._captions.items():
            rows = f"<br><small>{self._rows_words()}</small>" if part == "total" else ""
            caption.value = f"<b>{self._caption(part)}</b>{rows}"
            if picture := self._pictures[state["task"], part]:
                key = state["layer"], self._weights(), tuple(self._rows)
                self._show(picture, key, partial(self._painted, part, self.paper, framed=False))
                grid = self.maps.grid(state["task"], part)
                row, column = self._chosen()
                picture.move((grid.head + row, grid.side + column))
                picture.frame((grid.head + row, grid.side + column, 1, 1))
        self._held = held
        reading, view, layer = self._reading, self.matches, state["layer"]
        self._summary.value = summary_html(view, self.weights, reading.left_out)
        says = [self.maps.surest(state["task"], layer, q) for q in range(len(view.total))]
        self._unmatched.value = unmatched_html(view, reading.no_object[layer], says, self.no_object_weight)
        if self._noised_of != state["task"]:
            self._noised_of, self._noised.value = state["task"], self.noised_html(state["task"])
        pair = state["query"], state["segment"]
        words = (self.names, self._weights(), self.maps.segment_names(state["task"]))
        self._told.value = why_html(view, *words, *pair) if pair[1] is not None else ""
        key = state["task"], state["layer"], self._weights(), *pair
        self._show(self._masks, key, partial(self._mask_pictures, self.paper))

    def _chosen(self) -> tuple[int, int]:
        return int(np.flatnonzero(self._rows == self.state["query"])[0]), self.state["segment"]

    def _caption(self, part: str) -> str:
        if part == "total":
            terms = " + ".join(f"{w:g} x {name}" for w, name in zip(self._weights(), self.names))
            return f"total cost = {terms}"
        return f"{self.names[self.parts.index(part)]} cost: {self.meanings[part]}"

    def _painted(self, part: str, paper: Paper = WHITE, framed: bool = True) -> np.ndarray:
        state, chosen = self.state, self._chosen() if framed else None
        return self.maps.painted(state["task"], state["layer"], self.matches, self._rows, part, chosen, paper)

    def _mask_pictures(self, paper: Paper = WHITE) -> np.ndarray:
        state = self.state
        return self.maps.masks(state["task"], state["layer"], self.matches, state["query"], state["segment"], paper)

    def _picture(self) -> np.ndarray:
        if not len(self.matches.assigned):
            return self._mask_pictures()
        parts = contact_sheet([[self._painted(part) for part in self.parts]], [f"{name} cost" for name in self.names])
        top = contact_sheet([[self._painted("total"), self._mask_pictures()]], [self._caption("total"), ""])
        sheet = contact_sheet([[contact_sheet([[top]], [self._rows_words()])], [parts]])
        return with_legend(sheet, LEGEND)

    def _rows_words(self) -> str:
        return rows_words(len(self.matches.assigned), len(self.matches.total), len(self._rows))

    def _subject(self) -> str:
        view = self.matches
        words = f"{len(view.assigned)} segments matched among {len(view.total)} queries"
        if len(view.assigned):
            words += f", costs {view.cost:.2f}"
        return words + f", {int((view.assigned != view.usual).sum())} changed"

    def highest(self, name: str) -> float:
        """The largest value of a slider."""
        return self._controls[name].max

    def _page(self) -> str:
        return match_page(self, self._sliders(), STEP)
