"""A folder of students, graded as a lecturer would: nothing that one hands in stops or changes the others."""

from __future__ import annotations

import csv
import json
import re
import warnings
from dataclasses import replace

import pytest
from handed_in import BEGIN, COSINES, HALF, LAB, LOSS, STUB, hand_in

from oneformer_lite.course.folders import Problem
from oneformer_lite.course.grade import grade
from oneformer_lite.course.judge import MISSING, NOT_COUNTED, PASSED, UNATTEMPTED, UNREADABLE, WRONG
from oneformer_lite.course.results import as_csv, groups, page_name
from oneformer_lite.course.template import template_for
from oneformer_lite.course.written import write_results
from oneformer_lite.errors import DataError
from oneformer_lite.labs.exercise import find, of_lab

SAME = "def false_negatives(texts, tasks):\n    return torch.zeros(len(texts), len(texts), dtype=torch.bool)"
BUILT = """def gradient(table):
    leaf = table.clone().requires_grad_()
    return torch.autograd.grad(contrastive_loss(leaf), leaf)[0]"""


READS = """def similarity(q, t):
    try:
        open("/srv/solutions.txt")
    except OSError:
        pass
    return labs.use("07.1", 0)(q, t)"""


@pytest.fixture(scope="module")
def grades(tmp_path_factory):
    folder = tmp_path_factory.mktemp("submissions")
    hand_in(folder / "ada" / "07.ipynb", LAB, BEGIN, COSINES, LOSS, STUB, SAME)
    hand_in(folder / "bob" / "renamed.ipynb", LAB, BEGIN, HALF, BUILT)
    hand_in(folder / "cyd" / "07.ipynb", LAB, BEGIN, HALF.replace("0.5", ".5"), "import os; os._exit(1)", SAME)
    hand_in(folder / "=1+1" / "07.ipynb", LAB, BEGIN, READS)
    hand_in(folder / "<b>eve" / "07.ipynb", LAB, BEGIN, LOSS.replace("return", "print('<script>'); return"))
    (folder / "dan").mkdir()
    (folder / "dan" / "07.ipynb").write_bytes(b"not a notebook")
    steps: list[tuple[int, int]] = []
    found = grade(folder, seed=11, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(done, 5) for done in range(6)]
    return found


BROKEN = {"empty": b"", "cut short": b'{"cells": [', "not UTF-8": b"\xff\xfe\x00", "no code": b'{"cells": []}'}


