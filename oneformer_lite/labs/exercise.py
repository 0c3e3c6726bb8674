"""What an exercise is, and where it is found: ``lab_NN.py`` holds the exercises of lab NN as ``EXERCISES``."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError


@dataclass(frozen=True, init=False)
class Case:
    """One input of an exercise: what is special about it in a few words, and the arguments of the call."""

    name: str
    args: tuple

    def __init__(self, name: str, *args: Any) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "args", args)


@dataclass(frozen=True)
class Mistake:
    """A classic wrong answer: whose outputs equal those of ``answer`` on every case gets the ``hint``."""

    hint: str
    answer: Callable


@dataclass(frozen=True)
class Rules:
    """What the card of an exercise says: which functions (or "loops") must not be used, which functions of the package
    are ``given``, and, from the arguments of a call, how many elements no tensor may have."""

    never: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    nothing_of: Callable[..., int] | None = None


@dataclass(frozen=True)
class Exercise:
    """``id`` is "NN.k", exercise k of lab NN, which asks for a function ``name``.

    ``cases()`` gives the same inputs each time, ``drawn(seed)`` those of a seed, so that no table of the first answers
    the second; with ``gradients`` these are compared too, on what was drawn. ``tolerance`` is relative to values above
    1, absolute below. A call may take ``seconds``. With ``told=False`` a check does not say what was expected: where
    that is all there is to find.
    """

    id: str
    reference: Callable
    cases: Callable[[], list[Case]]
    mistakes: tuple[Mistake, ...] = ()
    tolerance: float = 1e-4
    name: str = "answer"
    drawn: Callable[[int], list[Case]] | None = None
    gradients: bool = False
    rules: Rules = Rules()
    seconds: float = 10.0
    told: bool = True

    def all_cases(self, seed: int = 0) -> list[Case]:
        """The printed cases, then those of the seed."""
        return [*self.cases(), *(self.drawn(seed) if self.drawn else [])]


def find(id: str) -> Exercise:
    """The exercise of that id. Raises :class:`ConfigError` that says which exist."""
    lab = str(id).partition(".")[0]
    if lab not in all_labs():
        if f"0{id}" in {exercise.id for lab in all_labs() for exercise in of_lab(lab)}:
            raise ConfigError(f"no exercise {id!r}: do you mean '0{id}'?")
        raise ConfigError(f"no exercise {id!r}: there are labs {', '.join(all_labs()) or '(none)'}")
    exercises = {exercise.id: exercise for exercise in of_lab(lab)}
    if id not in exercises:
        raise ConfigError(f"no exercise {id!r}: lab {lab} has {', '.join(exercises) or 'none'}")
    return exercises[id]


def of_lab(lab: str) -> tuple[Exercise, ...]:
    """The exercises of lab "NN", in order."""
    return importlib.import_module(f"{__package__}.lab_{lab}").EXERCISES


def all_labs() -> list[str]:
    """The numbers of the labs that there are, as "01"."""
    package = importlib.import_module(__package__)
    names = (module.name for module in pkgutil.iter_modules(package.__path__))
    return sorted(name.removeprefix("lab_") for name in names if name.startswith("lab_"))
