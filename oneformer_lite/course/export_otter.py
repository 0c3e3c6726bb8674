"""Labs for otter-grader: a notebook that asks ``grader.check``, and a file of tests for each exercise."""

from __future__ import annotations

import pprint
from pathlib import Path
from typing import TYPE_CHECKING

from ..files import make_folder, replacing
from ..labs.exercise import Exercise
from .exported import copy_sample, plain, write_notebook
from .pairs import Pair, labs_with_solutions

if TYPE_CHECKING:
    from nbformat import NotebookNode


def export_otter(out: Path, seed: int) -> list[Path]:
    """``out/labs/NN_name/NN_name.ipynb`` and its ``tests/qNN_k.py``: the notebooks' paths.

    The tests of a hidden ``seed`` are in ``out/hidden/NN_name/tests``, for the autograder alone: students get the first
    folder.
    """
    paths = []
    for path, pairs in labs_with_solutions():
        target = out / "labs" / path.stem / path.name
        opening = _code(f'import otter\n\ngrader = otter.Notebook("{path.name}", tests_dir="tests")', "otter-start")
        cells = [cell for pair in pairs for cell in _cells(pair)]
        write_notebook(target, [cells[0], opening, *cells[1:]])
        for exercise in (pair.checks for pair in pairs if pair.checks):
            _write_test(target.parent / "tests" / f"{name_of(exercise)}.py", exercise, [_case(exercise)])
            both = [_case(exercise), _case(exercise, seed)]
            _write_test(out / "hidden" / path.stem / "tests" / f"{name_of(exercise)}.py", exercise, both)
        copy_sample(target.parent)
        paths.append(target)
    return paths


def name_of(exercise: Exercise) -> str:
    """Otter's name of a question."""
    return f"q{exercise.id.replace('.', '_')}"


def _cells(pair: Pair) -> list[NotebookNode]:
    cell = plain(pair.cell)
    if pair.checks is None:
        return [cell]
    return [cell, _code(f'grader.check("{name_of(pair.checks)}")', f"otter-{name_of(pair.checks)}")]


def _code(source: str, id: str) -> NotebookNode:
    from nbformat.v4 import new_code_cell

    return new_code_cell(source, id=id)


def _case(exercise: Exercise, seed: int | None = None) -> dict:
    drawn = "" if seed is None else f", seed={seed}"
    code = f'>>> labs.check("{exercise.id}", {exercise.name}{drawn}).passed\nTrue'
    return {"code": code, "hidden": seed is not None, "locked": False, "points": 1}


def _write_test(path: Path, exercise: Exercise, cases: list[dict]) -> None:
    """In the format that otter calls OK."""
    suite = {"cases": cases, "scored": True, "setup": "", "teardown": "", "type": "doctest"}
    test = {"name": name_of(exercise), "points": None, "suites": [suite]}
    make_folder(path.parent)
    with replacing(path, durable=False) as draft:
        draft.write_text(f"OK_FORMAT = True\n\ntest = {pprint.pformat(test, sort_dicts=False)}\n", encoding="utf-8")