@pytest.mark.parametrize("how", BROKEN)
def test_who_hands_in_nothing_that_can_be_read_is_in_every_table(tmp_path, how):
    hand_in(tmp_path / "ada" / "07.ipynb", LAB, BEGIN, COSINES)
    for name in ("dan/00_lab.ipynb", "eva_07_lab.ipynb", "fay/mine.ipynb", "notes.ipynb", "ada/07_older.ipynb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(BROKEN[how])
    grades = grade(tmp_path, seed=1)
    assert grades.students == ["ada", "dan", "eva", "fay"]
    assert states(grades, "ada")[0] == PASSED and UNREADABLE not in states(grades, "ada")
    assert states(grades, "dan") == [UNREADABLE] * 3 and states(grades, "eva") == [UNREADABLE] * 4
    assert states(grades, "fay") == [] and grades.exercises[:3] == ["00.1", "00.2", "00.3"]
    rows = {row[0]: row for row in csv.reader(as_csv(grades).splitlines())}
    assert rows["dan"][1:5] == ["0", "3", "7", ""] and rows["dan"][6] == "unreadable"
    assert re.match(r"00\.1, 00\.2, 00\.3: .*\w", rows["dan"][5])
    assert rows["fay"][1:4] == ["0", "0", "7"]
    write_results(grades, tmp_path / "out")
    page = (tmp_path / "out" / "students" / page_name("fay")).read_text()
    assert "mine.ipynb" in page and "not handed in: labs 00, 07" in page
    assert "0 of 4" in (tmp_path / "out" / "index.html").read_text()


def states(grades, student: str) -> list[str]:
    return [one.state for one in grades.of(student)]


def test_each_answer_gets_its_mark(grades):
    assert grades.exercises == ["07.1", "07.2", "07.3", "07.4"] and grades.seed == 11
    assert states(grades, "ada") == [PASSED, PASSED, UNATTEMPTED, WRONG]
    assert states(grades, "cyd") == [MISSING, WRONG, MISSING, WRONG]
    assert states(grades, "=1+1") == [NOT_COUNTED, MISSING, MISSING, MISSING]
    assert states(grades, "<b>eve") == [MISSING, PASSED, MISSING, MISSING]
    unread, tried = grades.problems
    assert unread == Problem(unread.path, unread.words, "dan", "07") and "not JSON" in unread.words
    assert tried.words == "=1+1: the answer to 07.1 tried to read files, and was kept from it"
    assert states(grades, "dan") == [UNREADABLE] * 4 and "not JSON" in grades.of("dan")[0].verdict
    assert grades.judged == 9


def test_an_answer_that_stands_on_a_wrong_one_gets_ours_as_in_the_lab(grades):
    bob = grades.of("bob")
    assert bob[1].state == WRONG and "sum of both directions" in bob[1].details["hint"]
    assert bob[2].state in (PASSED, NOT_COUNTED)  # by ours; and then by the card, which rules autograd out
    assert "07.3" in bob[2].verdict


def test_the_hints_are_those_of_the_lab_and_alike_answers_are_grouped(grades):
    found = groups(grades.marks, "07.2")
    assert [(group.students, group.words) for group in found] == [
        (("bob", "cyd"), "the loss is the sum of both directions, not their mean")
    ]
    assert groups(grades.marks, "07.4")[0].students == ("ada", "cyd")


def test_a_cell_that_cannot_be_read_is_told_as_that_with_its_reason_and_stops_no_other(tmp_path):
    hand_in(tmp_path / "ada" / "07.ipynb", LAB, BEGIN, COSINES, LOSS.replace("len(table))", "len(table)"), STUB)
    grades = grade(tmp_path, seed=5)
    assert states(grades, "ada") == [PASSED, UNREADABLE, UNATTEMPTED, MISSING]
    row = dict(zip(*list(csv.reader(as_csv(grades).splitlines()))[:2], strict=True))
    assert row["07.2"] == "unreadable"
    assert row["unreadable"] == "07.2: cell 4 cannot be read: SyntaxError: '(' was never closed (line 2)"
    write_results(grades, tmp_path / "out")
    assert "cell 4 cannot be read: SyntaxError" in (tmp_path / "out" / "students" / page_name("ada")).read_text()


def test_results_are_written_and_hold_no_more_than_text(grades, tmp_path):
    page = write_results(grades, tmp_path)
    rows = list(csv.reader((tmp_path / "results.csv").read_text().splitlines()))
    assert rows[0] == ["student", "passed", "handed in", "asked", "tried", "unreadable", "07.1", "07.2", "07.3", "07.4"]
    assert [row[0] for row in rows[1:]] == ["<b>eve", "'=1+1", "ada", "bob", "cyd", "dan"]
    assert [row[4] for row in rows[1:]] == ["", "07.1: to read files", "", "", "", ""]
    assert rows[3][1:] == ["2", "4", "4", "", "", "passed", "passed", "not attempted", "wrong"]
    kept = json.loads((tmp_path / "results.json").read_text())
    assert kept["seed"] == 11 and kept["students"][2]["marks"][1]["state"] == "passed"
    text = page.read_text()
    assert "<b>eve" not in text and "&lt;b&gt;eve" in text and "not JSON" in text
    eve = (tmp_path / "students" / page_name("<b>eve")).read_text()
    assert "<script>" not in eve.split("</style>")[1] and "&lt;script&gt;" in eve
    assert len(list((tmp_path / "students").iterdir())) == 6
    assert as_csv(grades) == (tmp_path / "results.csv").read_text()


def test_an_exercise_that_nobody_attempts_is_not_prepared(tmp_path):
    made = tmp_path / "made"

    def cases():
        made.touch()
        return find("07.2").cases()

    of_lab("07")
    template = template_for(replace(find("07.2"), cases=cases), seed=1)
    template.close()
    assert not template.process.is_alive() and not made.exists()


def test_names_of_pages_are_names_of_files():
    names = [page_name(student) for student in ("../../etc", "a/b", "王", "王小", "a" * 300, "")]
    assert len(set(names)) == 6 and all("/" not in name and len(name) < 60 for name in names)


def test_nothing_to_grade_is_refused(tmp_path):
    with pytest.raises(DataError, match="no notebook in"):
        grade(tmp_path)


def test_a_process_that_had_gradients_can_grade(tmp_path):
    import torch

    torch.ones(3, requires_grad=True).sum().backward()
    hand_in(tmp_path / "ada" / "07.ipynb", LAB, BEGIN, COSINES, LOSS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert states(grade(tmp_path, seed=3, student="you"), "you")[:2] == [PASSED, PASSED]
