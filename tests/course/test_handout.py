"""The student edition: what is in it, what is not, and that it works where nothing else is."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile

import pytest

from oneformer_lite.course.handout import FOLDER, write_handout


@pytest.fixture(scope="module")
def handout(tmp_path_factory):
    path = tmp_path_factory.mktemp("handout") / "handout.zip"
    write_handout(path)
    return path


def test_neither_solutions_nor_sources_nor_builders_nor_tests_are_in_it(handout):
    names = zipfile.ZipFile(handout).namelist()
    inside = [name.removeprefix(f"{FOLDER}/") for name in names]
    assert inside == sorted(inside) and all(name.startswith(FOLDER + "/") for name in names)
    forbidden = re.compile(
        r"solutions|notebooks/source|notebooks/.*\.py$|^tests/|TEACHING|\.pyc$|\.git|checkpoints/.*\.draft"
    )
    assert [name for name in inside if forbidden.search(name)] == []
    assert {"README.md", "LICENSE", "pyproject.toml", "oneformer_lite/__init__.py"} <= set(inside)
    assert "notebooks/GLOSSARY.md" in inside
    assert "oneformer_lite/checkpoints/toytown/config.json" in inside
    assert any(name.startswith("data/sample/") for name in inside)
    labs = [name for name in inside if name.startswith("notebooks/labs/")]
    assert len(labs) >= 13 and sum(name.startswith("notebooks/") for name in inside) > len(labs) + 15


def test_labs_in_it_are_not_answered_and_lead_to_no_solution(handout):
    with zipfile.ZipFile(handout) as archive:
        for name in archive.namelist():
            if "/labs/" in name and name.endswith(".ipynb"):
                cells = json.loads(archive.read(name))["cells"]
                text = "".join("".join(cell["source"]) for cell in cells)
                assert "solutions/" not in text and "# SOLUTION" not in text
                assert "...  # about" in text


def test_the_same_bytes_each_time(handout, tmp_path):
    write_handout(tmp_path / "again.zip")
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (handout, tmp_path / "again.zip")}
    assert len(digests) == 1


def test_it_starts_a_workbook_where_nothing_else_is(handout, tmp_path):
    zipfile.ZipFile(handout).extractall(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / FOLDER)}
    command = [sys.executable, "-m", "oneformer_lite.cli", "course"]
    for words in (["start", "mine"], ["reset", "03", "mine"]):
        done = subprocess.run(
            [*command, *words], cwd=tmp_path / FOLDER, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / FOLDER / "mine" / "notebooks" / "labs" / "03_pixel_decoder.old-1.ipynb").exists()
