"""What a result shows where: the words come with the picture, in whatever shows one of its forms alone."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator

import nbformat
import pytest
from browser import chromium
from IPython.core.formatters import DisplayFormatter
from lab_page import LabPage, jupyterlab, write_notebook
from PIL import Image

from oneformer_lite import labs

TRANSPOSED = "lambda queries, texts: labs.exercise.find('07.1').reference(texts, queries)"
HINT = "rows are images and columns are text lists; yours is the transpose"
LINE = "07.1  1/8: four images: expected"


def wrong(id: str = "07.1", mistake: int = 3) -> labs.Result:
    """The result of a canned mistake."""
    return labs.check(id, labs.exercise.find(id).mistakes[mistake].answer)


def picture_of(shown: str) -> Image.Image:
    """The picture within a page."""
    encoded = re.search(r'src="data:image/png;base64,([^"]+)"', shown)[1]
    return Image.open(io.BytesIO(base64.b64decode(encoded)))


@pytest.mark.parametrize(("id", "mistake"), [("07.1", 3), ("02.2", 0), ("10.2", 2), ("06.1", 5)])
def test_a_front_end_is_offered_the_words_with_the_picture_and_no_picture_alone(id, mistake):
    result = wrong(id, mistake)
    shown, _ = DisplayFormatter().format(result)
    assert set(shown) == {"text/plain", "text/html"} and shown["text/plain"] == repr(result)
    page = shown["text/html"]
    assert page.index("hint:") < page.index("<img") and page.index("expected") < page.index("<img")
    assert picture_of(page).width > 400


def test_a_hint_without_a_picture_is_shown_and_one_line_stays_text():
    shown, _ = DisplayFormatter().format(wrong("08.4", 0))
    assert "hint:</b> the cheapest pair first" in shown["text/html"] and "<img" not in shown["text/html"]
    for result in (labs.check("07.1", ...), labs.check("42.1", ...)):
        assert set(DisplayFormatter().format(result)[0]) == {"text/plain"}


def test_what_an_answer_returns_cannot_write_into_the_page():
    result = labs.check("01.3", lambda class_ids, names, task, length: ["<script>alert(1)</script>"] * length)
    shown = result._repr_html_() or ""
    assert "<script>" in repr(result) and "<script>" not in shown


def test_a_page_made_by_nbconvert_has_words_and_picture():
    from nbconvert import HTMLExporter

    data = DisplayFormatter().format(wrong())[0]
    output = nbformat.v4.new_output("execute_result", data=data, execution_count=1)
    cell = nbformat.v4.new_code_cell("labs.check(...)", outputs=[output], execution_count=1)
    page, _ = HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))
    assert LINE in page and HINT in page and picture_of(page).width > 400


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[LabPage]:
    """A notebook in JupyterLab in which a check says what is wrong."""
    folder = tmp_path_factory.mktemp("lab")
    write_notebook(folder / "lab.ipynb", ["from oneformer_lite import labs", f"labs.check('07.1', {TRANSPOSED})"])
    with chromium() as browser, jupyterlab(folder) as address:
        yield LabPage(browser, address, "lab.ipynb")


def test_jupyterlab_shows_the_score_the_message_the_hint_and_the_picture(lab: LabPage) -> None:
    output = lab.page.locator(".jp-CodeCell").nth(1).locator(".jp-OutputArea-output")
    output.locator("img").wait_for(timeout=120_000)
    for words in (LINE, HINT):
        assert output.get_by_text(words).is_visible()
    text, picture = (output.get_by_text(HINT).bounding_box(), output.locator("img").bounding_box())
    assert text["y"] + text["height"] <= picture["y"] and picture["width"] > 400
    assert not lab.errors
