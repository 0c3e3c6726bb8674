"""Labs for other graders: nbgrader's cells and otter's tests, as these read them."""

from __future__ import annotations

import ast
import re

import nbformat
import pytest

from oneformer_lite.course.export_nbgrader import export_nbgrader
from oneformer_lite.course.export_otter import export_otter
from oneformer_lite.course.pairs import labs_with_solutions
from oneformer_lite.labs.exercise import all_labs, of_lab

EXERCISES = {exercise.id for lab in all_labs() for exercise in of_lab(lab)}
SEED = 987654


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return export_nbgrader(tmp_path_factory.mktemp("nbgrader"), SEED)


def test_nbgrader_gets_a_graded_cell_for_each_exercise(sources):
    tested = []
    for path in sources:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        marked = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
        ids = [cell.metadata.nbgrader.grade_id for cell in marked]
        assert len(ids) == len(set(ids)) and path.parent.name == path.stem
        for cell in marked:
            kept = cell.metadata.nbgrader
            assert kept.schema_version == 3 and set(kept) >= {"grade", "solution", "locked", "task", "grade_id"}
            assert kept.solution != kept.grade and kept.locked == kept.grade and ("points" in kept) == kept.grade
            if kept.grade:
                tested += re.findall(r'result = labs\.check\("(.+?)", \w+\)', cell.source)
                assert cell.source.index("### BEGIN HIDDEN TESTS") < cell.source.index(f"seed={SEED}")
                assert cell.source.endswith("### END HIDDEN TESTS")
            ast.parse(cell.source)
    assert set(tested) == EXERCISES and len(tested) == len(EXERCISES)


def test_what_nbgrader_clears_leaves_the_lab(sources):
    """Its rule: the marked lines go, a stub takes their place."""
    clear = re.compile(r"^( *)### BEGIN SOLUTION.*?### END SOLUTION$", re.DOTALL | re.MULTILINE)
    labs = dict(labs_with_solutions())
    for path, pairs in zip(sources, labs.values(), strict=True):
        cells = [c for c in nbformat.read(path, as_version=4).cells if not c.metadata.get("nbgrader", {}).get("grade")]
        assert len(cells) == len(pairs)
        for cell, pair in zip(cells, pairs, strict=True):
            cleared = clear.sub(r"\1...", cell.source)
            assert cleared == re.sub(r"\.\.\.  # about \d+ lines?$", "...", pair.cell.source, flags=re.MULTILINE)


def test_otter_gets_a_file_of_tests_for_each_exercise(tmp_path):
    asked, tested, hidden = [], [], []
    for path in export_otter(tmp_path, SEED):
        notebook = nbformat.read(path, as_version=4)
        text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
        assert "grader = otter.Notebook(" in text and str(SEED) not in text
        asked += re.findall(r'grader\.check\("q(\d\d[a-z]?_\d+)"\)', text)
        for place, found in ((path.parent, tested), (tmp_path / "hidden" / path.stem, hidden)):
            for file in sorted((place / "tests").glob("q*.py")):
                space: dict = {}
                exec(file.read_text(), space)  # as otter does
                assert space["OK_FORMAT"] is True and space["test"]["name"] == file.stem
                cases = space["test"]["suites"][0]["cases"]
                assert [case["hidden"] for case in cases] == [False, True][: len(cases)]
                assert space["test"]["suites"][0]["type"] == "doctest"
                found.append((file.stem[1:], len(cases)))
        assert not any(str(SEED) in file.read_text() for file in (path.parent / "tests").glob("*"))
    assert sorted(asked) == sorted(id.replace(".", "_") for id in EXERCISES) == sorted(id for id, _ in tested)
    assert {count for _, count in tested} == {1} and sorted(hidden) == sorted((id, 2) for id, _ in tested)
