"""A run on disk: how it is, what it logged, and how to stop and resume it, from any notebook and on any day."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, DataError, OneFormerLiteError
from ..files import open_own, path_of
from .locks import LAUNCHER_LOCK, TRAINER_LOCK, is_locked
from .log import read_log
from .state import OUTPUT, STOP, has_own_data, read_recipe, read_state

if TYPE_CHECKING:
    from ..runs.replay import Replay
    from ..runs.watch import Watch

TAIL = 2**16  # bytes of it that are looked at


class Run:
    """The run in ``folder``, whoever started it: :func:`oneformer_lite.launch`, ``train`` or another notebook.

    Everything is read from the folder each time, nothing is kept: many can look at one run. Lesson 14.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = path_of(folder, "the folder of a run").resolve()

    @classmethod
    def attach(cls, folder: str | Path) -> Run:
        """The run that was launched in ``folder``. Raises :class:`CheckpointError` if there is none."""
        read_recipe(path_of(folder, "the folder of a run"))
        return cls(folder)

    @property
    def status(self) -> str:
        """"running", "finished", "stopped" or "failed" (:attr:`reason` says why)."""
        if any(is_locked(self.folder / name) for name in (TRAINER_LOCK, LAUNCHER_LOCK)):
            return "running"
        state = read_state(self.folder).get("state", "failed")
        return "failed" if state == "running" else state  # it died without writing its final state

    @property
    def reason(self) -> str:
        """Why the run failed, with the end of its output, where a stopped one stands and how to resume it, or what is
        odd about what a finished one has learned; empty if nothing is."""
        if (status := self.status) in ("finished", "stopped"):
            return read_state(self.folder).get("reason", "")
        if status != "failed":
            return ""
        known = read_state(self.folder).get("reason") or "the run was killed from outside, or its machine went down"
        output = self.output()
        return f"{known}\n\nThe end of {self.folder / OUTPUT}:\n{output}" if output else known

    @property
    def history(self) -> list[dict]:
        """All records so far: losses and learning rate of steps ("train"), metrics ("eval")."""
        return read_log(self.folder)

    def output(self, lines: int = 15) -> str:
        """The last lines that the run printed."""
        try:
            with open_own(self.folder / OUTPUT) as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
                text = file.read().decode("utf-8", errors="replace").rstrip().split("\n")
        except OSError:  # there is none, or none that we may read
            return ""
        return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in text[-lines:])  # a bar's newest state

    def wait(self, timeout: float | None = None) -> str:
        """Wait until the run has ended, at most ``timeout`` seconds; its status, which may be "running"."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.status) == "running" and (deadline is None or time.monotonic() < deadline):
            time.sleep(0.2)
        return status

    def stop(self, timeout: float = 300.0) -> str:
        """Ask the run to save and to end after its current step, and wait for it; its status.

        Raises :class:`OneFormerLiteError` if it has not ended after ``timeout`` seconds: the request stays.
        """
        if self.status != "running":
            return self.status
        self.ask_to_stop()
        if (status := self.wait(timeout)) == "running":
            raise OneFormerLiteError(
                f"the run in {self.folder} has not stopped within {timeout:g} seconds; it will after its current "
                "step or evaluation: run.wait() waits for it"
            )
        with suppress(OSError):  # it may have ended without seeing it
            (self.folder / STOP).unlink()
        return status

    def ask_to_stop(self) -> None:
        """The same without waiting."""
        if self.status != "running":
            return
        try:
            (self.folder / STOP).touch()
        except OSError as error:
            raise DataError(
                f"{self.folder} cannot be written ({error.strerror}): only who may write there can stop the run"
            ) from error

    def resume(self, devices: int | str | None = None, **changes) -> Run:
        """Resume from the last checkpoint in the background, on the same ``devices`` unless others are given.

        ``changes`` are fields of its :class:`TrainConfig`, like ``steps`` or ``data_may_change``, which is for this
        once: the next time changed data are refused again.
        """
        from .launch import launch

        if self.status == "finished":
            raise ConfigError(f"the run in {self.folder} is finished: nothing is left to do")
        if has_own_data(self.folder):
            raise ConfigError(
                f"the run in {self.folder} was trained with data sets given to ofl.train, which its folder does not "
                "hold: call ofl.train(config, train_config, train_data, val_data) with the same folder and data again"
            )
        config, train_config, before = read_recipe(self.folder)  # in this folder, wherever it began
        train_config = replace(train_config, **({"data_may_change": False} | changes))
        return launch(config, train_config, before if devices is None else devices)

    def watch(self, interval: float = 3.0) -> Watch:
        """The run as a live widget: losses by decoder layer, pace, memory, newest pictures and metrics, with
        buttons to stop and to resume. It looks every ``interval`` seconds and needs nothing but the folder."""
        from ..runs.watch import Watch

        return Watch(self, interval)

    def replay(self) -> Replay:
        """The log so far as a widget with a slider over the run's time; ``to_html()`` makes a page of it."""
        from ..runs.replay import Replay

        return Replay(self)

    def __repr__(self) -> str:
        history, status = self.history, self.status
        parts = [f"Run({str(self.folder)!r}): {status}"]
        if records := [r for r in history if r["kind"] == "train"]:
            last = records[-1]
            minutes = (last.get("seconds") or 0.0) / 60
            parts.append(f"step {last['step']}, {minutes:.1f} minutes, loss {last.get('total')}")
        if scores := [r for r in history if r["kind"] == "eval" and r.get("PQ") is not None]:
            parts.append(f"PQ {scores[-1]['PQ']:.1f}")
        reason = self.reason
        return ", ".join(parts) + (f"\n{reason}" if reason else "")
