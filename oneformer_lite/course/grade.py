"""Grade a folder: one process for each lab, each with a template for each of its exercises."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from ..errors import DataError, OneFormerLiteError
from ..labs.exercise import Exercise, all_labs, of_lab
from ..labs.notebook_cells import read_cells
from .answers import find_answers
from .folders import Folder, Found, Problem, read_folder
from .judge import NOT_COUNTED, PASSED, WRONG, Mark, mark, unreadable
from .template import Template, template_for
from .walls import Limits, present

Progress = Callable[[int, int], None]  # how many are done, of how many


@dataclass
class Grades:
    """All marks of a folder, what could not be judged, and how it was done."""

    marks: list[Mark]
    problems: list[Problem]
    exercises: list[str]  # asked of this folder, in order
    seed: int
    seconds: float = 0.0
    walls: dict[str, bool] = field(default_factory=present)

    @property
    def students(self) -> list[str]:
        """In order; those too of whom nothing could be read."""
        return sorted({one.student for one in self.marks} | {one.student for one in self.problems if one.student})

    @property
    def judged(self) -> int:
        """How many answers were run."""
        return sum(one.state in (PASSED, WRONG, NOT_COUNTED) for one in self.marks)

    def of(self, student: str) -> list[Mark]:
        """The marks of one student, in the order of the exercises."""
        return [one for one in self.marks if one.student == student]


def grade(
    folder: Path,
    seed: int | None = None,
    cores: int = 2,
    limits: Limits | None = None,
    progress: Progress | None = None,
    student: str | None = None,
) -> Grades:
    """Judge every notebook in ``folder``, on the printed cases and on those of a hidden ``seed`` (drawn by default).
    ``student``: all notebooks are theirs. ``progress`` is called at the start, and for each that is done.

    Nothing of a notebook runs but the definitions that its answers are made of, each in a process of its own behind
    walls. Raises :class:`DataError` if there is nothing to grade.
    """
    _refuse_where_impossible()
    start, seed = time.monotonic(), secrets.randbits(31) if seed is None else seed
    kept = _apart(read_folder, folder, student)
    labs = {lab: [one for one in kept.found if one.lab == lab] for lab in all_labs()}
    handed_in = {lab: found for lab, found in labs.items() if found}
    marks, problems = _all_labs(handed_in, seed, cores, limits or Limits(), progress or (lambda done, total: None))
    problems = kept.problems + problems
    marks += _unreadable(problems, {(one.student, one.id) for one in marks})
    there = {one.id for one in marks}
    asked = [e.id for lab in all_labs() for e in of_lab(lab) if labs[lab] or e.id in there]
    marks.sort(key=lambda one: (one.student, asked.index(one.id)))
    return Grades(marks, problems, asked, seed, time.monotonic() - start)


def _unreadable(problems: Sequence[Problem], judged: set[tuple[str, str]]) -> list[Mark]:
    """A mark for each answer of the notebooks that could not be read, but for what another notebook answers."""
    broken = [(one, exercise) for one in problems if one.student and one.lab for exercise in of_lab(one.lab)]
    found = {(one.student, e.id): unreadable(one.student, e, one.words) for one, e in broken}
    return [mark for key, mark in found.items() if key not in judged]


def _refuse_where_impossible() -> None:
    if sys.platform not in ("linux", "darwin"):
        raise OneFormerLiteError("grading forks processes, which this system cannot do: use Linux, macOS or WSL")
    import torch

    torch.set_num_threads(1)  # each process has one core, and no thread of a pool survives a fork
    for lab in all_labs():
        of_lab(lab)  # imports what it needs, once for all processes


def _all_labs(
    labs: dict[str, list[Found]], seed: int, cores: int, limits: Limits, progress: Progress
) -> tuple[list[Mark], list[Problem]]:
    """As many labs at a time as there are cores, those with most notebooks first."""
    waiting = sorted(labs, key=lambda lab: -len(labs[lab]) * len(of_lab(lab)))
    running: dict[Any, tuple[str, Any]] = {}
    marks: list[Mark] = []
    problems: list[Problem] = []
    done, total = 0, sum(map(len, labs.values()))
    progress(done, total)
    while waiting or running:
        while waiting and len(running) < max(1, cores):
            lab = waiting.pop(0)
            running |= _started(_grade_lab, lab, labs[lab], seed, limits)
        for channel in wait(list(running)):
            lab, process = running[channel]
            try:
                kind, content = channel.recv()
            except EOFError:
                problems += [
                    Problem(one.path, f"lab {lab} was not finished: its process died; grade again", one.student, lab)
                    for one in labs[lab]
                    if not any(m.student == one.student and m.id.startswith(lab) for m in marks)
                ]
                kind = "end"
            if kind == "marks":
                marks += content
            elif kind == "problem":
                problems.append(content)
            elif kind == "done":
                done += 1
                progress(done, total)
            else:
                process.join()
                del running[channel]
    return marks, problems


def _started(work: Callable, lab: str, *args: Any) -> dict[Any, tuple[str, Any]]:
    context = get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(there, lab, *args))
    process.start()
    there.close()
    return {here: (lab, process)}


def _grade_lab(channel: Any, lab: str, found: Sequence[Found], seed: int, limits: Limits) -> None:
    """The marks of each notebook, as they come. The templates start before anything is read or computed: no copy of
    them has ever seen a submission but its own, nor a result of a reference."""
    exercises = of_lab(lab)
    templates = {exercise.id: template_for(exercise, seed, limits) for exercise in exercises}
    try:
        for one in found:
            try:
                marks = list(_marks(one.student, read_cells(one.path), exercises, templates, seed))
                channel.send(("marks", marks))
                for problem in _tried(one, marks):
                    channel.send(("problem", problem))
            except DataError as error:
                channel.send(("problem", Problem(one.path, str(error), one.student, lab)))
            except Exception as error:  # whatever a notebook makes us stumble over, the others are graded
                words = f"could not be graded ({type(error).__name__}: {str(error)[:200]})"
                channel.send(("problem", Problem(one.path, words, one.student, lab)))
            channel.send(("done", None))
        channel.send(("end", None))
    finally:
        for template in templates.values():
            template.close()


def _tried(found: Found, marks: Sequence[Mark]) -> Iterator[Problem]:
    """What a student's answers were kept from doing: whatever came of it, the lecturer should look at them."""
    for one in marks:
        if one.tried:
            words = f"{one.student}: the answer to {one.id} tried {' and '.join(one.tried)}, and was kept from it"
            yield Problem(found.path, words)


