"""The names of a lab's answers, defined before anybody has written one."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

from .exercise import of_lab


@dataclass(frozen=True)
class Blank:
    """Stands for an answer that is not defined: a wrong name, or a cell with an error, stops no notebook."""

    name: str
    namespace: MutableMapping[str, Any] = field(repr=False)


def begin(lab: str, namespace: MutableMapping[str, Any]) -> None:
    """Define the name of every answer of lab "NN" in ``namespace``, the notebook's ``globals()``."""
    namespace |= {exercise.name: Blank(exercise.name, namespace) for exercise in of_lab(lab)}
