"""``run.watch()``: a run on disk while it trains, wherever it runs; the cell returns at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from weakref import WeakValueDictionary

from ipywidgets import Button, HBox

from ..errors import ConfigError
from ..training.run import Run
from . import dashboard
from .view import ROW, RunView

_CONFIRM_SECONDS = 6.0
_SHARE_OF_TIME = 10  # a refresh that takes a second is made every ten seconds at most
_following: WeakValueDictionary[str, Watch] = WeakValueDictionary()  # folder -> the view that follows its run


class Watch(RunView):
    """The newest numbers, plots and pictures of a run, every ``interval`` seconds until it ends.

    A thread reads the folder and changes the widget; it ends with the run, with :meth:`close`, or when another
    view follows the same run. What goes wrong is told in the widget: nothing is raised into the notebook.
    """

    def __init__(self, run: Run, interval: float = 3.0) -> None:
        super().__init__(run)
        self._interval, self._note, self._armed_at = _positive(interval), "", float("-inf")
        self._lock, self._ended, self._thread = threading.RLock(), threading.Event(), None
        wide = {"width": "auto", "min_width": "7em"}
        self._stop = Button(description="Stop", icon="stop", tooltip="save a checkpoint and end the run", layout=wide)
        self._resume = Button(description="Resume", icon="play", tooltip="resume from the last checkpoint", layout=wide)
        self._stop.on_click(lambda _: self._clicked(self._ask_to_stop))
        self._resume.on_click(lambda _: self._clicked(self._go_on))
        controls = HBox([self._stop, self._resume], layout=ROW)
        self.children = (
            self._style, self._cursor, self._head, controls, self._cards, self._choice, self._plots, self._sheet
        )  # fmt: skip
        self.refresh()
        self._follow()

    def refresh(self) -> None:
        """Show the run as it is now."""
        with self._lock:
            status = self.run.status  # before the log: a run that has ended has logged everything
            self._read()
            self.step = self.timeline.last
            if not self._armed:
                self._disarm()
            self._show_controls(status)
            self._show_head(status, "" if status != "running" and self._note == _STOPPING else self._note)
            self._show_numbers()
            self._show_plots()

    def set(self, loss: str | None = None, interval: float | None = None) -> Watch:
        """Show the ``loss`` ("class", "mask", "dice") by layer; look every ``interval`` seconds."""
        self._choose_loss(loss)
        if interval is not None:
            self._interval = _positive(interval)
        return self

    @property
    def state(self) -> dict:
        """What is shown, and whether the view still follows the run."""
        sheet = self._newest_sheet()
        return {
            "status": self.run.status,
            "step": self.step,
            "loss": self._loss.value,
            "pictures": sheet[0] if sheet else None,
            "following": self._thread is not None and self._thread.is_alive(),
        }

    def close(self) -> None:
        """Follow no longer, and take the widget away."""
        self._ended.set()
        super().close()

    def _follow(self) -> None:
        """Refresh in the background until the run ends."""
        if self.run.status != "running":
            return
        other = _following.get(str(self.run.folder))
        if other is not None and other is not self:
            other._ended.set()
            other._show_head("running", "a newer view follows this run")
        _following[str(self.run.folder)] = self
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._loop, args=(self._ended,), daemon=True, name="ofl-watch")
        self._thread.start()

    def _loop(self, ended: threading.Event) -> None:
        pause, status = self._interval, "running"
        while status == "running" and not ended.wait(pause):
            started = time.monotonic()
            status = self._refresh_or_say()
            pause = max(self._interval, _SHARE_OF_TIME * (time.monotonic() - started))

    def _refresh_or_say(self) -> str:
        """The status that is shown now; an error is told, and it is tried again."""
        try:
            status = self.run.status
            self.refresh()
            return status
        except Exception as error:  # say a file that another process has just replaced
            self._show_head("running", f"{type(error).__name__}: {error}")
            return "running"

    def _clicked(self, do: Callable[[], None]) -> None:
        """``do()``; an error becomes a note that stays until the next click."""
        self._note = ""
        try:
            do()
        except Exception as error:
            self._note = f"{type(error).__name__}: {error}"
        status = self.run.status
        self._show_controls(status)
        self._show_head(status, self._note)

    def _show_head(self, status: str, note: str) -> None:
        reason = self.run.reason if status != "running" else ""
        self._head.value = dashboard.head(self.run.folder.name, status, self.timeline, self.step, reason, note)

    def _show_controls(self, status: str) -> None:
        self._stop.layout.display = "" if status == "running" else "none"
        self._stop.disabled = self._note == _STOPPING and status == "running"
        self._resume.layout.display = "" if status in ("stopped", "failed") else "none"

    def _ask_to_stop(self) -> None:
        """At the second click within a few seconds."""
        if not self._armed:
            self._armed_at = time.monotonic()
            self._stop.description, self._stop.button_style = "Click again to stop", "warning"
            return
        self._disarm()
        self.run.ask_to_stop()
        self._note = _STOPPING

    @property
    def _armed(self) -> bool:
        return time.monotonic() - self._armed_at < _CONFIRM_SECONDS

    def _disarm(self) -> None:
        self._armed_at = float("-inf")
        self._stop.description, self._stop.button_style = "Stop", ""

    def _go_on(self) -> None:
        self.run.resume()
        self._follow()


_STOPPING = "asked to stop: it saves a checkpoint after its current step or evaluation and ends"


def _positive(interval: float) -> float:
    if interval <= 0:
        raise ConfigError(f"interval is {interval}; expected seconds above 0")
    return interval
