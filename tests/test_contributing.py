"""CONTRIBUTING.md, followed to the letter in a copy of the package: each section adds one thing, and it is there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SECTIONS = dict(
    re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL | re.M)
)
_CODE = r"\n\n```\w+\n(.*?)```"
_NEW = re.compile(rf"^New file `(\S+)`:{_CODE}", re.DOTALL | re.MULTILINE)
_LINES = re.compile(rf"^In `(\S+)`, (after|before) `([^`\n]+)`:{_CODE}", re.DOTALL | re.MULTILINE)
_THERE = re.compile(rf"^It is there:{_CODE}", re.DOTALL | re.MULTILINE)
FOLLOWED = """
import json, subprocess, sys, traceback
from dataclasses import replace
from pathlib import Path
import oneformer_lite as ofl
scene = ofl.data.Toytown("val", 64, 2)[1]
told = {}
for title, code in json.loads(Path("sections.json").read_text()).items():
    try:
        exec(code, dict(globals()))
        told[title] = ""
    except BaseException:
        told[title] = traceback.format_exc()
Path("told.json").write_text(json.dumps(told))
"""


def follow(text: str, root: Path) -> None:
    """Write the new files of a section and put its lines where it says."""
    for name, content in _NEW.findall(text):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, encoding="utf-8")
    for name, where, line, content in _LINES.findall(text):
        lines = (root / name).read_text(encoding="utf-8").splitlines(keepends=True)
        (place,) = [number for number, one in enumerate(lines) if one.startswith(line)]
        lines.insert(place + (where == "after"), content)
        (root / name).write_text("".join(lines), encoding="utf-8")


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> dict[str, str]:
    """Section -> what went wrong, after all of them were followed."""
    root = tmp_path_factory.mktemp("copy")
    unwanted = shutil.ignore_patterns("__pycache__", "*.ipynb")
    for folder in ("oneformer_lite", "notebooks"):
        shutil.copytree(ROOT / folder, root / folder, ignore=unwanted)
    for text in SECTIONS.values():
        follow(text, root)
    (root / "sections.json").write_text(json.dumps({title: _THERE.search(t)[1] for title, t in SECTIONS.items()}))
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", FOLLOWED], cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads((root / "told.json").read_text())


@pytest.mark.parametrize("title", SECTIONS)
def test_what_a_section_adds_is_there(told, title):
    assert not told[title], told[title]


def test_each_kind_of_addition_has_its_page():
    assert list(SECTIONS) == ["A backbone", "A loss", "A model", "A data set", "An inspector", "A lesson"]
