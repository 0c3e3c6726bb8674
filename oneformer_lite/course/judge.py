"""From what an answer's process has sent to a mark, by the very rules of ``labs.check``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..errors import DataError
from ..labs.calls import Call, Raised
from ..labs.check import Made, judged
from ..labs.exercise import Case, Exercise
from ..labs.gradients import BUT
from ..labs.owner import not_an_answer
from ..labs.result import Result
from ..labs.watch import Watch
from .answers import Answer
from .emptied import gone
from .template import Template
from .values import decoded

PASSED, WRONG, NOT_COUNTED, UNATTEMPTED, MISSING = "passed", "wrong", "not counted", "not attempted", "missing"
UNREADABLE = "unreadable"  # its notebook, or the cell in which it stands
_FORGED = "what its process sent is not what an answer gives: it wrote to the channel of its result"


@dataclass(frozen=True)
class Mark:
    """One answer of one student. ``verdict`` is a line, ``details`` say why, by what they are; ``text`` is the answer,
    ``case`` the name of the first case that differs, ``tried`` what it was kept from doing."""

    student: str
    id: str
    state: str
    verdict: str
    details: Mapping[str, str]
    text: str = ""
    case: str = ""
    tried: tuple[str, ...] = ()


def unreadable(student: str, exercise: Exercise, why: str) -> Mark:
    """The mark of an answer whose notebook cannot be read."""
    return Mark(student, exercise.id, UNREADABLE, f"{exercise.id}  {UNREADABLE}: {why}", {})


class Told(Watch):
    """What an answer's process says that it used: it goes by the card, and makes nothing right."""

    def __init__(self, used: Sequence[str], largest: int) -> None:
        super().__init__()
        self.used, self.largest = frozenset(used), largest

    def uses(self, name: str) -> bool:
        return name in self.used


def mark(
    student: str, exercise: Exercise, answer: Answer | str, template: Template, lent: Sequence[str], seed: int
) -> Mark:
    """Run an answer and judge it. ``lent``: ids of exercises whose references it may call."""
    if isinstance(answer, str):
        state = next((state for state in (NOT_COUNTED, UNREADABLE) if answer.startswith(state)), MISSING)
        return Mark(student, exercise.id, state, f"{exercise.id}  {answer}", {})
    if not_an_answer(exercise, answer.look):
        return Mark(student, exercise.id, UNATTEMPTED, f"{exercise.id}  {UNATTEMPTED}", {}, answer.text)
    tried: list[str] = []
    try:
        message, tried = template.run(answer.code, lent)
        state, result, notes = judge_message(exercise, answer.look, message, seed)
    except EOFError:
        state, result, notes = WRONG, Result(exercise.id, note="its process could not be started: grade it again"), {}
    told = {"tried": f"{' and '.join(tried)}, which no answer needs; it was kept from it"} if tried else {}
    details = {**told, **notes, **result.details}
    return Mark(student, exercise.id, state, result.verdict, details, answer.text, _first_wrong(result), tuple(tried))


def judge_message(exercise: Exercise, look: Any, message: bytes, seed: int) -> tuple[str, Result, dict[str, str]]:
    """State, result and notes of what came out of an answer's process; ``look`` has its code, and is never called."""
    cases = exercise.all_cases(seed)
    try:
        content = decoded(message)
        if "not callable" in content:
            value = content["not callable"]
            return WRONG, Result(exercise.id, note=not_an_answer(exercise, value) or f"{value!r} is no function"), {}
        undefined = [raised for raised in content.get("undefined", []) if isinstance(raised, Raised)]
        made = _failed(content["failed"], cases) if "failed" in content else _made(content, cases)
    except (DataError, LookupError, TypeError, ValueError, AttributeError):
        return NOT_COUNTED, Result(exercise.id, note=_FORGED), {}
    result = judged(exercise, look, made, seed)
    outputs = [call.output for call in made.calls]
    return *_counted(exercise, result, outputs), _notes(undefined, outputs)


def _made(content: Mapping, cases: Sequence[Case]) -> Made:
    calls = [_call(told) for told in content["calls"]]
    gradients = {number: _gradients(found) for number, found in content["gradients"].items()}
    if len(calls) != len(cases):
        raise ValueError("another number of cases")
    return Made(calls, lambda number: gradients.get(number, Raised("ValueError", "no gradient was sent")))


def _call(told: Mapping) -> Call:
    changed = told["changed"]
    watch = Told([str(name) for name in told["used"]], int(told["largest"]))
    return Call(told["output"], watch, str(told["printed"])[:2000], None if changed is None else str(changed)[:80])


def _gradients(found: Any) -> Any:
    """A list of tensors, or of None, or an exception; anything else is none of an answer's gradients."""
    if isinstance(found, Raised):
        return found
    if not isinstance(found, list) or not all(part is None or isinstance(part, Tensor) for part in found):
        raise ValueError("gradients of another kind")
    return found


def _failed(raised: Any, cases: Sequence[Case]) -> Made:
    """The same exception for every case."""
    if not isinstance(raised, Raised):
        raise ValueError("a failure without its reason")
    return Made([Call(raised, Watch()) for _ in cases], lambda number: raised)


def _counted(exercise: Exercise, result: Result, outputs: Sequence[Any]) -> tuple[str, Result]:
    """The state, and the result with the name of what makes it not count."""
    if names := sorted({name for output in outputs if isinstance(output, Raised) and (name := gone(output.message))}):
        note = f"not counted: it lets {names[0]} of the package do the work"
        return NOT_COUNTED, Result(exercise.id, True, note=note)
    if result.passed:
        return PASSED, result
    if result.note:
        return NOT_COUNTED, result
    return (NOT_COUNTED, _by_heart(result)) if _right_on_printed_alone(result) else (WRONG, result)


def _right_on_printed_alone(result: Result) -> bool:
    """Every printed case right, not one that was drawn: so does a table of the printed results. Values that are right
    and lack a gradient are nothing of that kind."""
    drawn = [line for name, line in result.differences if name.startswith("drawn")]
    printed = [line for name, line in result.differences if not name.startswith("drawn")]
    by_heart = bool(drawn) and all(line and not line.startswith(BUT) for line in drawn)
    return by_heart and not any(printed)


def _by_heart(result: Result) -> Result:
    right = sum(line is None for _, line in result.differences)
    note = f"right on the {right} printed cases and on none that were drawn: it knows the printed ones by heart"
    return Result(result.id, True, result.differences, note=note, arguments=result.arguments)


def _notes(undefined: Sequence[Raised], outputs: Sequence[Any]) -> dict[str, str]:
    """Definitions beside the answer that failed, where the answer then missed one."""
    missed = any(isinstance(output, Raised) and output.kind == "NameError" for output in outputs)
    if not undefined or not missed:
        return {}
    function = gone(undefined[0].message)
    why = f"it calls {function}" if function else str(undefined[0])
    return {"undefined": f"an answer works from its arguments alone; what it takes from another cell failed ({why})"}


def _first_wrong(result: Result) -> str:
    return next((name for name, line in result.differences if line), "")