def _marks(
    student: str, cells: Sequence[str], exercises: Sequence[Exercise], templates: dict[str, Template], seed: int
) -> Iterator[Mark]:
    """One after the other: what stands on an earlier answer gets the student's own if that has passed, else ours."""
    names = {exercise.name: exercise for exercise in exercises}
    answers, passed = find_answers(cells, list(names)), set()
    for exercise in exercises:
        answer = answers[exercise.name]
        lent = []
        if not isinstance(answer, str):
            own = {name for name in answer.stands_on if name in passed}
            lent = [names[name].id for name in answer.stands_on - own]
            answer = answer.standing_on([answers[name] for name in sorted(own)])
        one = mark(student, exercise, answer, templates[exercise.id], lent, seed)
        passed |= {exercise.name} if one.state == PASSED else set()
        yield one


def _apart(work: Callable[..., Folder], *args: Any) -> Folder:
    """Do it in another process: what it holds in memory is not in those that are forked from this one afterwards."""
    context = get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_send_result, args=(there, work, *args))
    process.start()
    there.close()
    try:
        result = here.recv()
    except EOFError as error:
        raise DataError("the folder could not be read: the process that read it died") from error
    process.join()
    if isinstance(result, Exception):
        raise result
    return result


def _send_result(channel: Any, work: Callable, *args: Any) -> None:
    try:
        channel.send(work(*args))
    except OneFormerLiteError as error:
        channel.send(error)
