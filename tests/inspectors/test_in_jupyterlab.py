"""Every inspector in a real JupyterLab: drag a slider, click a picture, press a button, and see the pictures change."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser import chromium
from lab_page import LabPage, click_picture, drag, jupyterlab, slider, write_notebook

SETUP = """\
import oneformer_lite as ofl
from oneformer_lite.widgets import *
model = ofl.from_pretrained("toytown")
scenes = [ofl.data.Toytown("val", 128, 8)[i] for i in range(4)]
"""
# inspector -> how it is made, a slider of it, and the place of a picture to click (row and column as shares)
INSPECTORS = {
    "MaskInspector": ("MaskInspector(model, scenes[3])", "opacity", (0.8, 0.5)),
    "QueryInspector": ("QueryInspector(model, scenes[3])", "layer", (0.1, 0.1)),
    "LossInspector": ("LossInspector(model, scenes)", "layer", None),
    "MatchInspector": ("MatchInspector(model, scenes[3])", "layer", (0.5, 0.6)),
    "TaskInspector": ("TaskInspector(model, scenes[3])", "query", (0.9, 0.5)),
    "SamplingInspector": ("SamplingInspector(model, scenes[3])", "layer", (0.3, 0.3)),
    "ContrastInspector": ("ContrastInspector(model, scenes)", "temperature", (0.7, 0.6)),
    "MergeInspector": ("MergeInspector(model, scenes[3])", "step", (0.7, 0.5)),
    "FeatureInspector": ("FeatureInspector(model, scenes[3])", "channel", (0.2, 0.2)),
}

STILL = ".jp-RenderedImage img"


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[LabPage]:
    """One notebook with all inspectors, run."""
    folder = tmp_path_factory.mktemp("lab")
    write_notebook(folder / "inspectors.ipynb", [SETUP, *(made for made, *_ in INSPECTORS.values())])
    with chromium() as browser, jupyterlab(folder) as address:
        yield LabPage(browser, address, "inspectors.ipynb")


@pytest.mark.parametrize("name", INSPECTORS)
def test_a_dragged_slider_and_a_click_change_the_pictures(lab: LabPage, name: str) -> None:
    _, description, place = INSPECTORS[name]
    inspector = lab.inspector(1 + list(INSPECTORS).index(name))
    if name == "FeatureInspector":
        inspector.get_by_role("button", name="channels").click()  # the slider chooses among them
        lab.settle()
    before = lab.pictures(inspector)
    assert before and all(before)
    lab.change(lambda: drag(lab.page, slider(inspector, description), 0.2))
    dragged = lab.pictures(inspector)
    assert dragged != before
    if place:
        lab.change(lambda: click_picture(inspector, place))
        assert lab.pictures(inspector) != dragged
    assert not lab.errors


CORNERS = """(inspector) => [...inspector.querySelectorAll(".ofl-picture img")].map((image) => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d");
  canvas.drawImage(image, 0, 0);
  return Math.min(...canvas.getImageData(0, 0, 1, 1).data);
})"""
CHANGE_THEME = "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })"
ON_PAPER = {"QueryInspector", "LossInspector", "MatchInspector", "TaskInspector", "ContrastInspector"}


def test_pictures_with_words_are_dark_in_a_dark_theme_and_white_again_in_a_light_one(lab: LabPage) -> None:
    """LossInspector's curves, sheets of thumbnails, matrices: what stands on white paper in the light."""
    inspectors = {name: lab.inspector(place) for place, name in enumerate(INSPECTORS, start=1)}
    before = {name: lab.pictures(inspector) for name, inspector in inspectors.items()}

    def white() -> set[str]:
        return {name for name in ON_PAPER if max(inspectors[name].evaluate(CORNERS)) > 250}

    assert white() == ON_PAPER
    lab.change(lambda: lab.page.evaluate(CHANGE_THEME, "JupyterLab Dark"), seconds=60)
    assert white() == set()
    lab.change(lambda: lab.page.evaluate(CHANGE_THEME, "JupyterLab Light"), seconds=60)
    assert {name: lab.pictures(inspector) for name, inspector in inspectors.items()} == before
    assert not lab.errors


BEYOND = """(inspector) => {
  const end = inspector.getBoundingClientRect().right;
  const pictures = [...inspector.querySelectorAll(".ofl-picture img")];
  return pictures.filter((picture) => picture.getBoundingClientRect().right > end).length;
}"""


@pytest.mark.parametrize("width", [1280, 1024])
def test_no_picture_is_cut_on_a_small_screen(lab: LabPage, width: int) -> None:
    """Beside JupyterLab's list of files; wide tables may scroll."""
    before = lab.page.viewport_size
    lab.page.set_viewport_size({"width": width, "height": 1200})
    lab.settle()
    cut = {name: lab.inspector(place).evaluate(BEYOND) for place, name in enumerate(INSPECTORS, start=1)}
    lab.page.set_viewport_size(before)
    assert cut == dict.fromkeys(INSPECTORS, 0)


def test_after_save_and_reopen_without_a_kernel_each_picture_is_there_and_no_error(lab: LabPage) -> None:
    assert lab.page.locator(STILL).filter(visible=True).count() == 0  # hidden while the inspectors live
    saved = lab.saved_and_shut_down()
    stills = saved.locator(STILL).filter(visible=True)
    stills.nth(len(INSPECTORS) - 1).wait_for(timeout=60_000)
    assert stills.count() == len(INSPECTORS) and all(
        still.evaluate("(image) => image.naturalWidth") > 300 for still in stills.all()
    )
    assert "model not found" not in saved.locator(".jp-Notebook").inner_text()
