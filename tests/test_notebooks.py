"""The lessons as committed, and the builder that makes them."""

from __future__ import annotations

import importlib.util
import statistics
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
sys.path.insert(0, str(NOTEBOOKS))
builder = importlib.import_module("build")
outputs = importlib.import_module("build_outputs")

LESSONS = builder.find_sources()
each_lesson = pytest.mark.parametrize("source", LESSONS, ids=lambda p: p.stem)

TINY = '''\
# %% [markdown]
# # A tiny lesson
# Two words.

# %%
import matplotlib.pyplot as plt
print("three is", 1 + 2)

# %% [markdown]
# A picture and a slider.

# %%
plt.plot([1, 2], [3, 4])
plt.show()

# %% tags=["nbval-ignore-output"]
import ipywidgets, os, sys
print("run in", os.path.abspath("."), file=sys.stderr)
ipywidgets.IntSlider(value=3)
'''


def committed(source: Path):
    return nbformat.read(builder.target_of(source), as_version=4)


def code_cells(notebook, generated: bool = False) -> list:
    cells = [c for c in notebook.cells if c.cell_type == "code"]
    return cells if generated else [c for c in cells if "setup" not in outputs.tags(c)]


def test_there_are_lessons():
    assert LESSONS, "notebooks/source is empty: the tests below would check nothing"


@each_lesson
def test_lesson_is_built_from_its_source(source):
    builder.check(source, builder.target_of(source))


@each_lesson
def test_lesson_was_executed_in_order_and_shows_something(source):
    notebook = committed(source)
    counts = [c.execution_count for c in code_cells(notebook, generated=True)]
    assert counts == list(range(1, len(counts) + 1))
    assert any(c.outputs for c in code_cells(notebook))


@each_lesson
def test_lesson_travels(source):
    target = builder.target_of(source)
    assert "widgets" not in committed(source).metadata
    assert target.stat().st_size <= builder.MAX_BYTES
    for cell in committed(source).cells:
        assert outputs.replace_paths(cell.source) == cell.source
        for output in cell.get("outputs", []):
            assert outputs.fault(cell, output) is None


@each_lesson
def test_lesson_keeps_to_the_cell_budget(source):
    notebook = committed(source)
    lengths = [
        sum(bool(line.strip()) for line in cell.source.splitlines())
        for cell in code_cells(notebook)
    ]
    assert statistics.median(lengths) <= 6
    assert statistics.quantiles([*lengths, *lengths], n=10)[-1] <= 20  # doubled: works from n = 1
    assert max(lengths) <= 40
    for before, cell in zip(notebook.cells, notebook.cells[1:], strict=False):
        if cell.cell_type == "code" and "setup" not in outputs.tags(cell):
            assert "setup" in outputs.tags(before) or before.cell_type == "markdown", cell.source


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> tuple[Path, Path]:
    """Source and built notebook of TINY."""
    folder = tmp_path_factory.mktemp("lesson")
    source, target = folder / "00_tiny.py", folder / "00_tiny.ipynb"
    source.write_text(TINY)
    builder.build(source, target)
    return source, target


def test_built_notebook_has_title_setup_counts_and_outputs(tiny):
    notebook = nbformat.read(tiny[1], as_version=4)
    nbformat.validate(notebook)
    assert [c.cell_type for c in notebook.cells] == [
        "markdown", "code", "code", "markdown", "code", "code",
    ]  # fmt: skip
    assert notebook.cells[0].source.endswith("# A tiny lesson\nTwo words.")
    assert outputs.tags(notebook.cells[1]) == ["setup"]
    assert [c.execution_count for c in code_cells(notebook, True)] == [1, 2, 3, 4]
    assert notebook.cells[2].outputs[0].text == "three is 3\n"
    assert "image/png" in notebook.cells[4].outputs[0].data
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert str(tiny[0].parent) not in tiny[1].read_text()


def test_built_notebook_passes_strict_nbval(tiny):
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval", tiny[1].name],
        cwd=tiny[1].parent, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert "4 passed" in run.stdout


