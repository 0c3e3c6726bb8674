"""What a run's log says of any of its moments: numbers, and the texts in which a dashboard shows them."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

from .curves import METRICS, Record, layer_terms, loss_terms

DASH = "–"
_RECENT = 20  # records from which the pace is taken


class Timeline:
    """The log of a run, to be asked for any step. ``steps`` or ``minutes`` is its budget, where it is known; ``terms``
    are the names of its losses, ``layer_terms`` of those that are logged layer by layer."""

    def __init__(self, history: Sequence[Record], steps: int | None = None, minutes: float | None = None) -> None:
        self.history, self.steps, self.minutes = history, steps, minutes
        self.train = [r for r in history if r["kind"] == "train"]
        self.scores = [r for r in history if r["kind"] in ("eval", "final")]
        self.terms, self.layer_terms = loss_terms(self.train), layer_terms(self.train)
        self._train_steps = [r["step"] for r in self.train]
        self._score_steps = [r["step"] for r in self.scores]

    @property
    def last(self) -> int:
        """The newest step that was logged; 0 before the first."""
        return max([0, *self._train_steps[-1:], *self._score_steps[-1:]])

    def moments(self, most: int = 400) -> list[int]:
        """Steps to stop at, evenly spread over the logged ones, at most ``most``; all of few."""
        steps = sorted({*self._train_steps, *self._score_steps})
        if len(steps) <= most:
            return steps
        return [steps[round(i * (len(steps) - 1) / (most - 1))] for i in range(most)]

    def record(self, step: int) -> Record | None:
        """The newest training record at ``step``."""
        place = bisect_right(self._train_steps, step)
        return self.train[place - 1] if place else None

    def score(self, step: int) -> Record | None:
        """The newest evaluation at ``step``."""
        place = bisect_right(self._score_steps, step)
        return self.scores[place - 1] if place else None

    def share(self, step: int) -> float | None:
        """Used part of the budget at ``step``, 0 to 1; None if the budget is not known."""
        record = self.record(step)
        if self.steps:
            return min(1.0, step / self.steps)
        if self.minutes:
            return min(1.0, seconds_of(record) / (60 * self.minutes)) if record else 0.0
        return None

    def seconds_left(self, step: int) -> float | None:
        """Seconds of training to the end of the budget, at the pace of the newest records."""
        place = bisect_right(self._train_steps, step)
        if not place or not (self.steps or self.minutes):
            return None
        now, before = self.train[place - 1], self.train[max(0, place - 1 - _RECENT)]
        if self.minutes:
            return max(0.0, 60 * self.minutes - seconds_of(now))
        done = now["step"] - before["step"]
        spent = seconds_of(now) - seconds_of(before) if done else seconds_of(now)
        pace = spent / (done or now["step"] or 1)
        return max(0.0, (self.steps - step) * pace)

    def texts(self, step: int) -> dict[str, str]:
        """Everything a dashboard says of ``step``, by name; a dash for what was not recorded."""
        record, score, share = self.record(step) or {}, self.score(step) or {}, self.share(step)
        texts = {name: number(record.get(name)) for name in (*self.terms, "total")}
        texts |= {name: number(score.get(name), "{:.1f}") for name in METRICS}
        rate = record.get("lr")
        left = self.seconds_left(step)
        return texts | {
            "step": f"{step:,}" + (f" of {self.steps:,}" if self.steps else ""),
            "share": "" if share is None else f"{100 * share:.0f} %",
            "time": duration(record.get("seconds")),
            "left": "" if not left else f"{duration(left)} left",
            "lr": DASH if rate is None else f"{rate:.2e}".replace("e-0", "e-"),
            "images_per_second": number(record.get("images_per_second"), "{:.3g}"),
            "memory_mb": memory(record.get("memory_mb")),
            "scored": f"at step {score['step']:,}" if score else "not yet measured",
        }

    def layers(self, step: int) -> dict[str, list[float | None]]:
        """Losses of the decoder's predictions, first to last, at ``step``; empty where they were not recorded."""
        losses = (self.record(step) or {}).get("by_layer") or {}
        return {name: losses[name] for name in self.layer_terms if name in losses}


def seconds_of(record: Record) -> float:
    """Training time at a record; 0 where it was not recorded."""
    return record.get("seconds") or 0.0


def number(value: float | None, form: str = "{:.3g}") -> str:
    """The number, or a dash for one that is missing or not finite; three digits that never end in an exponent."""
    if value is None or not math.isfinite(value):
        return DASH
    return f"{value:.0f}" if form == "{:.3g}" and abs(value) >= 100 else form.format(value)


def duration(seconds: float | None) -> str:
    """In the unit that reads best."""
    if seconds is None:
        return DASH
    for limit, unit, name in ((90, 1, "s"), (90 * 60, 60, "min"), (48 * 3600, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.{0 if unit == 1 else 1}f} {name}"
    return f"{seconds / 86400:.1f} days"


def memory(mb: float | None) -> str:
    """MB, or GB from one on."""
    if mb is None:
        return DASH
    return f"{mb:.0f} MB" if mb < 1000 else f"{mb / 1000:.1f} GB"


def layer_text(losses: Sequence[float | None]) -> str:
    """The losses of all predictions at one step, first to last."""
    return " → ".join(DASH if value is None else f"{value:.3g}" for value in losses)
