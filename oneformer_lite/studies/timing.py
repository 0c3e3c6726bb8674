"""How long a study will yet take, from what its runs have taken so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean

from ..training.config import TrainConfig


@dataclass(frozen=True)
class Pace:
    """A run: its variant, its budget, how far it is, and, once it is judged, how long that took (seconds)."""

    variant: str
    train_config: TrainConfig
    step: int = 0
    seconds: float = 0.0
    judging: float | None = None

    @property
    def done(self) -> bool:
        return self.judging is not None

    @property
    def share(self) -> float:
        """Used share of the budget, 0 to 1."""
        if self.done:
            return 1.0
        c = self.train_config
        return min(1.0, self.step / c.steps if c.steps else self.seconds / (60 * c.minutes))


def share_done(runs: Sequence[Pace]) -> float:
    """Of the whole study, 0 to 1: runs count alike."""
    return mean(run.share for run in runs) if runs else 1.0


def seconds_left(runs: Sequence[Pace], at_once: int = 1) -> float | None:
    """Until all runs are trained and judged, ``at_once`` of them at a time; None before anything was measured.

    A step of a run takes as long as those of its variant so far, or else as those of all. Quick evaluations are not
    foreseen: they are counted as the judging of a run, which does the same.
    """
    judging = mean(known) if (known := [run.judging for run in runs if run.judging]) else 0.0
    left = [_left(run, _rate(run, runs), judging) for run in runs if not run.done]
    if any(seconds is None for seconds in left):
        return None
    seconds = [s for s in left if s is not None]
    return max(sum(seconds) / at_once, max(seconds, default=0.0))


def _left(run: Pace, rate: float | None, judging: float) -> float | None:
    c = run.train_config
    overhead = judging * (1 if run.share == 1 else 2 if c.evaluations else 1)
    if c.minutes:
        return max(0.0, 60 * c.minutes - run.seconds) + overhead
    if rate is None:
        return None
    return max(0, c.steps - run.step) * rate + overhead


def _rate(run: Pace, runs: Sequence[Pace]) -> float | None:
    """Seconds a step."""
    def of(those: Callable[[Pace], bool]) -> list[float]:
        return [other.seconds / other.step for other in runs if other.step and those(other)]

    known = of(lambda other: other.variant == run.variant) or of(lambda other: True)
    return mean(known) if known else None


def duration(seconds: float | None) -> str:
    """In words, as exact as such a guess is."""
    if seconds is None:
        return "time left is known after the first steps"
    minutes = seconds / 60
    if minutes < 1:
        return "less than a minute left"
    if minutes < 90:
        return f"about {minutes:.0f} min left"
    return f"about {minutes / 60:.0f} h left" if minutes < 48 * 60 else f"about {minutes / 1440:.0f} days left"
