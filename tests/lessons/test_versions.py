"""A version's changed lines are found in its source and marked without colours."""

from __future__ import annotations

import difflib
import inspect

import pytest
from nbformat.v4 import new_output

from oneformer_lite.lessons import grown
from oneformer_lite.lessons.cells import output_html
from oneformer_lite.lessons.versions import source_of


def first(x):
    total = 0
    for each in x:
        total += each
    return total


def second(x, weight=2):
    total = 0
    for each in x:
        total += weight * each  # a < b

    return total


class Layer:
    def __init__(self):
        self.size = 1

    def forward(self):
        return self.size


class LargerLayer:
    def __init__(self):
        self.size = 1
        self.more = 2

    def forward(self):
        return self.size


def test_new_lines_and_gone_lines_are_marked_as_difflib_marks_them():
    growth = grown(first, second)
    expected = [
        line for line in difflib.ndiff(source_of(first).split("\n"), source_of(second).split("\n")) if line[0] != "?"
    ]
    told = repr(growth).split("\n")
    assert sorted(line.rstrip() for line in expected if line.strip("+ ")) == sorted(line for line in told if line)
    assert told[:2] == ["- def first(x):", "+ def second(x, weight=2):"] and told[2] == "      total = 0"


def test_a_page_shows_the_marks_bold_and_struck_out(tmp_path):
    growth = grown(first, second)
    data = {"text/html": growth._repr_html_(), "text/plain": repr(growth)}
    page = output_html(new_output("execute_result", data), tmp_path, ())
    assert "+ 2 new, - 2 gone:" in page
    assert "+         <b>total += weight * each  # a &lt; b</b>" in page  # words are marked, not the indentation
    assert "-         <del>total += each</del>" in page


def test_classes_grow_by_their_own_lines():
    assert [line for line in repr(grown(Layer, LargerLayer)).split("\n") if line.startswith(("+", "-"))] == [
        "- class Layer:",
        "+ class LargerLayer:",
        "+         self.more = 2",
    ]


def test_a_class_of_a_notebook_is_found_in_its_cell():
    """There is no module file: the methods know the cell, which lies in linecache."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.run_cell("from oneformer_lite.lessons.versions import source_of\nx = 1")
    shell.run_cell("class InCell:\n    def forward(self):\n        return 1\n\n\nx = 2")
    shell.run_cell("class InCell:\n    def forward(self):\n        return 2\n\n\nfound = source_of(InCell)")
    assert shell.user_ns["found"] == "class InCell:\n    def forward(self):\n        return 2"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (first, first, "first and first are the same"),
        (len, first, "the source of len is not there"),
        (first, type("Made", (), {}), "the source of Made is not there"),
    ],
    ids=["the same", "built in", "no method"],
)
def test_what_has_no_source_or_no_change_is_refused(before, after, told):
    with pytest.raises(ValueError, match=told):
        grown(before, after)


def test_the_source_of_a_function_is_inspects():
    assert source_of(first) == inspect.getsource(first).rstrip()
