"""The hint of a wrong answer: a known mistake, else what is seen where the answer first goes wrong."""

from __future__ import annotations

import dis
from collections.abc import Callable, Sequence
from types import CodeType
from typing import Any

from .calls import Call, Raised, argument_names, outputs
from .compare import difference
from .error_hints import error_hint
from .exercise import Case, Exercise
from .probes import probed
from .seen_in_cases import seen_in_cases
from .watch import codes_of


def hint(
    exercise: Exercise,
    answer: Callable,
    cases: Sequence[Case],
    made: Sequence[Call],
    expected: Sequence[Any],
    lines: Sequence[str | None],
) -> str | None:
    """The first that says something; ``lines`` says what differs, case by case."""
    yours, wrong = [call.output for call in made], next(n for n, line in enumerate(lines) if line)
    differ = [n for n in range(len(cases)) if not agree(expected[n], yours[n], exercise.tolerance)]
    if agree(expected[wrong], yours[wrong], exercise.tolerance):  # its value is right
        return _beside_the_value(made[wrong], lines[wrong])
    if isinstance(yours[wrong], Raised):
        return _known_mistake(exercise, cases, yours, expected, wrong) or error_hint(yours[wrong], cases[wrong])
    if not exercise.told:
        return _known_mistake(exercise, cases, yours, expected, wrong) or _nothing_returned(answer, made[wrong])
    return (
        _known_mistake(exercise, cases, yours, expected, wrong)
        or _nothing_returned(answer, made[wrong])
        or _first_round_alone(answer)
        or _unused_argument(answer, cases[wrong])
        or probed(exercise, cases, yours, expected, wrong)
        or seen_in_cases(answer, cases, expected, yours, differ)
        or _special_case(cases, expected, yours, wrong, exercise.tolerance)
    )


def agree(expected: Any, yours: Any, tolerance: float) -> bool:
    """Are both the same value, or the same kind of exception?"""
    if isinstance(expected, Raised) or isinstance(yours, Raised):
        return isinstance(expected, Raised) and isinstance(yours, Raised) and expected.kind == yours.kind
    try:
        return difference(expected, yours, tolerance) is None
    except Exception:  # an object of the answer's own making may do anything when it is looked at
        return False


def _known_mistake(
    exercise: Exercise, cases: Sequence[Case], yours: Sequence[Any], expected: Sequence[Any], wrong: int
) -> str | None:
    """The hint of the first mistake that gives the same on every case; else of the one that explains this case, most
    of those that are wrong, and more of all than any other mistake."""
    scores, differ = [], [not agree(a, b, exercise.tolerance) for a, b in zip(expected, yours, strict=True)]
    for mistake in exercise.mistakes:
        same = [agree(a, b, exercise.tolerance) for a, b in zip(outputs(mistake.answer, cases), yours, strict=True)]
        if all(same):
            return mistake.hint
        explained = sum(a and b for a, b in zip(same, differ, strict=True))
        fits = same[wrong] and not isinstance(yours[wrong], Raised) and 2 * explained > sum(differ)
        scores.append(sum(same) if fits else 0)
    best = max(scores, default=0)
    certain = best > len(cases) / 2 and scores.count(best) == 1
    return exercise.mistakes[scores.index(best)].hint if certain else None


def _beside_the_value(call: Call, line: str | None) -> str:
    if line and "flows back to" in line:
        return "does the result depend on all of it? What is added to it may be left out, or cut off by detach or item"
    if call.changed:
        return "make a new one: x = x + 1 instead of x += 1, sorted(x) instead of x.sort(), a copy before you change it"
    return "keep what the loss is made of as tensors, from the arguments to the result, and each exactly once"


def _nothing_returned(answer: Callable, call: Call) -> str | None:
    if call.output is None and any(_returns_nothing(code) for code in codes_of(answer)):
        shows = ": print shows a value, return gives it" if call.printed.strip() else ""
        return f"yours returns nothing: is a 'return' missing{shows}?"
    words = {"generator": "yield", "coroutine": "async"}.get(type(call.output).__name__)
    return f"yours gives a {type(call.output).__name__}: return the result itself, without '{words}'" if words else None


def _returns_nothing(code: CodeType) -> bool:
    """Does every way through this code end in None?"""
    steps = list(dis.get_instructions(code))
    pairs = zip([None, *steps], steps, strict=False)
    ends = [(a, b) for a, b in pairs if b.opname in ("RETURN_VALUE", "RETURN_CONST")]
    return all((b if b.opname == "RETURN_CONST" else a).argval is None for a, b in ends if a is not None)


def _first_round_alone(answer: Callable) -> str | None:
    """A ``for`` that nothing jumps back to: each way through its body leaves it."""
    for code in codes_of(answer):
        steps = list(dis.get_instructions(code))
        begins = {step.offset for step in steps if step.opname == "FOR_ITER"}
        if begins - {step.argval for step in steps if step.opname.startswith("JUMP_BACKWARD")}:
            return "a loop of yours ends in its first round: is its 'return' or 'break' indented too far?"
    return None


def _unused_argument(answer: Callable, case: Case) -> str | None:
    names = argument_names(answer, len(case.args))
    read = set().union(*map(_read, codes_of(answer)))
    unused = [name for name in names if name.isidentifier() and name not in read] if read else []
    return f"your code never looks at {' and '.join(unused)}" if unused else None


def _read(code: CodeType) -> set[str]:
    """Every name that a function, or one within it, loads; with ``*args`` nothing can be said."""
    names: set[str] = set()
    for step in dis.get_instructions(code):
        value = step.argval if step.opname.startswith(("LOAD_", "STORE_FAST_LOAD_FAST")) else ()
        names |= (
            {value}
            if isinstance(value, str)
            else {n for n in value if isinstance(n, str)}
            if isinstance(value, tuple)
            else set()
        )
    return names.union(*(_read(inner) for inner in code.co_consts if isinstance(inner, CodeType)))


def _special_case(
    cases: Sequence[Case], expected: Sequence[Any], yours: Sequence[Any], wrong: int, tolerance: float
) -> str | None:
    right = sum(agree(a, b, tolerance) for a, b in zip(expected, yours, strict=True))
    if right >= len(cases) / 2 and not cases[wrong].name.startswith("drawn"):
        return f"right on {right} of {len(cases)} cases: what is special about this one, {cases[wrong].name}?"
    return None
