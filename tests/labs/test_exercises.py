"""Every exercise of every lab: there is a lab that asks it, the reference is right, and each mistake is known."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from oneformer_lite import labs
from oneformer_lite.labs.calls import Raised, outputs
from oneformer_lite.labs.compare import difference
from oneformer_lite.labs.exercise import all_labs, find, of_lab

SOURCES = Path(__file__).parents[2] / "notebooks" / "source" / "labs"
EXERCISES = [exercise for lab in all_labs() for exercise in of_lab(lab)]
each_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.id)


def test_ids_name_their_lab_and_are_unique():
    assert [id for id, times in Counter(e.id for e in EXERCISES).items() if times > 1] == []
    for lab in all_labs():
        assert [e.id for e in of_lab(lab)] == [f"{lab}.{k + 1}" for k in range(len(of_lab(lab)))]
        assert len(of_lab(lab)) >= 2, f"lab {lab} has fewer than two exercises"


def test_labs_and_exercises_belong_together():
    check = re.compile(r'labs\.check\("(.+?)", (\w+)\)')
    asked = {path.stem.partition("_")[0]: check.findall(path.read_text()) for path in SOURCES.glob("*.py")}
    assert asked == {lab: [(e.id, e.name) for e in of_lab(lab)] for lab in all_labs()}
    for path in SOURCES.glob("*.py"):
        lab = path.stem.partition("_")[0]
        ends = [f'labs.{call}("{lab}", globals())' for call in ("begin", "tally")]
        assert all(end in path.read_text() for end in ends), path


@each_exercise
def test_a_stub_and_the_reference_are_not_attempts(exercise):
    assert find(exercise.id) is exercise
    cases = exercise.cases()
    assert 3 <= len(cases) <= 6 and len({case.name for case in cases}) == len(cases)
    ours = f"{exercise.id}  not attempted: this is our reference, not yours"
    assert repr(labs.check(exercise.id, exercise.reference)) == ours
    assert repr(labs.check(exercise.id, lambda *args: None)) == f"{exercise.id}  not attempted"


@each_exercise
def test_a_function_that_calls_the_reference_is_not_an_answer_of_ones_own(exercise):
    result = labs.check(exercise.id, lambda *args: find(exercise.id).reference(*args))
    assert not result.passed and "right, but not yours: " in repr(result)


@each_exercise
def test_the_reference_gives_a_result_for_every_case_that_is_printed_or_drawn(exercise):
    given = outputs(exercise.reference, [*exercise.cases(), *(c for seed in range(4) for c in exercise.drawn(seed))])
    assert [output for output in given if isinstance(output, Raised)] == []


@each_exercise
def test_cases_are_the_same_each_time(exercise):
    first, second = exercise.all_cases(seed=5), exercise.all_cases(seed=5)
    assert [case.name for case in first] == [case.name for case in second]
    again = zip(outputs(exercise.reference, first), outputs(exercise.reference, second), strict=True)
    assert all(difference(a, b, 0.0) is None or a == b for a, b in again)


@each_exercise
def test_each_mistake_is_rejected_with_its_own_hint(exercise):
    assert len(exercise.mistakes) >= 3
    assert len({mistake.hint for mistake in exercise.mistakes}) == len(exercise.mistakes)
    for mistake in exercise.mistakes:
        result = labs.check(exercise.id, mistake.answer)
        assert result.attempted and not result.passed, f"{exercise.id} lets pass: {mistake.hint}"
        assert result.hint == mistake.hint, repr(result)
