"""How a training goes, step by step: has its loss exploded, were its steps skipped, has it learned at all?

A run that has diverged does not come back, however long it goes on. It ends, in a sentence that names the learning
rate; what is odd and may yet be meant is a warning at its end.
"""

from __future__ import annotations

import math
from statistics import median

from ..errors import DivergedError
from ..notices import warn_user
from .config import TrainConfig
from .rates import advice

WINDOW = 10  # steps whose median is the loss of now
EXPLODED, HOPELESS = 10.0, 100.0  # times the first loss
SMALL = 1.0  # a first loss below counts as this: ten times next to nothing is no explosion
MOST, SOME = 0.5, 0.1  # share of the steps that were skipped
FEW_STEPS = 20  # before them nothing is judged by shares
LEARNING_STEPS, FALLEN = 100, 0.98  # steps after which the loss must be below this share of its start


class Trend:
    """The total losses of a run so far. All processes see the same ones, and so come to the same verdict."""

    def __init__(self, config: TrainConfig) -> None:
        self.config, self.steps, self.skipped = config, 0, 0
        self.exploded = ""  # in words, the first time
        self.early: list[float] = []  # the first losses that were finite, and the newest
        self.newest: list[float] = []

    def note(self, step: int, total: float, skipped: int) -> None:
        """Take in the loss of a step, and how many were skipped so far. Raises :class:`DivergedError` where going on
        is of no use."""
        self.steps, self.skipped = step, skipped
        if math.isfinite(total):
            self.newest = [*self.newest, total][-WINDOW:]
            self.early = self.early if len(self.early) == WINDOW else [*self.early, total]
        if len(self.newest) == WINDOW:
            self._refuse_explosion()
            self._warn_of_explosion()
        if step >= FEW_STEPS:
            self._refuse_skipping()

    def end(self) -> str:
        """What is odd about a run that has used up its budget, after a warning; empty if nothing. Raises as
        :meth:`note`."""
        self._refuse_explosion()
        self._refuse_skipping()
        trouble = "; ".join(filter(None, (self._risen(), self._flat(), self._often_skipped())))
        if trouble:
            trouble = f"{trouble}. {advice(self.config)}"
            warn_user(f"the training has ended, but {trouble}")
        return trouble

    def state_dict(self) -> dict:
        counts = {"steps": self.steps, "skipped": self.skipped}
        return {"early": self.early, "newest": self.newest, "exploded": self.exploded, **counts}

    def load_state_dict(self, saved: dict | None, changed: bool) -> None:
        """``changed``: with other settings the newest losses tell nothing of those that come. None: of an older
        version."""
        if saved is None:
            return
        self.early, self.exploded = saved["early"], "" if changed else saved["exploded"]
        self.newest = [] if changed else saved["newest"]
        self.steps, self.skipped = saved["steps"], saved["skipped"]

    @property
    def _now(self) -> float:
        """The median of the newest losses; of a run of few steps, of those of its second half."""
        return median(self.newest[-min(WINDOW, max(1, self.steps // 2)) :])

    @property
    def _growth(self) -> float:
        """The loss of now in first losses; 1 before there are two."""
        return self._now / max(self.early[0], SMALL) if self.newest and self.steps >= 2 else 1.0

    def _sentence(self) -> str:
        return f"the total loss was {self.early[0]:.3g} at first and {self._now:.3g} at step {self.steps}"

    def _refuse_explosion(self) -> None:
        if self._growth > HOPELESS:
            raise DivergedError(f"training has diverged: {self._sentence()}. {advice(self.config)}")

    def _refuse_skipping(self) -> None:
        if self.skipped > MOST * self.steps:
            raise DivergedError(f"training has learned next to nothing: {self._skips()}. {advice(self.config)}")

    def _warn_of_explosion(self) -> None:
        if not self.exploded and self._growth > EXPLODED:
            self.exploded = self._sentence()
            warn_user(f"training seems to diverge: {self.exploded}. {advice(self.config)}")

    def _risen(self) -> str:
        return self._sentence() if self._growth > EXPLODED else self.exploded

    def _flat(self) -> str:
        if self.steps < LEARNING_STEPS or len(self.newest) < WINDOW or self._growth > EXPLODED:
            return ""
        start, now = median(self.early), median(self.newest)
        return f"the total loss has not fallen: {start:.3g} at first, {now:.3g} at the end" * (now > FALLEN * start)

    def _often_skipped(self) -> str:
        return self._skips() if self.skipped > SOME * self.steps else ""

    def _skips(self) -> str:
        return f"{self.skipped} of {self.steps} steps were skipped, as their loss or gradient was not finite"
