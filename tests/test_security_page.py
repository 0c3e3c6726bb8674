"""SECURITY.md names tests that exist, commands that exist, and every socket and decoder that there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(set(re.findall(r"tests/[\w/.]+(?:::\w+)?", PAGE))))
def test_each_test_that_the_page_names_is_there(name):
    path, _, function = name.partition("::")
    assert (ROOT / path.rstrip(".")).exists(), path
    assert not function or f"def {function}(" in (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`make ([\w-]+)", PAGE))))
def test_each_command_is_there(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_floors_and_formats_are_those_of_the_code():
    from oneformer_lite.data.image import FORMATS

    assert len(FORMATS) == 9 and "opened by nine of Pillow's decoders" in " ".join(PAGE.split())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (floor,) = re.findall(r"oldest\s+PyTorch allowed \(([\d.]+)\)", PAGE)
    assert f"torch>={floor}" in project["dependencies"]


def test_the_readme_links_to_it():
    assert "(SECURITY.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
