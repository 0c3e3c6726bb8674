"""What an answer's process still has of the package: enough to run the answer, and never its reference."""

from __future__ import annotations

import gc
import os
from types import FunctionType

import pytest

from oneformer_lite.course.child import answer_task, task_of
from oneformer_lite.course.emptied import empty_package, gone, reachable
from oneformer_lite.labs.exercise import all_labs, of_lab
from oneformer_lite.labs.watch import codes_of

EXERCISES = [exercise for lab in all_labs() for exercise in of_lab(lab)]


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.id)
def test_neither_reference_nor_mistakes_can_be_reached_from_a_task(exercise):
    task = task_of(exercise, exercise.all_cases(1))
    given = [f for f in gc.get_objects() if type(f) is FunctionType and f.__name__ in exercise.rules.given]
    kept = reachable([answer_task, [case.args for case in task.cases], given])
    answers = [exercise.reference, *(mistake.answer for mistake in exercise.mistakes)]
    assert [answer for answer in answers if id(answer) in kept] == []
    assert codes_of(exercise.reference)


def test_emptied_functions_say_what_they_were():
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            held = of_lab("07")[1].reference
            empty_package([answer_task])
            try:
                held(3)
            except NotImplementedError as error:
                os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as told:
        assert gone(told.read()) == "oneformer_lite.labs.longer.contrastive_table._loss"
