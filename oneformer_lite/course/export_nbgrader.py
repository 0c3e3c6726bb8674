"""Labs as nbgrader's source notebooks: answers between its marks, a graded cell of tests after each check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import replacing
from .exported import copy_sample, plain, write_notebook
from .pairs import Pair, labs_with_solutions

if TYPE_CHECKING:
    from nbformat import NotebookNode

_SCHEMA = 3
_CONFIG = """\
c = get_config()
c.CourseDirectory.course_id = "oneformer_lite"
c.ClearSolutions.code_stub = {"python": "..."}
c.ExecutePreprocessor.timeout = 600
"""


def export_nbgrader(out: Path, seed: int) -> list[Path]:
    """``out/source/NN_name/NN_name.ipynb`` for each lab, and ``nbgrader_config.py``: the source notebooks' paths.

    From these nbgrader makes the students' version. ``seed`` draws the hidden cases: keep it from the students.
    """
    paths = []
    for path, pairs in labs_with_solutions():
        target = out / "source" / path.stem / path.name
        write_notebook(target, [cell for pair in pairs for cell in _cells(pair, seed)])
        copy_sample(target.parent)
        paths.append(target)
    with replacing(out / "nbgrader_config.py") as draft:
        draft.write_text(_CONFIG, encoding="utf-8")
    return paths


def _cells(pair: Pair, seed: int) -> list[NotebookNode]:
    """The cell as nbgrader wants it, and the test that belongs to it."""
    from nbformat.v4 import new_code_cell

    cell = plain(pair.cell)
    if pair.is_answer:
        cell.source = pair.marked("### BEGIN SOLUTION", "### END SOLUTION")
        cell.metadata.nbgrader = _metadata(f"answer-{cell.id}", solution=True)
    if pair.checks is None:
        return [cell]
    check = f'labs.check("{pair.checks.id}", {pair.checks.name}'
    passed = "assert result.passed, result.verdict"
    lines = [f"result = {check})", passed, "### BEGIN HIDDEN TESTS", f"result = {check}, seed={seed})", passed]
    test = "\n".join([*lines, "### END HIDDEN TESTS"])
    name = f"test-{pair.checks.id.replace('.', '-')}"
    graded = _metadata(name, grade=True, locked=True, points=1)
    return [cell, new_code_cell(test, id=name, metadata={"nbgrader": graded})]


def _metadata(name: str, **marks: Any) -> dict[str, Any]:
    plain = {"grade": False, "grade_id": name, "locked": False, "schema_version": _SCHEMA, "solution": False}
    return plain | {"task": False} | marks
