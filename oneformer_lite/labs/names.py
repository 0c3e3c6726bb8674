"""The names of a lab's answers, defined before anybody has written one."""

from __future__ import annotations

import difflib
from collections.abc import MutableMapping, Sequence
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


def renamed(asked: str, written: Sequence[str]) -> str | None:
    """Words where one of the functions that somebody has ``written`` seems to be the one that is asked for: the only
    one, or one with a name much like it."""
    close = difflib.get_close_matches(asked, written, n=1, cutoff=0.5) or (written if len(written) == 1 else [])
    return f"you defined {close[0]}; asked is {asked}: rename it" if close else None
