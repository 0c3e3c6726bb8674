"""``labs.check`` and ``labs.use``: an answer is called on every case of its exercise, and nothing it does can raise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from torch import Tensor

from ..errors import ConfigError
from .adapt import adapted
from .calls import Call, Raised, argument_names, calls
from .compare import describe, difference
from .exercise import Case, Exercise, find
from .gradients import gradient_difference, gradients
from .hints import agree, hint
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
    return Result(exercise.id, note=note) if note else judged(exercise, answer, made_here(exercise, answer, seed), seed)


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


@dataclass(frozen=True)
class Made:
    """What an answer has given: a call for each case, and its gradients in the case of a number."""

    calls: Sequence[Call]
    gradients: Callable[[int], list[Tensor | None] | Raised]


def made_here(exercise: Exercise, answer: Callable, seed: int) -> Made:
    """Call ``answer`` in this process."""
    cases = exercise.all_cases(seed)
    made = calls(answer, cases, exercise.seconds, bool(exercise.rules.nothing_of))
    return Made(made, lambda number: gradients(answer, cases[number].args))


def judged(exercise: Exercise, answer: Callable, made: Made, seed: int) -> Result:
    """What ``answer`` has given beside the reference; ``answer`` itself is looked at, and not called."""
    cases = exercise.all_cases(seed)
    yours, expected = made.calls, _expected(exercise, seed)
    found = [_fault(number, case, made, expected[number], exercise) for number, case in enumerate(cases)]
    lines = tuple((case.name, line) for case, line in zip(cases, found, strict=True))
    wrong = next((index for index, line in enumerate(found) if line), None)
    if wrong is None:
        note = package_did_it(exercise, answer, cases, yours)
        return Result(exercise.id, True, lines, note=note, broken=broken_rules(exercise, cases, yours))
    pair = (yours[wrong].output, expected[wrong])
    return Result(
        exercise.id,
        attempted=True,
        differences=lines,
        hint=_help(exercise, answer, cases, yours, expected, found),
        # where the value is right, two equal pictures would say that nothing is wrong
        pair=pair if exercise.told and not agree(*pair, exercise.tolerance) else None,
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


def _fault(number: int, case: Case, made: Made, expected: Any, exercise: Exercise) -> str | None:
    """What is wrong with a call in a few words: its value, else what it did to its arguments, else its gradient."""
    call = made.calls[number]
    line = value_difference(expected, call.output, exercise.tolerance)
    if line and not exercise.told and not isinstance(call.output, Raised):
        line = f"{describe(call.output)} is not right"
    if line is None and call.changed:
        line = f"right, but yours changes its argument {call.changed}, which others still need"
    if line is None and asks_for_gradients(exercise, case):
        line = gradient_difference(exercise, made.gradients(number), case)
    return line


def asks_for_gradients(exercise: Exercise, case: Case) -> bool:
    """Are gradients compared in this case?"""
    return exercise.gradients and case.name.startswith("drawn")


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
