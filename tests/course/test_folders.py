"""Which notebooks a folder holds, whose they are, and what is said of those that cannot be read."""

from __future__ import annotations

import json
import os

import pytest
from handed_in import BEGIN, COSINES, LOSS, content, hand_in

from oneformer_lite.course.folders import lab_of, read_folder, student_of
from oneformer_lite.errors import DataError

UNREADABLE = {
    "an empty file": (b"", "empty"),
    "white space": (b" \n ", "empty"),
    "not JSON": (b"{'cells': 3", "no notebook: not JSON"),
    "cut short": (json.dumps(content(BEGIN)).encode()[:-40], "no notebook: not JSON"),
    "another encoding": (json.dumps(content(BEGIN + " # é"), ensure_ascii=False).encode("latin-1"), "not UTF-8"),
    "UTF-16": (json.dumps(content(BEGIN)).encode("utf-16"), "not UTF-8"),
    "a list": (b"[1, 2]", "JSON, but no notebook"),
    "an old format": (b'{"worksheets": []}', "old format"),
    "no code": (json.dumps(content("", " ")).encode(), "not one code cell"),
    "cells of other kinds": (b'{"cells": [1, null, {"cell_type": "code", "source": [3]}]}', "not one code cell"),
    "nested without end": (b'{"cells":' * 100_000, "no notebook: not JSON"),
    "no lab": (json.dumps(content("x = 1")).encode(), "belongs to no lab"),
    "a lab that there is not": (json.dumps(content('labs.begin("77", globals())')).encode(), "belongs to no lab"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_cannot_be_read_is_told_in_a_sentence_and_the_others_are_found(tmp_path, kind):
    data, words = UNREADABLE[kind]
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / "mine.ipynb").write_bytes(data)
    hand_in(tmp_path / "grace" / "07_the_contrastive_loss.ipynb", BEGIN, LOSS)
    folder = read_folder(tmp_path)
    assert [(one.student, one.lab) for one in folder.found] == [("grace", "07")]
    assert [problem.path.name for problem in folder.problems] == ["mine.ipynb"]
    assert words in folder.problems[0].words and "\n" not in folder.problems[0].words


def test_half_a_gigabyte_is_not_read(tmp_path):
    hand_in(tmp_path / "grace" / "07.ipynb", BEGIN, LOSS)
    large = tmp_path / "ada" / "07.ipynb"
    large.parent.mkdir()
    with open(large, "wb") as file:
        file.truncate(500_000_000)
    folder = read_folder(tmp_path)
    assert "500 MB" in folder.problems[0].words and folder.students == ["ada", "grace"]


@pytest.mark.parametrize(
    "make", [lambda p: os.mkfifo(p), lambda p: p.symlink_to("/etc/passwd"), lambda p: p.symlink_to(p)]
)
def test_pipes_and_links_are_not_followed(tmp_path, make):
    hand_in(tmp_path / "grace" / "07.ipynb", BEGIN, LOSS)
    make(tmp_path / "grace" / "08.ipynb")
    assert "cannot be read" in read_folder(tmp_path).problems[0].words


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("ada/07_the_contrastive_loss.ipynb", "ada"),
        ("ada/deep/er/final version.ipynb", "ada"),
        ("Ada Lovelace_07_the_contrastive_loss.ipynb", "Ada Lovelace"),
        ("ada-lab-07-final.ipynb", "ada"),
        ("ada (1).ipynb", "ada"),
        ("07_the_contrastive_loss.ipynb", "07_the_contrastive_loss"),
        ("王小明_07_x.ipynb", "王小明"),
    ],
)
def test_students_are_named_by_folder_or_file(tmp_path, name, student):
    assert student_of(tmp_path / name, tmp_path) == student


def test_a_renamed_notebook_is_known_by_what_it_calls(tmp_path):
    path = hand_in(tmp_path / "ada" / "03_pixel_decoder.ipynb", BEGIN, LOSS)
    assert lab_of([BEGIN, LOSS], path) == ("07", True)
    assert lab_of(['labs.check("07.2", contrastive_loss)'], path) == ("07", True)
    assert lab_of([LOSS], tmp_path / "my 07.ipynb") == ("07", False)
    with pytest.raises(DataError, match="belongs to no lab"):
        lab_of([LOSS], tmp_path / "my 08.ipynb")


def test_the_newest_of_two_counts_and_it_is_said(tmp_path):
    old = hand_in(tmp_path / "ada" / "07.ipynb", BEGIN, COSINES)
    new = hand_in(tmp_path / "ada" / "07 (1).ipynb", BEGIN, LOSS)
    os.utime(old, (1, 1))
    folder = read_folder(tmp_path)
    assert [one.path for one in folder.found] == [new]
    assert folder.problems[0].path == old and "more than once" in folder.problems[0].words


def test_lessons_solutions_and_what_was_put_aside_are_no_submissions(tmp_path):
    lab = hand_in(tmp_path / "ada" / "notebooks" / "labs" / "07_x.ipynb", BEGIN, COSINES)
    hand_in(tmp_path / "ada" / "notebooks" / "07_x.ipynb", COSINES)
    hand_in(tmp_path / "ada" / "notebooks" / "labs" / "solutions" / "07_x.ipynb", BEGIN, LOSS)
    hand_in(tmp_path / "ada" / "notebooks" / "labs" / "07_x.old-1.ipynb", BEGIN, LOSS)
    folder = read_folder(tmp_path)
    assert [one.path for one in folder.found] == [lab] and folder.problems == []


def test_the_same_code_twice_names_that_are_one_and_our_solutions_are_told(tmp_path):
    from oneformer_lite.course.workbook import delivered

    hand_in(tmp_path / "ada" / "07.ipynb", BEGIN, LOSS)
    hand_in(tmp_path / "Ada" / "08.ipynb", 'labs.begin("08", globals())')
    hand_in(tmp_path / "grace" / "07.ipynb", BEGIN, LOSS)
    solved = next((delivered() / "labs" / "solutions").glob("09_*.ipynb"))
    (tmp_path / "eve").mkdir()
    (tmp_path / "eve" / "mine.ipynb").write_bytes(solved.read_bytes())
    words = " | ".join(problem.words for problem in read_folder(tmp_path).problems)
    assert "the very same code for lab 07 from ada and grace" in words
    assert "one student? Ada and ada" in words and "eve has handed in our solutions, unchanged" in words


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir(), lambda p: p.write_text("x")])
def test_a_folder_without_notebooks_is_refused(tmp_path, make):
    make(tmp_path / "submissions")
    with pytest.raises(DataError, match="no folder|no notebook"):
        read_folder(tmp_path / "submissions")
