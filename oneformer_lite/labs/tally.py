"""Whose the answers of a lab are in the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .check import check
from .exercise import Exercise, of_lab


@dataclass(frozen=True, repr=False)
class Tally:
    """Which answers of a lab are the learner's own, and which ours."""

    lab: str
    yours: tuple[Exercise, ...]
    ours: tuple[Exercise, ...]

    def __repr__(self) -> str:
        count = f"lab {self.lab}: {len(self.yours)} of {len(self.yours + self.ours)} are yours"
        return f"{count}; ours: {', '.join(f'{e.id} {e.name}' for e in self.ours)}" if self.ours else count


def tally(lab: str, namespace: Mapping[str, Any]) -> Tally:
    """Check every answer of lab "NN" that ``namespace``, the notebook's ``globals()``, holds."""
    exercises = of_lab(lab)
    passed = [check(exercise, namespace.get(exercise.name, ...)).passed for exercise in exercises]
    yours = tuple(exercise for exercise, right in zip(exercises, passed, strict=True) if right)
    return Tally(lab, yours, tuple(exercise for exercise in exercises if exercise not in yours))
