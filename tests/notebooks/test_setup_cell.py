"""The generated setup cell and badge."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType, SimpleNamespace

import pytest
from IPython.core.inputtransformer2 import TransformerManager
from notebook_builder import NOTEBOOKS, cells


def run_setup(source: str) -> tuple[list, dict]:
    """The magics that a setup cell calls, and the names it leaves."""
    calls: list[tuple[str, str]] = []
    shell = SimpleNamespace(run_line_magic=lambda name, line: calls.append((name, line)))
    names = {"get_ipython": lambda: shell}
    exec(TransformerManager().transform_cell(source), names)
    return calls, names


def test_setup_cell_does_nothing_where_the_package_is_installed():
    before = list(sys.path)
    calls, _ = run_setup(cells.setup_source(NOTEBOOKS / "00_x.ipynb"))
    assert calls == [] and sys.path == before


def test_setup_cell_on_colab_installs_what_is_missing_and_no_torch(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # no checkout beside the notebook
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    real = importlib.util.find_spec
    absent = {"oneformer_lite", "ftfy"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in absent else real("sys"))
    calls, names = run_setup(cells.setup_source(NOTEBOOKS / "00_x.ipynb"))
    assert calls == [("pip", "install --quiet --no-deps {missing}")]
    assert names["missing"].split()[1:] == ["ftfy"] and "oneformer" in names["missing"].split()[0]
    assert not {"torch", "numpy", "torchvision"} & set(cells.COLAB_PACKAGES)


@pytest.mark.parametrize("folder", ["", "labs", "labs/solutions"])
def test_setup_cell_finds_a_checkout_beside_the_notebook(monkeypatch, tmp_path, folder):
    (tmp_path / "oneformer_lite").mkdir()
    (tmp_path / "notebooks" / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "notebooks" / folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    calls, _ = run_setup(cells.setup_source(NOTEBOOKS / folder / "x.ipynb"))
    assert calls == [] and sys.path[0] == str(tmp_path)


def test_badge_needs_a_public_address(monkeypatch):
    monkeypatch.setattr(cells, "repository", lambda: None)
    assert cells.badge(NOTEBOOKS / "00_x.ipynb") == ""
    monkeypatch.setattr(cells, "repository", lambda: "https://github.com/owner/project")
    link = "colab.research.google.com/github/owner/project/blob/main/notebooks/labs/x.ipynb"
    assert link in cells.badge(NOTEBOOKS / "labs" / "x.ipynb")
