"""LossInspector: where a run's losses come from, down to the batch, the segment, the query and the point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from ipywidgets import HTML, Box, Button, Dropdown, IntSlider, SelectionSlider, Text, ToggleButtons, VBox

from ..data.sample import Sample
from ..errors import ConfigError
from ..inspection.loss_table import LossRow, loss_rows
from ..inspection.losses import GradientNorms
from ..inspection.steps import open_source
from ..losses import Criterion
from ..model import OneFormer
from ..render import contact_sheet
from ..render.loss_pictures import (
    HIGHEST,
    batch_sheet,
    image_in_sheet,
    loss_plots,
    plot_picture,
    scale_bar,
    with_cursor,
)  # fmt: skip
from ..render.loss_text import focus_text, layers_text, norms_text, rows_table, step_text
from ..render.timeline import Timeline
from ..training.run import Run
from .inspector import Inspector
from .loss_page import LOSSES, loss_page
from .loss_step import LossStep
from .picture import Picture

_MOMENTS, _KEPT = 400, 4
_TELL = (
    "const t=this.closest('.ofl-losses').querySelector('.ofl-row input');t.value='%d '+Date.now();"
    "for(const n of ['input','change'])t.dispatchEvent(new Event(n,{bubbles:true}));"
)


class LossInspector(Inspector):
    """Where a loss comes from: over the steps, by decoder layer, and by segment, query, point and part of the model.

    >>> LossInspector(run).set(step=400, loss="mask", layer=6)    # a run, or its folder
    >>> LossInspector(model, dataset)                             # a model and its first samples, without a run

    Of a run the batch behind every logged step is built again from the seed; what it costs is computed with the
    run's newest checkpoint, that is *now*, without dropout. Click a curve, a picture, a segment or a row of the table.
    State: ``step`` (logged; the nearest is taken), ``loss`` ("total", "class", "mask", "dice", "contrastive"),
    ``layer`` (0: before the decoder), ``image`` of the batch, ``segment`` (its place among the image's targets, None:
    all). What there is nothing for (no run, no data, no model) is missing.
    """

    LOOK_FOR = (
        "What to look for: a few segments carry most of a loss. Dark points along an outline are a mask that is not "
        "sharp yet; a whole dark segment is missed; a high class loss on a good mask is a wrong name."
    )

    def __init__(
        self, source: OneFormer | Run | str | Path, data: Sequence[Sample] | None = None, model: OneFormer | None = None
    ) -> None:
        """``source``: a run (``data``: its training split, read from where its recipe says unless given; ``model``:
        other weights than its newest), or a model (``data``: samples or (sample, task) pairs, of which the first eight
        are one batch). Raises :class:`DataError` if the run has logged nothing."""
        self._source, self._steps, self._shown = open_source(source, data, model), {}, {}
        self.run, self.note, self.timeline = self._source.run, self._source.note, None
        if self.run:
            recipe, weights = self._source.recipe, Criterion(self._source.config).weights
            self.timeline = Timeline(self.run.history, recipe.steps, recipe.minutes)
            self.moments = [record["step"] for record in self.timeline.train]
            kept = np.linspace(0, len(self.moments) - 1, min(_MOMENTS, len(self.moments)))
            self.moments = [self.moments[round(place)] for place in kept]
            self.plots = loss_plots(self.timeline.history, weights)
            self._drawn = {name: plot_picture(plot) for name, plot in self.plots.items()}
        super().__init__(*self._build())
        self.add_class("ofl-losses")

    def gradients(self) -> GradientNorms:
        """The gradient's norm by part of the model and by (weighted) loss, on this step's batch; one backward pass for
        each loss the first time. Raises :class:`ConfigError` without model or data."""
        step = self.step_shown()
        if step is None or step.parts is None:
            raise ConfigError("gradients need a batch and a model: pass data, and a model where the run has none")
        found = step.gradients
        self._norms.value = self.norms_html()
        return found

    def norms_html(self) -> str:
        """:meth:`gradients` as a table."""
        return norms_text(self.step_shown().gradients)

    def set(self, **choices) -> LossInspector:
        """As for all inspectors; whatever their order, a step's image and an image's segment are meant."""
        order = [name for name in ("step", "loss", "layer", "image", "segment") if name in choices]
        return super().set(**{name: choices[name] for name in [*order, *choices]})

    # -- controls

    def _build(self) -> tuple[dict, list]:
        controls, width = {}, {"width": "auto"}
        if self.timeline:
            controls["step"] = SelectionSlider(
                options=self.moments, value=self.moments[-1], description="step", continuous_update=False,
                layout={"width": "22rem"},
            )  # fmt: skip
        controls["loss"] = ToggleButtons(options=LOSSES, style={"button_width": "auto"}, layout=width)
        self._controls = controls  # what step_shown reads
        first = self.step_shown()
        if first and first.parts:
            layers = len(first.parts.queries) - 1
            controls["layer"] = IntSlider(layers, 0, layers, description="layer", layout={"width": "16rem"})
        if first:
            controls["image"] = IntSlider(0, 0, len(first.tasks) - 1, description="image", layout={"width": "16rem"})
            if first.parts:
                controls["segment"] = Dropdown(options=[("all", None)], description="segment", layout=width)
        self._told, self._table, self._norms = HTML(), HTML(), HTML()
        self._views: dict[str, Picture] = {}
        body = [HTML(f'<p class="ofl-look">{self.note}</p>')] if self.note else []
        if self.timeline:
            curves = {"losses": "losses over the steps: click to choose a step", "layers": "the loss by decoder layer"}
            body.append(self._row(curves, {"losses": self._to_step, "layers": self._to_step}))
        body.append(self._told)
        if first:
            pictures = {"batch": "the batch: click an image", "focus": "the chosen image: click a segment"}
            body.append(self._row(pictures, {"batch": self._to_image, "focus": self._to_segment}))
        self._pressed = Text().add_class("ofl-told").add_class("ofl-row")
        self._pressed.observe(lambda change: self._to_pair(int(change["new"].split(" ")[0])), "value")
        body += [self._table, self._pressed]
        if first and first.parts:
            button = Button(description="gradient norms", tooltip="one backward pass for each loss", layout=width)
            button.on_click(lambda _: self.gradients())
            body += [button, self._norms]
        return controls, body

    def _row(self, labels: dict[str, str], handlers: dict[str, Callable]) -> Box:
        panels = []
        for name, label in labels.items():
            clicked = handlers[name]
            view = self._views[name] = Picture(np.full((8, 8, 3), 255, np.uint8), label, (1000, 1000))
            view.observe(
                lambda change, view=view, clicked=clicked: self._clicked(view, change["new"], clicked), "point"
            )
            panels.append(VBox([HTML(f"<b>{label}</b>"), view], layout={"flex": "1 1 22rem", "min_width": "0"}))
        return Box(panels, layout={"flex_flow": "row wrap", "grid_gap": "10px"})

    def _clicked(self, view: Picture, point, clicked: Callable) -> None:
        if point is not None:
            clicked(*((value + 0.5) / 1000 for value in point))
            view.move(None)  # so that the same place can be clicked again

    def _to_step(self, row: float, column: float) -> None:
        plot = self.plots["losses"]
        self.set(step=max(1, round((column - plot.start) / plot.slope)))

    def _to_image(self, row: float, column: float) -> None:
        sheet = self._sheet()
        number = image_in_sheet(int(row * sheet.shape[0]), int(column * sheet.shape[1]), len(self.step_shown().tasks))
        if number is not None:
            self.set(image=number)

    def _to_segment(self, row: float, column: float) -> None:
        ids = self.step_shown().ids(self.state["image"])
        found = int(ids[int(row * ids.shape[0]), int(column * ids.shape[1])])
        if "segment" in self._controls:
            self.set(segment=found - 1 if found else None)

    def _to_pair(self, pair: int) -> None:
        parts = self.step_shown().parts
        self.set(image=int(parts.images[pair]), segment=int(parts.segments[pair]))

    def _choose(self, name: str, value) -> None:
        if name == "step" and isinstance(value, int):
            value = min(self._controls["step"].options, key=lambda moment: abs(moment - value))
        super()._choose(name, value)
        if name in ("step", "image"):
            self._list_segments()

    def _changed(self, change) -> None:
        if not self._held and change["owner"] in (self._controls.get("step"), self._controls.get("image")):
            self._held = True
            self._list_segments()
            self._held = False
        super()._changed(change)

    def _list_segments(self) -> None:
        if "segment" not in self._controls:
            return
        names = self.step_shown().names(self.state["image"])
        options = [("all", None), *((f"{name} ({place})", place) for place, name in enumerate(names))]
        if self._controls["segment"].options != tuple(options):
            self._controls["segment"].options = options
        self._controls["segment"].value = None

    # -- what is shown

    def step_shown(self) -> LossStep | None:
        """The batch that is shown; None where the run's data are not at hand."""
        return self.batch_at(self._controls["step"].value if self.run else None)

    def batch_at(self, step: int | None) -> LossStep | None:
        """The batch behind a step of the run (None: that of the samples); the last few are kept."""
        if step not in self._steps:
            if (batches := self._source.batches(step)) is None:
                return None
            while len(self._steps) >= _KEPT:
                del self._steps[next(iter(self._steps))]
            self._steps[step] = LossStep(*batches, self._source.model, self._source.config.categories)
        return self._steps[step]

    def _draw(self) -> None:
        state, step = self.state, self.step_shown()
        if step and step.parts and len(self._controls["segment"].options) == 1:
            self._held = True
            self._list_segments()
            self._held = False
        for name in self._views:
            self._refresh(name)
        self._told.value = self._words()
        if not step or not step.parts:
            return
        rows = self._rows()
        self._table.value = rows_table(rows, state["loss"], state["layer"], self._chosen(), _TELL)
        if "gradients" in vars(step):
            self.gradients()
        else:
            self._norms.value = ""

    def _refresh(self, name: str) -> None:
        """Draw a view anew if what it depends on has changed."""
        state = self.state
        depends = {
            "losses": ("step",), "layers": ("step", "loss"), "batch": ("step", "image"), "focus": tuple(state),
        }[name]  # fmt: skip
        key = tuple(state.get(each) for each in depends)
        if self._shown.get(name) != key:
            self._shown[name] = key
            draw = {"losses": self._curve, "layers": self._layers, "batch": self._sheet, "focus": self._focus}
            self._views[name].show(draw[name]())

    def _curve(self) -> np.ndarray:
        return with_cursor(self._drawn["losses"], self.plots["losses"], self.state["step"])

    def _layers(self) -> np.ndarray:
        name = self.state["loss"] if self.state["loss"] in self.plots else "total"
        return with_cursor(self._drawn[name], self.plots[name], self.state["step"])

    def _sheet(self) -> np.ndarray:
        step = self.step_shown()
        return batch_sheet(step.all_painted, step.captions, self.state["image"])

    def _focus(self) -> np.ndarray:
        state = self.state
        return self.step_shown().focus(state["loss"], state.get("layer", 0), state["image"], state.get("segment"))

    def _chosen(self) -> int | None:
        state = self.state
        return None if state["segment"] is None else self.step_shown().pair(state["image"], state["segment"])

    def _rows(self) -> list[LossRow]:
        names = [category.name for category in self._source.config.categories]
        return loss_rows(self.step_shown().parts, self.state["loss"], self.state["layer"], names)

    def _words(self) -> str:
        """What the step was logged with, what the batch costs now, and what the colours mean."""
        state, step = self.state, self.step_shown()
        told = []
        if self.timeline:
            told += [step_text(self.timeline, state["step"]), layers_text(self.timeline, state["step"], state["loss"])]
        if step and step.parts:
            at = self._source.checkpoint
            whose = f"the weights of step {at:,}" if at else "this model"
            told.append(f"Now, with {whose}, {step.losses_text()}")
            told.append(focus_text(step.parts, state["loss"], state["layer"], self._chosen()))
            told.append(scale_bar("0", self._scale_end()) if state["loss"] != "contrastive" else "")
        return '<div class="ofl-told-text">' + "<br>".join(filter(None, told)) + "</div>"

    def _scale_end(self) -> str:
        state = self.state
        if state["loss"] == "class" or state["segment"] is None:
            return "the dearest segment of the batch"
        return "1" if state["loss"] == "dice" else f"{HIGHEST:g} and more; undecided is 0.69"

    def _picture(self) -> np.ndarray:
        rows = [[self._curve(), self._layers()]] if self.timeline else []
        if self.step_shown():
            rows.append([self._sheet(), self._focus()])
        return contact_sheet(rows)

    def _subject(self) -> str:
        step = self.step_shown()
        words = [self.run.folder.name] if self.run else [f"{len(step.tasks)} images"]
        if step and step.parts:
            words.append(f"loss of this batch now {step.parts.losses()['total']:.3g}")
        return ", ".join(words)

    def _page(self) -> str:
        return loss_page(self)