def test_check_sees_every_kind_of_drift(tiny, tmp_path):
    source, target = tmp_path / tiny[0].name, tmp_path / tiny[1].name
    target.write_text(tiny[1].read_text())
    source.write_text(TINY)
    builder.check(source, target)
    for old, new, part in (
        ("1 + 2", "2 + 1", "source of cell 2"),
        ("nbval-ignore-output", "nbval-skip", "tags of cell 5"),
        ("# %%\nplt.plot", "# %% [markdown]\n# plt.plot", "kind of cell 4"),
    ):
        source.write_text(TINY.replace(old, new))
        with pytest.raises(builder.BuildError, match=part):
            builder.check(source, target)
    source.write_text(TINY + "\n# %% [markdown]\n# more")
    with pytest.raises(builder.BuildError, match="7 cells, the notebook 6"):
        builder.check(source, target)
    with pytest.raises(builder.BuildError, match="not built yet"):
        builder.check(source, tmp_path / "other.ipynb")


def test_ids_depend_on_content_and_survive_insertion(tmp_path):
    source, target = tmp_path / "a.py", tmp_path / "a.ipynb"
    source.write_text("# %% [markdown]\n# # T\n\n# %%\n1\n\n# %%\n1\n")
    before = [c.id for c in builder.assemble(source, target).cells]
    source.write_text("# %% [markdown]\n# # T\n\n# %%\n0\n\n# %%\n1\n\n# %%\n1\n")
    after = [c.id for c in builder.assemble(source, target).cells]
    assert len(set(after)) == len(after)
    assert [i for i in after if i in before] == before


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import sys; _ = sys.stderr.write('careful')", "stderr"),
        ("print('/home/someone/data')", "path of this machine"),
        ("x = 1;", "final ';'"),
    ],
)
def test_build_refuses_what_nbval_or_readers_would_stumble_over(tmp_path, code, message):
    source, target = tmp_path / "bad.py", tmp_path / "bad.ipynb"
    source.write_text(f"# %% [markdown]\n# # Bad\n\n# %%\n{code}\n")
    with pytest.raises(builder.BuildError, match=message):
        builder.build(source, target)
    assert not target.exists()


def test_a_lesson_begins_with_its_title(tmp_path):
    source = tmp_path / "untitled.py"
    source.write_text("# %%\n1\n")
    with pytest.raises(builder.BuildError, match="# Title"):
        builder.assemble(source, tmp_path / "untitled.ipynb")


def run_setup(source: str) -> tuple[list, dict]:
    """The magics that a setup cell calls, and the names it leaves."""
    calls: list[tuple[str, str]] = []
    shell = SimpleNamespace(run_line_magic=lambda name, line: calls.append((name, line)))
    names = {"get_ipython": lambda: shell}
    exec(TransformerManager().transform_cell(source), names)
    return calls, names


def test_setup_cell_does_nothing_where_the_package_is_installed():
    before = list(sys.path)
    calls, _ = run_setup(builder.setup_source(NOTEBOOKS / "00_x.ipynb"))
    assert calls == [] and sys.path == before


def test_setup_cell_on_colab_installs_what_is_missing_and_no_torch(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # no checkout beside the notebook
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    real = importlib.util.find_spec
    absent = {"oneformer_lite", "ftfy"}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in absent else real("sys")
    )
    calls, names = run_setup(builder.setup_source(NOTEBOOKS / "00_x.ipynb"))
    assert calls == [("pip", "install --quiet --no-deps {missing}")]
    assert names["missing"].split()[1:] == ["ftfy"] and "oneformer" in names["missing"].split()[0]
    assert not {"torch", "numpy", "torchvision"} & set(builder.COLAB_PACKAGES)


def test_setup_cell_finds_a_checkout_beside_the_notebook(monkeypatch, tmp_path):
    (tmp_path / "oneformer_lite").mkdir()
    (tmp_path / "notebooks" / "labs").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "notebooks" / "labs")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    calls, _ = run_setup(builder.setup_source(NOTEBOOKS / "labs" / "x.ipynb"))
    assert calls == [] and sys.path[0] == str(tmp_path)


def test_badge_needs_a_public_address(monkeypatch):
    monkeypatch.setattr(builder, "repository", lambda: None)
    assert builder.badge(NOTEBOOKS / "00_x.ipynb") == ""
    monkeypatch.setattr(builder, "repository", lambda: "https://github.com/owner/project")
    link = "colab.research.google.com/github/owner/project/blob/main/notebooks/labs/x.ipynb"
    assert link in builder.badge(NOTEBOOKS / "labs" / "x.ipynb")
