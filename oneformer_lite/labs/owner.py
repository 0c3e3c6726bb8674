"""Whose an answer is: not yet one, the learner's own, or ours; and whether it keeps to the card of its exercise."""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from .calls import Call
from .compare import describe
from .exercise import Case, Exercise, all_labs, of_lab
from .names import Blank, renamed
from .watch import PACKAGE, codes_of, is_own

_EMPTY = {"RESUME", "NOP", "CACHE", "POP_TOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST", "COPY_FREE_VARS"}


def not_an_answer(exercise: Exercise, answer: Any) -> str | None:
    """Why this cannot be judged as an answer, in words; None if it can."""
    if isinstance(answer, Blank):
        return f"not attempted: {_missing(answer)}"
    if answer is Ellipsis or is_stub(answer):
        return "not attempted"
    if isinstance(answer, type) or not callable(answer):
        came = f"the class {answer.__name__}" if isinstance(answer, type) else describe(answer)
        return f'{came} came instead of a function: labs.check("{exercise.id}", {exercise.name}), without calling it'
    return "not attempted: this is our reference, not yours" if is_ours(exercise, answer) else None


def is_ours(exercise: Exercise, answer: Any) -> bool:
    """Is it the reference, however it is wrapped, or a function of this package?"""
    codes = codes_of(answer)
    return answer is exercise.reference or bool(codes & codes_of(exercise.reference))


def is_stub(answer: Any) -> bool:
    """Does this function do nothing but return None or ``...``?"""
    codes = codes_of(answer) if callable(answer) and not isinstance(answer, type) else set()
    return len(codes) == 1 and all(
        step.opname in _EMPTY and (step.opname != "RETURN_CONST" or step.argval in (None, ...))
        and (step.opname != "LOAD_CONST" or step.argval in (None, ...))
        for step in dis.get_instructions(codes.pop())
    )  # fmt: skip


def package_did_it(exercise: Exercise, answer: Callable, cases: Sequence[Case], made: Sequence[Call]) -> str | None:
    """Words on a right answer that lets the reference, or another function of this package, do the work."""
    ran = set().union(*(call.watch.ran for call in made))
    called = {code for call in made for code in call.watch.called if code.co_filename.startswith(PACKAGE)}
    given = set().union(*(codes_of(case.args) for case in cases), *map(codes_of, _siblings(exercise)))
    called = {code for code in called - given if code.co_name not in exercise.rules.given}
    called |= {code for code in codes_of(answer) if code.co_filename.startswith(PACKAGE)}
    names = sorted(code.co_name for code in called | (ran & codes_of(exercise.reference)))
    return f"right, but not yours: {names[0]} of this package does the work" if names else None


def broken_rules(exercise: Exercise, cases: Sequence[Case], made: Sequence[Call]) -> tuple[str, ...]:
    """What an answer has used although its card rules it out."""
    rules, found = exercise.rules, []
    for name in rules.never:
        if any(call.watch.uses(name) for call in made):
            found.append("a loop" if name == "loops" else name)
    if rules.nothing_of:
        sizes = [(call.watch.largest, rules.nothing_of(*case.args)) for call, case in zip(made, cases, strict=True)]
        if all(largest >= size for largest, size in sizes if size):
            found.append(f"a tensor of {max(sizes)[0]} elements")
    return tuple(found)


def _siblings(exercise: Exercise) -> list[Callable]:
    """The references of the lab's other exercises, which later answers may stand on."""
    lab = exercise.id.partition(".")[0]
    return [other.reference for other in (of_lab(lab) if lab in all_labs() else ()) if other.id != exercise.id]


def _missing(blank: Blank) -> str:
    """A name that nothing has been bound to; ``labs.begin`` has bound the names of the lab's other answers."""
    own = {n: f for n, f in blank.namespace.items() if inspect.isfunction(f) and is_own(f.__code__.co_filename)}
    used = {name for function in own.values() for name in function.__code__.co_names}
    asked = {exercise.name for lab in all_labs() for exercise in of_lab(lab)}
    words = renamed(blank.name, [name for name in own if name not in used | asked])
    return words or f"{blank.name} is not defined; has its cell run, and without an error?"
