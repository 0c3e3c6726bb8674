"""What happens in an answer's own process: its definitions run, it is called on each case, its outputs are sent."""

from __future__ import annotations

import marshal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..labs.calls import Call, Raised, call, calls
from ..labs.check import asks_for_gradients
from ..labs.exercise import Case, Rules
from ..labs.gradients import gradients
from .values import encoded

_SETUP_SECONDS = 20.0  # for all definitions together


@dataclass(frozen=True)
class Task:
    """What an answer is called with; no reference is in it."""

    name: str
    cases: Sequence[Case]
    with_gradients: tuple[int, ...]
    rules: Rules
    seconds: float


def answer_task(task: Task, code: Sequence[bytes], lent: dict[str, Callable]) -> bytes:
    """Define and call: a message of {"calls": ..., "gradients": ...}, or of {"failed": why it cannot be called}.

    ``code`` are marshalled definitions, the answer's own last, and ``lent`` the references of earlier exercises that
    were not passed: the lab goes on with these. Of definitions before the last, "undefined" says which failed.
    """
    space: dict[str, Any] = {"__name__": "__main__", **lent}
    *before, failed = [_define(part, space) for part in code]
    undefined = [reason for reason in before if reason]
    if failed:
        return encoded({"failed": failed, "undefined": undefined})
    answer = space.get(task.name)
    if not callable(answer) or isinstance(answer, type):
        return encoded({"not callable": answer})
    called = calls(answer, task.cases, task.seconds, bool(task.rules.nothing_of))
    found = {number: _gradients(answer, task.cases[number], called[number]) for number in task.with_gradients}
    told = [_told(one, task.rules) for one in called]
    return encoded({"calls": told, "gradients": found, "undefined": undefined})


def task_of(exercise: Any, cases: Sequence[Case]) -> Task:
    """An exercise without its reference and mistakes."""
    numbers = tuple(n for n, case in enumerate(cases) if asks_for_gradients(exercise, case))
    return Task(exercise.name, cases, numbers, exercise.rules, exercise.seconds)


def _define(part: bytes, space: dict[str, Any]) -> Raised | None:
    """Run a definition, in the process that was made for it; why it failed, if it did."""
    output = call(lambda: exec(marshal.loads(part), space), (), _SETUP_SECONDS).output
    return Raised(output.kind, output.message) if isinstance(output, Raised) else None


def _gradients(answer: Callable, case: Case, made: Call) -> Any:
    return made.output if isinstance(made.output, Raised) else gradients(answer, case.args)


def _told(made: Call, rules: Rules) -> dict[str, Any]:
    used = [name for name in rules.never if made.watch.uses(name)]
    return {
        "output": made.output,
        "printed": made.printed,
        "changed": made.changed,
        "used": used,
        "largest": made.watch.largest,
    }
