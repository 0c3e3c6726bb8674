"""LossInspector: where a run's losses come from, down to the batch, the segment, the query and the point."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from ipywidgets import HTML, Button, Dropdown, IntSlider, SelectionSlider, Text, ToggleButtons

from ...data.sample import Sample
from ...errors import ConfigError
from ...losses.terms import weights_of
from ...model import MaskModel
from ...render import contact_sheet
from ...render.legend import with_legend
from ...render.paper import WHITE, Paper
from ...training.run import Run
from ..inspector import Inspector
from ..panels import UNITS, Panels
from .curves import LossCurves
from .gradients import GradientNorms
from .page import loss_page
from .pictures import batch_sheet, image_in_sheet, place_in_sheet
from .shown_step import LossStep, LossSteps
from .steps import open_source
from .table import LossRow, loss_rows
from .words import TELL, norms_text, place_text, rows_table


class LossInspector(Inspector):
    """Where a loss comes from: over the steps, by decoder layer, and by segment, query, point and part of the model.

    >>> LossInspector(run).set(step=400, loss="mask", layer=6)    # a run, or its folder
    >>> LossInspector(model, dataset)                             # a model and its first samples, without a run

    Of a run the batch behind every logged step is built again from the seed; what it costs is computed with the
    run's newest checkpoint, that is *now*, without dropout. Click a curve, a picture, a segment or a row of the table.
    State: ``step`` (logged; the nearest is taken), ``loss`` ("total", "class", "mask", "dice", "contrastive"),
    ``layer`` (0: before the decoder), ``image`` of the batch, ``segment`` (its place among the image's targets, None:
    all). Controls without data behind them (no run, no data, no model) are hidden. The page of a large model has
    gradient norms if these were asked for before.
    """

    LOOK_FOR = (
        "What to look for: a few segments carry most of a loss. Dark points along an outline are a mask that is not "
        "sharp yet; a whole dark segment is missed; a high class loss on a good mask is a wrong name."
    )

    def __init__(
        self, source: MaskModel | Run | str | Path, data: Sequence[Sample] | None = None, model: MaskModel | None = None
    ) -> None:
        """``source``: a run (``data``: its training split, read from where its recipe says unless given; ``model``:
        other weights than its newest), or a model (``data``: samples or (sample, task) pairs, of which the first eight
        are one batch). Raises :class:`DataError` if the run has logged nothing."""
        self._source = open_source(source, data, model)
        self.batches = LossSteps(self._source)
        self.run, self.note, self.curves = self._source.run, self._source.note, None
        weights = weights_of(self._source.config)
        self.losses = ("total", *weights)
        if self.run:
            recipe = self._source.recipe
            self.curves = LossCurves(self.run.history, recipe.steps, recipe.minutes, weights)
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
        if self.curves:
            controls["step"] = SelectionSlider(
                options=self.curves.moments, value=self.curves.moments[-1], description="step", continuous_update=False,
                layout={"width": "22rem"},
            )  # fmt: skip
        controls["loss"] = ToggleButtons(options=self.losses, style={"button_width": "auto"}, layout=width)
        self._controls = controls  # what step_shown reads
        first = self.step_shown()
        if first and first.parts:
            layers = len(first.parts.queries) - 1
            controls["layer"] = IntSlider(layers, 0, layers, description="layer", layout={"width": "16rem"})
        if first:
            controls["image"] = IntSlider(0, 0, len(first.tasks) - 1, description="image", layout={"width": "16rem"})
            if first.parts:
                controls["segment"] = Dropdown(options=[("all", None)], description="segment", layout=width)
        self._told = HTML()
        self._table, self._norms = (HTML().add_class("ofl-told-table") for _ in range(2))
        body = [HTML(f'<p class="ofl-look">{self.note}</p>')] if self.note else []
        if self.curves:
            curves = {"losses": "losses over the steps: click to choose a step", "layers": "the loss by decoder layer"}
            body.append(Panels(curves, dict.fromkeys(curves, self._to_step)))
        body.append(self._told)
        if first:
            pictures = {"batch": "the batch: click an image", "focus": "the chosen image: click a segment"}
            clicked = {"batch": self._to_image, "focus": self._to_segment}
            body.append(Panels(pictures, clicked, photos=pictures))
        self._views = {name: view for part in body if isinstance(part, Panels) for name, view in part.views.items()}
        self._pressed = Text().add_class("ofl-told").add_class("ofl-row")
        self._pressed.observe(lambda change: self.press_row(int(change["new"].split(" ")[0])), "value")
        body += [self._table, self._pressed]
        if first and first.parts:
            button = Button(description="gradient norms", tooltip="one backward pass for each loss", layout=width)
            button.on_click(lambda _: self.gradients())
            body += [button, self._norms]
        return controls, body

    def _to_step(self, row: float, column: float) -> None:
        self.set(step=self.curves.step_at(column))

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

    def press_row(self, pair: int) -> None:
        """Choose image and segment of a row of the table, as a click on it does."""
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
            self._draw_curves()  # at once: the step's batch takes its time
            self._list_segments()
        super()._changed(change)

    def _list_segments(self) -> None:
        if "segment" not in self._controls:
            return
        names = self.step_shown().names(self.state["image"])
        options = [("all", None), *((f"{name} ({place})", place) for place, name in enumerate(names))]
        held, self._held = self._held, True
        if self._controls["segment"].options != tuple(options):
            self._controls["segment"].options = options
        self._controls["segment"].value = None
        self._held = held

    # -- what is shown

    def step_shown(self) -> LossStep | None:
        """The batch that is shown; None where the run's data are not at hand."""
        return self.batches.at(self._controls["step"].value if self.run else None)

    def _draw(self) -> None:
        """What is known at once comes first; a new step's batch is then built, shown, and measured."""
        self._draw_curves()
        state, step = self.state, self.step_shown()
        if not step:
            self._told.value = self._words()
            return
        if "segment" in state and len(self._controls["segment"].options) == 1:
            self._list_segments()
        sheet = self._views["batch"]
        self._show(sheet, (state.get("step"),), partial(self._sheet, self.paper, framed=False))
        sheet.frame(tuple(UNITS * share for share in place_in_sheet(state["image"], len(step.tasks))))
        if not step.is_measured:
            self._show(self._views["focus"], (state.get("step"), state["image"]), lambda: step.photo(state["image"]))
            self._told.value = self._words()
        self._show(self._views["focus"], tuple(state.values()), self._focus)
        self._told.value = self._words()
        if not step.parts:
            return
        place = state["layer"] + step.parts.first
        self._table.value = rows_table(self.rows(), state["loss"], place, self._chosen(), TELL)
        self._norms.value = self.norms_html() if "gradients" in vars(step) else ""

    def _draw_curves(self) -> None:
        if not self.curves:
            return
        step = self.state["step"]
        for view, name in (("losses", "losses"), ("layers", self.curves.by_layer(self.state["loss"]))):
            self._show(self._views[view], (name,), lambda name=name: self.curves.pictures(self.paper)[name])
            self._views[view].frame(self.curves.cursor(name, step, UNITS))

    def _sheet(self, paper: Paper = WHITE, framed: bool = True) -> np.ndarray:
        step = self.step_shown()
        return batch_sheet(step.all_painted, step.captions, self.state["image"] if framed else None, paper)

    def _focus(self) -> np.ndarray:
        state = self.state
        return self.step_shown().focus(state["loss"], state.get("layer", 0), state["image"], state.get("segment"))

    def _chosen(self) -> int | None:
        state = self.state
        return None if state["segment"] is None else self.step_shown().pair(state["image"], state["segment"])

    def rows(self) -> list[LossRow]:
        """The rows of the table: what each pair adds to the chosen loss."""
        names = [category.name for category in self._source.config.categories]
        return loss_rows(self.step_shown().parts, self.state["loss"], self.state["layer"], names)

    def _words(self) -> str:
        """What the step was logged with, what the batch costs now, and what the colours mean."""
        state, step = self.state, self.step_shown()
        told = self.curves.told(state["step"], state["loss"]) if self.curves else []
        if step and step.model:
            at = self._source.checkpoint
            whose = f"the weights of step {at:,}" if at else "this model"
            told += step.told(whose, state["loss"], state["layer"], state["image"], state["segment"])
        return '<div class="ofl-told-text">' + "<br>".join(filter(None, told)) + "</div>"

    def _picture(self) -> np.ndarray:
        """Below each other what stands side by side in the notebook, and whatever its width with words that can be
        read: the curves, the batch and the chosen image with its names and the scale of its colours."""
        rows, state, step = [], self.state, self.step_shown()
        if self.curves:
            names = "losses", self.curves.by_layer(state["loss"])
            titles = f"losses, a line at step {state['step']:,}", f"{names[1]} loss by decoder layer"
            plots = [self.curves.marked(name, state["step"]) for name in names]
            rows.append(contact_sheet([plots], titles, font_size=20))
        if step:
            focus = self._focus()
            if step.parts:
                focus = step.named(focus, state["image"], state["segment"])
                focus = with_legend(focus, step.scale(state["loss"], state["segment"]))
            where = f", {place_text(state['layer'] + step.parts.first)}" if step.parts else ""
            titles = "the batch", f"image {state['image']}, {step.tasks[state['image']]}{where}"
            rows.append(contact_sheet([[self._sheet(), focus]], titles, font_size=20))
        return contact_sheet([[row] for row in rows], gap=0)

    def _subject(self) -> str:
        step = self.step_shown()
        words = [self.run.folder.name] if self.run else [f"{len(step.tasks)} images"]
        if step and step.parts:
            words.append(f"loss of this batch now {step.parts.losses()['total']:.3g}")
        return ", ".join(words)

    def _page(self) -> str:
        return loss_page(self)
