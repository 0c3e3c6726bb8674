"""The lessons, labs and solutions as committed."""

from __future__ import annotations

import base64
import io
import re
import statistics
from urllib.parse import unquote

import pytest
from notebook_builder import LABS, LESSONS, NOTEBOOKS, PAIRS, build, code_cells, committed, name, outputs, words
from PIL import Image

each_notebook = pytest.mark.parametrize(("source", "target"), PAIRS, ids=[name(target) for _, target in PAIRS])
BUILDING = [target for target in LESSONS if not target.stem.startswith("00_")]  # 00 is the overview: it builds nothing


def test_there_are_lessons():
    assert LESSONS, "notebooks/source is empty: the tests below would check nothing"
    beside = {path for folder in (".", "labs", "labs/solutions") for path in (NOTEBOOKS / folder).glob("*.ipynb")}
    assert beside == set(LESSONS + LABS), "a notebook without source, or not built"


@each_notebook
def test_notebook_is_built_from_its_source(source, target):
    build.check(source, target)


@each_notebook
def test_notebook_was_executed_in_order_and_shows_something(source, target):
    notebook = committed(target)
    counts = [c.execution_count for c in code_cells(notebook, generated=True)]
    assert counts == list(range(1, len(counts) + 1))
    assert any(c.outputs for c in code_cells(notebook))


@each_notebook
def test_notebook_travels(source, target):
    notebook = committed(target)
    assert "widgets" not in notebook.metadata
    assert target.stat().st_size <= build.MAX_BYTES
    for cell in notebook.cells:
        assert outputs.replace_paths(cell.source) == cell.source
        for output in cell.get("outputs", []):
            assert outputs.fault(cell, output) is None
            assert not {"application/vnd.jupyter.widget-view+json", "image/png"} <= set(output.get("data", ()))


@each_notebook
def test_notebook_keeps_to_the_cell_budget(source, target):
    notebook = committed(target)
    lengths = [sum(bool(line.strip()) for line in cell.source.splitlines()) for cell in code_cells(notebook)]
    assert statistics.median(lengths) <= 6
    assert statistics.quantiles([*lengths, *lengths], n=10)[-1] <= 20  # doubled: works from n = 1
    assert max(lengths) <= 40


@each_notebook
def test_words_stand_before_every_code_cell(source, target):
    notebook = committed(target)
    for before, cell in zip(notebook.cells, notebook.cells[1:], strict=False):
        if cell.cell_type == "code" and "setup" not in outputs.tags(cell):
            assert "setup" in outputs.tags(before) or before.cell_type == "markdown", cell.source


@each_notebook
def test_links_lead_to_files(source, target):
    for address in re.findall(r"\]\(([^)#\s]+)", words(committed(target))):
        if not re.match(r"[a-z]+:", address):
            assert (target.parent / unquote(address)).exists(), address


@pytest.mark.parametrize("target", LESSONS, ids=name)
def test_lesson_has_a_figure_and_its_sections(target):
    notebook = committed(target)
    shown = [output for cell in code_cells(notebook) for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in shown), "no figure"
    text = words(notebook)
    missing = [part for part in ("## Summary", "**Ask yourself**", "Break it", "simplified") if part not in text]
    assert not missing, f"the lesson lacks {missing}"
    end = text[text.index("**Ask yourself**") :]
    assert 3 <= end.count("<details>") == end.count("</details>") <= 6


@pytest.mark.parametrize("target", LESSONS, ids=name)
def test_figures_stand_on_any_page(target):
    """What matplotlib has drawn has no paper of its own, so that it is no white box on a dark page."""
    for cell in code_cells(committed(target)):
        pictures = [output for output in cell.outputs if "image/png" in output.get("data", {})]
        if re.search(r"= plt\.\w+\(", cell.source) and "described(fig" in cell.source:
            assert pictures and all(p.metadata["image/png"].get("any_page") for p in pictures), cell.source
        for output in pictures:
            if output.metadata.get("image/png", {}).get("any_page"):
                drawn = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))).convert("RGBA")
                assert drawn.getchannel("A").histogram()[0] > 0.02 * drawn.width * drawn.height


@pytest.mark.parametrize("target", BUILDING, ids=name)
def test_lesson_lists_what_it_builds_and_sums_up_in_three_lines(target):
    text = words(committed(target))
    assert "## In the package" in text
    assert text.index("## In the package") < text.index("## Summary") < text.index("**Ask yourself**")
    summary = text[text.index("## Summary") : text.index("**Ask yourself**")]
    assert len(re.findall(r"^\* ", summary, re.MULTILINE)) == 3


def test_readme_lists_every_lesson_and_lab():
    readme = (NOTEBOOKS.parent / "README.md").read_text()
    rows = re.findall(r"^\| (\d\d[a-z]?) \| \[(.+?)\]\(notebooks/(.+?)\) \| (.+?) \| (.*?) ?\|$", readme, re.MULTILINE)
    titles = {name(path): re.search(r"^# (.+)$", words(committed(path)), re.MULTILINE)[1] for path in LESSONS}
    assert {path.removesuffix(".ipynb"): f"{number} · {title}" for number, title, path, _, _ in rows} == titles
    lines = re.findall(r"^\| \d\d[a-z]? \| .*$", readme, re.MULTILINE)  # of labs without a lesson, too
    linked = [path for line in lines for path in re.findall(r"\(notebooks/(labs/.+?)\.ipynb\)", line)]
    assert linked == sorted(map(name, LABS), key=lambda lab: (lab.split("/")[-1], lab))
