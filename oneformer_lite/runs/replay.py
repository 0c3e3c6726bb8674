"""``run.replay()``: a finished run's log, with a slider over its time. Nothing is trained, no GPU is needed."""

from __future__ import annotations

from ipywidgets import HBox, Play, SelectionSlider, jslink

from ..errors import DataError
from ..training.run import Run
from . import dashboard
from .view import ROW, RunView

_FRAMES = 150  # of the whole run, when it plays


class Replay(RunView):
    """All of a run's plots with a cursor, and numbers and pictures as they were at the cursor.

    The slider follows the arrow keys. Raises :class:`DataError` if the run has logged nothing.
    """

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._read()
        moments = self.timeline.moments()
        if not moments:
            raise DataError(f"nothing was logged in {run.folder}: run.watch() shows a run from its start")
        self._slider = SelectionSlider(
            options=moments, index=len(moments) - 1, description="step", continuous_update=True,
            style={"description_width": "initial"}, layout={"flex": "1 1 16rem", "min_width": "12rem", "width": "auto"},
        )  # fmt: skip
        self._play = Play(
            min=0, max=len(moments) - 1, value=len(moments) - 1, step=max(1, len(moments) // _FRAMES), interval=150,
            show_repeat=False,
        )  # fmt: skip
        jslink((self._play, "value"), (self._slider, "index"))
        self._slider.observe(lambda _: self._move(), "index")
        self._move()
        self._show_plots()
        self.add_class("ofl-replay")
        controls = HBox([self._play, self._slider], layout=ROW)
        self.children = (
            self._style, self._cursor, self._head, controls, self._cards, self._choice, self._plots, self._sheet
        )  # fmt: skip

    def set(self, step: int | None = None, loss: str | None = None) -> Replay:
        """Move to the logged step nearest to ``step``; show the ``loss`` ("class", "mask", "dice") by layer."""
        self._choose_loss(loss)
        if step is not None:
            moments = self._slider.options
            self._slider.index = min(range(len(moments)), key=lambda i: abs(moments[i] - step))
        return self

    @property
    def state(self) -> dict:
        """What is shown: the step, the loss by layer, and the step of the pictures (None: none yet)."""
        sheet = self._newest_sheet()
        return {"step": self.step, "loss": self._loss.value, "pictures": sheet[0] if sheet else None}

    def _move(self) -> None:
        self.step = self._slider.value
        self._head.value = dashboard.head(
            self.run.folder.name, self.run.status, self.timeline, self.step, self.run.reason
        )
        self._show_numbers()
