"""The builder of the notebooks: assembled, executed, judged, compared."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from notebook_builder import build, cells, code_cells, outputs

TINY = """\
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

# %%
from oneformer_lite.inspectors.kept import Kept
class Inspector(Kept):
    def __repr__(self):
        return "Inspector(query 3)"

    def still(self):
        from PIL import Image
        return Image.new("RGB", (4, 4))

Inspector()
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> tuple[Path, Path]:
    """Source and built notebook of TINY."""
    folder = tmp_path_factory.mktemp("lesson")
    source, target = folder / "00_tiny.py", folder / "00_tiny.ipynb"
    source.write_text(TINY)
    build.build(source, target)
    return source, target


def test_built_notebook_has_title_setup_counts_and_outputs(tiny):
    notebook = nbformat.read(tiny[1], as_version=4)
    nbformat.validate(notebook)
    assert [c.cell_type for c in notebook.cells] == [
        "markdown", "code", "code", "markdown", "code", "code", "code",
    ]  # fmt: skip
    assert notebook.cells[0].source.endswith("# A tiny lesson\n\nTwo words.")
    assert outputs.tags(notebook.cells[1]) == ["setup"]
    assert [c.execution_count for c in code_cells(notebook, True)] == [1, 2, 3, 4, 5]
    assert notebook.cells[2].outputs[0].text == "three is 3\n"
    assert "image/png" in notebook.cells[4].outputs[0].data
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert str(tiny[0].parent) not in tiny[1].read_text()


def test_of_a_widget_with_a_still_picture_the_picture_is_kept(tiny):
    notebook = nbformat.read(tiny[1], as_version=4)
    slider, (inspector,) = notebook.cells[5].outputs[-1].data, [output.data for output in notebook.cells[6].outputs]
    assert "application/vnd.jupyter.widget-view+json" in slider
    assert set(inspector) == {"text/plain", "image/png"}
    assert inspector["text/plain"] == "Inspector(query 3)"


def test_built_notebook_passes_strict_nbval(tiny):
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval", tiny[1].name],
        cwd=tiny[1].parent, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert "5 passed" in run.stdout


def test_check_sees_every_kind_of_drift(tiny, tmp_path):
    source, target = tmp_path / tiny[0].name, tmp_path / tiny[1].name
    target.write_text(tiny[1].read_text())
    source.write_text(TINY)
    build.check(source, target)
    for old, new, part in (
        ("1 + 2", "2 + 1", "source of cell 2"),
        ("nbval-ignore-output", "nbval-skip", "tags of cell 5"),
        ("# %%\nplt.plot", "# %% [markdown]\n# plt.plot", "kind of cell 4"),
    ):
        source.write_text(TINY.replace(old, new))
        with pytest.raises(build.BuildError, match=part):
            build.check(source, target)
    source.write_text(TINY + "\n# %% [markdown]\n# more")
    with pytest.raises(build.BuildError, match="8 cells, the notebook 7"):
        build.check(source, target)
    with pytest.raises(build.BuildError, match="not built yet"):
        build.check(source, tmp_path / "other.ipynb")


def test_words_are_taken_over_without_execution_but_code_is_not(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "execute", None)
    source, target = tmp_path / tiny[0].name, tmp_path / tiny[1].name
    target.write_text(tiny[1].read_text())
    source.write_text(TINY.replace("Two words.", "Three words now.") + "\n# %% [markdown]\n# And more.")
    build.reword(source, target)
    build.check(source, target)
    notebook = nbformat.read(target, as_version=4)
    assert "Three words now." in notebook.cells[0].source
    assert notebook.cells[2].outputs[0].text == "three is 3\n"
    source.write_text(TINY.replace("1 + 2", "2 + 1"))
    with pytest.raises(build.BuildError, match="code has changed"):
        build.reword(source, target)


def test_ids_depend_on_content_and_survive_insertion(tmp_path):
    source, target = tmp_path / "a.py", tmp_path / "a.ipynb"
    source.write_text("# %% [markdown]\n# # T\n\n# %%\n1\n\n# %%\n1\n")
    before = [c.id for c in cells.assemble(source, target).cells]
    source.write_text("# %% [markdown]\n# # T\n\n# %%\n0\n\n# %%\n1\n\n# %%\n1\n")
    after = [c.id for c in cells.assemble(source, target).cells]
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
    with pytest.raises(build.BuildError, match=message):
        build.build(source, target)
    assert not target.exists()


def test_a_lesson_begins_with_its_title(tmp_path):
    source = tmp_path / "untitled.py"
    source.write_text("# %%\n1\n")
    with pytest.raises(build.BuildError, match="# Title"):
        cells.assemble(source, tmp_path / "untitled.ipynb")


def test_a_transparent_plot_stands_on_white():
    import base64
    import io

    from PIL import Image

    def encoded(picture):
        buffer = io.BytesIO()
        picture.save(buffer, "PNG", compress_level=0)
        return base64.b64encode(buffer.getvalue()).decode()

    plot = Image.new("RGBA", (60, 40), (0, 0, 0, 0))
    plot.paste((0, 114, 178, 255), (10, 10, 20, 20))
    small = Image.open(io.BytesIO(base64.b64decode(outputs.small_png(encoded(plot))))).convert("RGBA")
    assert small.getpixel((0, 0)) == (255, 255, 255, 255) and small.getpixel((15, 15)) == (0, 114, 178, 255)


def test_a_lesson_between_two_others_has_its_links_and_may_share_its_lab():
    """00b stands between 00 and 01, and words that mention it lead to it; 09 and 09b have one lab."""
    names = [cells.number_of(path) for path in cells.every_lesson()]
    assert names[:3] == ["00", "00b", "01"] and names == sorted(names)
    paths = {cells.number_of(path): path for path in cells.every_lesson()}
    between = cells.links(paths["00b"], cells.targets_of(paths["00b"])[0])
    assert "[← Lesson 00](00_" in between and "[Lesson 01 →](01_" in between
    assert "[Lesson 00b →](00b_" in cells.links(paths["00"], cells.targets_of(paths["00"])[0])
    shared = "[Lab 09](labs/09_the_criterion.ipynb)"
    assert all(shared in cells.links(paths[of], cells.targets_of(paths[of])[0]) for of in ("09", "09b"))
    lab = cells.lab_of(paths["09b"])
    back = cells.links(lab, cells.targets_of(lab)[0])
    assert back.startswith("[Lesson 09](../09_") and "[Lesson 09b](../09b_" in back and "Lesson 10" not in back
    said = cells.linked("see lesson 00b, lesson 00 and lesson 07.", paths["01"], cells.targets_of(paths["01"])[0])
    assert said.count("](00b_") == said.count("](00_") == said.count("](07_") == 1
