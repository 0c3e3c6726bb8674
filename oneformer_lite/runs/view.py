"""What the widgets of a run share: its log and pictures, read from the folder, and the pieces that show them."""

from __future__ import annotations

import itertools
from pathlib import Path

from ipywidgets import HTML, HBox, ToggleButtons
from PIL import Image

from ..errors import CheckpointError, ConfigError
from ..files import replacing
from ..inspectors.kept import LIVE, WHILE_IT_LIVES, Kept
from ..render.timeline import Timeline
from ..training.log import LogReader
from ..training.pictures import find_pictures
from ..training.run import Run
from ..training.state import read_recipe
from . import dashboard
from .page import run_page
from .still import run_still

PAGE = "replay.html"
ROW = {"flex_flow": "row wrap", "overflow": "visible", "align_items": "center", "grid_gap": "4px 10px"}
_MOST_RECORDS = 2000  # of training, three for each pixel of a plot
_numbers = itertools.count(1)


class RunView(Kept):
    """Numbers, plots and pictures of a run at one ``step``; subclasses say which step, and add the controls."""

    def __init__(self, run: Run) -> None:
        self.run, self.step = run, 0
        self._reader, self._drawn = LogReader(run.folder, _MOST_RECORDS), {}
        self.timeline = Timeline([])
        self._style = HTML(f"<style>{dashboard.style()}{WHILE_IT_LIVES}</style>", layout={"display": "none"})
        self._cursor = HTML(layout={"display": "none"})  # a style as well: where the cursors stand
        self._head, self._cards, self._plots, self._sheet = (HTML() for _ in range(4))
        self._loss = ToggleButtons(
            options=self.timeline.layer_terms, tooltips=_tooltips(self.timeline),
            style={"button_width": "5.5em"}, layout={"width": "auto"},
        )  # fmt: skip
        self._choice = HBox([HTML("loss by decoder layer:"), self._loss], layout=ROW)
        self._loss.observe(lambda _: self._show_plots(), "value")
        super().__init__(layout={"width": "100%", "padding": "8px", "overflow": "hidden"})
        self._name = f"ofl-run-{next(_numbers)}"
        self.add_class("ofl-run").add_class(LIVE).add_class(self._name)

    def to_html(self, path: str | Path | None = None) -> Path:
        """Write the run so far as one page that needs no kernel and no network, {folder}/replay.html unless a
        ``path`` is given; its path."""
        path = self.run.folder / PAGE if path is None else path
        with replacing(path) as draft:
            draft.write_text(self._page(), encoding="utf-8")
        return Path(path)

    def _page(self) -> str:
        sheets = {step: file.read_bytes() for step, file in find_pictures(self.run.folder).items()}
        return run_page(self.run.folder.name, self.run.status, self.timeline, sheets, self.run.reason)

    def still(self) -> Image.Image:
        """The view as one picture."""
        sheet = self._newest_sheet()
        content = sheet[1].read_bytes() if sheet else None
        name, status, loss = self.run.folder.name, self.run.status, self._loss.value or "class"
        return Image.fromarray(run_still(name, status, self.timeline, self.step, content, loss))

    def _read(self) -> None:
        """The log as it is now."""
        try:
            budget = read_recipe(self.run.folder)[1]
            limits = budget.steps, budget.minutes
        except CheckpointError:  # a log alone can be shown as well
            limits = None, None
        self.timeline = Timeline(self._reader.read(), *limits)
        if self._loss.options != self.timeline.layer_terms:
            self._loss.options, self._loss.tooltips = self.timeline.layer_terms, _tooltips(self.timeline)

    def _show_numbers(self) -> None:
        self._cards.value = dashboard.cards(self.timeline, self.step)
        self._cursor.value = f"<style>.{self._name}{{--step:{self.step}}}</style>"
        sheet = self._newest_sheet()
        self._sheet.value = dashboard.pictures(sheet[0], sheet[1].read_bytes()) if sheet else dashboard.pictures(None)

    def _show_plots(self) -> None:
        self._plots.value = dashboard.plots(self.timeline, (self._loss.value,), self._drawn_once)

    def _drawn_once(self, name: str, draw):
        """Plots of what has not changed are not drawn again."""
        so_far = len(self.timeline.history), self.timeline.last
        if self._drawn.get(name, (None,))[0] != so_far:
            self._drawn[name] = so_far, draw()
        return self._drawn[name][1]

    def _newest_sheet(self) -> tuple[int, Path] | None:
        shown = [item for item in find_pictures(self.run.folder).items() if item[0] <= self.step]
        return shown[-1] if shown else None

    def _choose_loss(self, loss: str | None) -> None:
        terms = self.timeline.layer_terms
        if loss not in (None, *terms):
            raise ConfigError(f"loss is {loss!r}; expected one of {', '.join(terms)}")
        if loss is not None:
            self._loss.value = loss

    def __repr__(self) -> str:
        texts = self.timeline.texts(self.step)
        kind, name = type(self).__name__, self.run.folder.name[:30]
        return f"{kind}({name!r}): {self.run.status}, step {texts['step']}, loss {texts['total']}, PQ {texts['PQ']}"


def _tooltips(timeline: Timeline) -> list[str]:
    return [f"{term} loss by decoder layer" for term in timeline.layer_terms]
