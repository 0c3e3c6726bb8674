"""``labs.check`` and ``labs.use``: an answer is called on every case of its exercise, and nothing it does can raise."""

from __future__ import annotations

import copy
import random
import re
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..errors import ConfigError
from .compare import describe, difference
from .exercise import Case, Exercise, find
from .result import Result

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_LONGEST = 160  # characters of an exception's message


@dataclass(frozen=True)
class Raised:
    """What a call ended in, where it gave nothing."""

    kind: str
    message: str
    line: int | None  # of the answer's own file or cell

    def __str__(self) -> str:
        place = f" (line {self.line})" if self.line else ""
        return f"{self.kind}: {self.message}{place}" if self.message else f"{self.kind}{place}"


def check(exercise: str | Exercise, answer: Any) -> Result:
    """Compare ``answer`` with the reference on every case. Never raises (but for Ctrl-C): what an answer raises is a
    line of the result, and what it does to its arguments, or to the random numbers, does not last."""
    try:
        exercise = find(exercise) if not isinstance(exercise, Exercise) else exercise
    except ConfigError as error:
        return Result(str(exercise), note=str(error))
    if answer is Ellipsis or not callable(answer):
        return Result(exercise.id)
    cases = exercise.cases()
    yours = outputs(answer, cases)
    if all(output is None or output is Ellipsis for output in yours):
        return Result(exercise.id)
    expected = outputs(exercise.reference, cases)
    found = [_difference(a, b, exercise.tolerance) for a, b in zip(expected, yours, strict=True)]
    wrong = next((index for index, line in enumerate(found) if line), None)
    return Result(
        exercise.id,
        attempted=True,
        differences=tuple((case.name, line) for case, line in zip(cases, found, strict=True)),
        hint=None if wrong is None else _hint(exercise, cases, yours),
        pair=None if wrong is None else (yours[wrong], expected[wrong]),
    )


def use(exercise: str | Exercise, answer: Any) -> Callable:
    """``answer`` if it passes, else the reference: what follows in a lab works either way.

    Raises :class:`ConfigError` if there is no such exercise.
    """
    exercise = find(exercise) if not isinstance(exercise, Exercise) else exercise
    return answer if check(exercise, answer).passed else exercise.reference


def outputs(answer: Callable, cases: Sequence[Case]) -> list[Any]:
    """What ``answer`` gives for each case, or :class:`Raised`; each call has its own copy of the arguments and the same
    random numbers."""
    return [_call(answer, case.args) for case in cases]


def _call(answer: Callable, args: tuple) -> Any:
    args = copy.deepcopy(args)
    try:
        with _same_random_numbers():
            return answer(*args)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit among them: nothing that an answer does may end a lab
        message = _ADDRESS.sub("", str(error).strip().split("\n")[0])
        return Raised(type(error).__name__, message[:_LONGEST], _line(error, answer))


@contextmanager
def _same_random_numbers() -> Iterator[None]:
    before = random.getstate(), np.random.get_state(), torch.get_rng_state(), torch.is_grad_enabled()
    random.seed(0), np.random.seed(0), torch.default_generator.manual_seed(0)
    try:
        yield
    finally:
        random.setstate(before[0]), np.random.set_state(before[1]), torch.set_rng_state(before[2])
        torch.set_grad_enabled(before[3])


def _line(error: BaseException, answer: Callable) -> int | None:
    """The last line that ran of the file, or of the notebook cell, that the answer was written in."""
    code = getattr(answer, "__code__", None)
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if code and f.filename == code.co_filename]
    return lines[-1] if lines else None


def _difference(expected: Any, yours: Any, tolerance: float) -> str | None:
    if isinstance(expected, Raised) and isinstance(yours, Raised):
        return None if expected.kind == yours.kind else f"expected {expected.kind}, yours raises {yours}"
    if isinstance(expected, Raised):
        return f"expected {expected.kind}, yours raises nothing"
    if isinstance(yours, Raised):
        return f"yours raises {yours}"
    try:
        return difference(expected, yours, tolerance)
    except Exception as error:  # an object of the answer's own making may do anything when it is looked at
        return f"expected {describe(expected)}, yours cannot be compared ({type(error).__name__})"


def _hint(exercise: Exercise, cases: Sequence[Case], yours: Sequence[Any]) -> str | None:
    """The hint of the first mistake that gives the same on every case."""
    for mistake in exercise.mistakes:
        theirs = outputs(mistake.answer, cases)
        if all(_difference(a, b, exercise.tolerance) is None for a, b in zip(theirs, yours, strict=True)):
            return mistake.hint
    return None
