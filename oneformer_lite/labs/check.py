"""``labs.check`` and ``labs.use``: an answer is called on every case of its exercise, and nothing it does can raise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from ..errors import ConfigError
from .adapt import adapted
from .calls import Call, Raised, argument_names, calls
from .compare import describe, difference
from .exercise import Case, Exercise, find
from .gradients import gradient_difference
from .hints import hint
from .owner import broken_rules, is_ours, not_an_answer, package_did_it
from .result import Result
from .words import arguments


def check(exercise: str | Exercise, answer: Any, seed: int = 0) -> Result:
    """Compare ``answer`` with the reference on every case, the printed ones and those drawn from ``seed``.

    Never raises (but for Ctrl-C): what an answer raises is a line of the result, and what it does to its arguments,
    to the random numbers, or to torch's settings does not last. What is not the learner's own never passes.
    """
    try:
        exercise = find(exercise) if not isinstance(exercise, Exercise) else exercise
    except ConfigError as error:
        return Result(str(exercise), note=str(error))
    note = not_an_answer(exercise, answer)
    return Result(exercise.id, note=note) if note else _judged(exercise, answer, seed)


def use(exercise: str | Exercise, answer: Any) -> Callable:
    """``answer`` if it passes, else the reference, and says so: what follows in a lab works either way.

    An answer whose results are lists where the reference gives tensors, or arrays, is made to give these.
    Raises :class:`ConfigError` if there is no such exercise.
    """
    exercise = find(exercise) if not isinstance(exercise, Exercise) else exercise
    if check(exercise, answer).passed:
        return adapted(answer, exercise)
    print(f"{exercise.id}  ours from here on: yours has not passed")
    return exercise.reference


def whose(exercise: str | Exercise, answer: Any) -> str:
    """ "yours" or "ours", of what :func:`use` has given: for the titles of pictures."""
    exercise = find(exercise) if not isinstance(exercise, Exercise) else exercise
    return "ours" if is_ours(exercise, answer) else "yours"


def _judged(exercise: Exercise, answer: Callable, seed: int) -> Result:
    cases = exercise.all_cases(seed)
    yours, expected = calls(answer, cases, exercise.seconds, bool(exercise.rules.nothing_of)), _expected(exercise, seed)
    found = [_fault(*three, exercise, answer) for three in zip(cases, yours, expected, strict=True)]
    lines = tuple((case.name, line) for case, line in zip(cases, found, strict=True))
    wrong = next((index for index, line in enumerate(found) if line), None)
    if wrong is None:
        note = package_did_it(exercise, answer, cases, yours)
        return Result(exercise.id, True, lines, note=note, broken=broken_rules(exercise, cases, yours))
    return Result(
        exercise.id,
        attempted=True,
        differences=lines,
        hint=_help(exercise, answer, cases, yours, expected, found),
        pair=(yours[wrong].output, expected[wrong]),
        arguments=arguments(argument_names(answer, len(cases[wrong].args)), cases[wrong].args),
        printed=yours[wrong].printed,
    )


def _help(*judged: Any) -> str | None:
    """The hint; whatever an answer's own objects do to what looks at them, the verdict stands without it."""
    try:
        return hint(*judged)
    except Exception:
        return None


@lru_cache(maxsize=64)
def _expected(exercise: Exercise, seed: int) -> Sequence[Any]:
    return [made.output for made in calls(exercise.reference, exercise.all_cases(seed), seconds=600)]


def _fault(case: Case, made: Call, expected: Any, exercise: Exercise, answer: Callable) -> str | None:
    """What is wrong with a call in a few words: its value, else what it did to its arguments, else its gradient."""
    line = value_difference(expected, made.output, exercise.tolerance)
    if line is None and made.changed:
        line = f"right, but yours changes its argument {made.changed}, which others still need"
    if line is None and exercise.gradients and case.name.startswith("drawn"):
        line = gradient_difference(exercise, answer, case)
    return line


def value_difference(expected: Any, yours: Any, tolerance: float) -> str | None:
    """What differs between two outputs, each of which may be an exception."""
    if isinstance(expected, Raised) and isinstance(yours, Raised):
        return None if expected.kind == yours.kind else f"expected {expected.kind}, yours raises {yours}"
    if isinstance(expected, Raised):
        return f"expected {expected.kind}, yours raises nothing"
    if isinstance(yours, Raised):
        return yours.message if yours.kind == "TooSlow" else f"yours raises {yours}"
    try:
        return difference(expected, yours, tolerance)
    except Exception as error:  # an object of the answer's own making may do anything when it is looked at
        return f"expected {describe(expected)}, yours cannot be compared ({type(error).__name__})"
