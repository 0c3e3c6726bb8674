"""What a widget leaves in its notebook: three outputs in JupyterLab, two elsewhere, one where it is a page."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import nbformat
import pytest
from PIL import Image

import oneformer_lite as ofl
from oneformer_lite.inspectors import kept
from oneformer_lite.widgets import MaskInspector

VIEW = "application/vnd.jupyter.widget-view+json"


class Blue(kept.Kept):
    """A widget of one colour."""

    def still(self) -> Image.Image:
        return Image.new("RGB", (400, 40), "blue")

    def _page(self) -> str:
        return "<p>blue</p>"


def shown(widget, monkeypatch, metadata: dict | None = None) -> list[dict]:
    """The outputs of a cell that ends in ``widget``, asked for with this metadata."""
    outputs: list[dict] = []
    monkeypatch.setattr(kept, "display", lambda data, raw: outputs.append(data))
    shell = SimpleNamespace(get_parent=lambda: {"metadata": metadata or {}})
    monkeypatch.setattr(kept, "get_ipython", lambda: None if metadata is None else shell)
    widget._ipython_display_()
    return outputs


@pytest.mark.parametrize("metadata", [None, {}, {"cellId": "4f"}])
def test_the_picture_is_an_output_of_its_own(monkeypatch, metadata):
    widget, picture, *style = shown(Blue(), monkeypatch, metadata)
    assert set(widget) == {VIEW, "text/plain"} and set(picture) == {"image/png"}
    assert [set(output) for output in style] == ([{"text/html"}] if metadata else [])


@pytest.mark.parametrize("make", [
    lambda model, sample: MaskInspector(model, sample),
    lambda model, sample: ofl.Run.attach(ofl.data.sample_folder() / "run").replay(),
])  # fmt: skip
def test_every_inspector_and_every_view_of_a_run_is_kept(monkeypatch, model, sample, make):
    widget = make(model, sample)
    outputs = shown(widget, monkeypatch)
    assert len(outputs) == 2 and outputs[0]["text/plain"].startswith(type(widget).__name__)
    assert outputs[1]["image/png"].startswith(b"\x89PNG") and kept.LIVE in widget._dom_classes


def test_as_a_page_it_is_one_output(monkeypatch):
    monkeypatch.setenv("OFL_WIDGETS", "page")
    (frame,) = shown(Blue(), monkeypatch, {"cellId": "4f"})
    assert set(frame) == {"text/html", "text/plain"}


def test_where_no_widget_can_be_shown_the_picture_is_there(tmp_path):
    """As nbconvert and viewers without widgets have it."""
    data = nbformat.v4.new_output
    outputs = [data("display_data", {VIEW: {"model_id": "0", "version_major": 2}, "text/plain": "Blue()"}),
               data("display_data", {"image/png": "iVBORw0KGgo="})]  # fmt: skip
    cell = nbformat.v4.new_code_cell("Blue()", outputs=outputs)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "n.ipynb")
    command = [sys.executable, "-m", "nbconvert", "--to", "html", str(tmp_path / "n.ipynb")]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    assert "data:image/png;base64,iVBORw0KGgo=" in (tmp_path / "n.html").read_text()
