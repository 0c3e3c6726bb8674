"""Whose an answer is: what is not the learner's own never passes, however it is passed."""

from __future__ import annotations

import copy
import types
from functools import cache, partial, wraps

import nbformat
import pytest
import torch
import torch.nn.functional as F

from oneformer_lite import labs
from oneformer_lite.labs.exercise import find
from oneformer_lite.labs.names import Blank
from oneformer_lite.losses import matching


def cosines(queries, texts):
    """A right answer to 07.1."""
    return F.normalize(queries.flatten(1), dim=-1) @ F.normalize(texts.flatten(1), dim=-1).T


def reference(id: str = "07.1"):
    """Ours."""
    return find(id).reference


def test_what_use_lends_does_not_pass_when_it_is_checked(capsys):
    similarity = labs.use("07.1", lambda queries, texts: None)
    assert similarity is reference() and capsys.readouterr().out == "07.1  ours from here on: yours has not passed\n"
    result = labs.check("07.1", similarity)
    assert not result.passed and repr(result) == "07.1  not attempted: this is our reference, not yours"
    assert labs.whose("07.1", similarity) == "ours" and labs.whose("07.1", cosines) == "yours"
    assert labs.use("07.1", cosines) is cosines and capsys.readouterr().out == ""


@wraps(reference())
def wrapped(*args):
    return reference()(*args)


class Called:
    """Ours behind an object."""

    ours = staticmethod(reference())

    def __call__(self, queries, texts):
        return self.ours(queries, texts)


OURS = {
    "a partial": partial(reference()),
    "cached": cache(reference()),
    "a copy": copy.copy(reference()),
    "its code": types.FunctionType(reference().__code__, reference().__globals__),
    "wrapped": wrapped,
    "a lambda": lambda queries, texts: reference()(queries, texts),
    "an object": Called(),
    "a method": Called().__call__,
    "no_grad": torch.no_grad()(reference()),
    "through use": lambda queries, texts: labs.use("07.1", None)(queries, texts),
    "vmapped": torch.vmap(lambda query, texts: reference()(query[None], texts)[0], in_dims=(0, None)),
}


@pytest.mark.parametrize("name", OURS)
def test_ours_is_known_however_it_is_passed(name):
    result = labs.check("07.1", OURS[name])
    assert not result.passed and ("not yours" in repr(result)), repr(result)


@pytest.mark.parametrize(("id", "function"), [("08.1", matching.class_cost), ("08.2", partial(matching.bce_cost))])
def test_a_function_of_the_package_is_ours(id, function):
    assert "not yours" in repr(labs.check(id, function))
    assert "not yours" in repr(labs.check(id, lambda *args: function(*args)))


def test_another_function_of_the_package_is_ours_too():
    from oneformer_lite.data.targets import pad_texts

    def text_list(class_ids, names, task, length):
        return pad_texts([f"a photo with a {names[k]}" for k in sorted(class_ids)], task, length)

    result = labs.check("01.3", text_list)
    assert not result.passed and repr(result) == "01.3  right, but not yours: pad_texts of this package does the work"


def test_functions_that_a_card_gives_and_earlier_answers_may_be_used():
    from oneformer_lite.model.parts.tokenizer import encode

    def places(text, length):
        closed = [*[49406, *encode(text)][: length - 1], 49407]
        return closed + [0] * (length - len(closed))

    assert labs.check("04.3", places).passed
    best = reference("04.1")

    def split(word):
        from oneformer_lite.model.parts.tokenizer import vocabulary

        parts = [*word[:-1], word[-1] + "</w>"]
        while pair := best(tuple(parts), vocabulary()[1]):
            at = next(i for i in range(len(parts)) if tuple(parts[i : i + 2]) == pair)
            parts[at : at + 2] = ["".join(pair)]
        return parts

    assert labs.check("04.2", split).passed


@pytest.mark.parametrize(
    ("came", "words"),
    [
        (None, "None came instead of a function"),
        (3, "3 came instead of a function"),
        (torch.eye(4), "float [4, 4] came instead of a function"),
        ([1, 2], "a list of 2 came instead of a function"),
        ("similarity", "'similarity' came instead of a function"),
        (dict, "the class dict came instead of a function"),
    ],
)
def test_a_result_in_place_of_a_function_is_told(came, words):
    said = repr(labs.check("07.1", came))
    assert words in said and 'labs.check("07.1", similarity), without calling it' in said


def test_a_missing_return_is_no_blank_answer():
    def forgotten(queries, texts):
        table = cosines(queries, texts)
        print(table)

    def sometimes(queries, texts):
        if len(queries) > 2:
            return cosines(queries, texts)

    result = labs.check("07.1", forgotten)
    assert result.attempted and "0/8: four images: expected float [4, 4], yours None" in repr(result)
    assert "is a 'return' missing: print shows a value, return gives it?" in result.hint
    assert "it printed: tensor([[" in repr(result)
    assert "yours None" in repr(labs.check("07.1", sometimes))

    def generator(queries, texts):
        yield cosines(queries, texts)

    assert "without 'yield'" in labs.check("07.1", generator).hint


@pytest.mark.parametrize("near", ["similarty", "similarity_", "similarity2"])
def test_names_are_defined_before_anybody_writes_one(near):
    notebook: dict = {}
    labs.begin("07", notebook)
    assert set(notebook) == {exercise.name for exercise in labs.exercise.of_lab("07")}
    blank = notebook["similarity"]
    assert isinstance(blank, Blank) and "is not defined; has its cell run" in repr(labs.check("07.1", blank))
    notebook[near] = cosines
    assert repr(labs.check("07.1", blank)).endswith(f"you defined {near}; asked is similarity: rename it")
    assert labs.use("07.1", blank) is reference()


def test_an_error_in_an_answers_cell_stops_no_run_of_all_cells():
    from nbclient import NotebookClient

    new = nbformat.v4.new_code_cell
    answer = {"metadata": {"tags": ["raises-exception"]}}  # as the builder tags a lab's answers
    cells = [
        new("from oneformer_lite import labs\nlabs.begin('07', globals())"),
        new("def similarity(queries, texts:\n    ...", **answer),
        new("labs.check('07.1', similarity)"),
        new("similarity = labs.use('07.1', similarity)"),
        new("1 / 0", **answer),
        new("labs.tally('07', globals())"),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    said = [cell.outputs[-1] for cell in cells[1:]]
    assert said[0].ename == "SyntaxError" and said[3].ename == "ZeroDivisionError"
    assert "similarity is not defined" in said[1].data["text/plain"]
    assert said[2].text == "07.1  ours from here on: yours has not passed\n"
    assert said[4].data["text/plain"].startswith("lab 07: 0 of 4 are yours")


def test_the_end_of_a_lab_counts_what_is_the_learners_own():
    notebook: dict = {}
    labs.begin("07", notebook)
    notebook |= {"similarity": cosines, "gradient": reference("07.3")}
    counted = labs.tally("07", notebook)
    assert [e.id for e in counted.yours] == ["07.1"]
    assert repr(counted) == (
        "lab 07: 1 of 4 are yours; ours: 07.2 contrastive_loss, 07.3 gradient, 07.4 false_negatives"
    )
    assert "lab 07: 0 of 4" in repr(labs.tally("07", {}))
