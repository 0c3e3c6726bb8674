"""The page of an analysis: one file, in words too, that opens pictures in inspectors; in a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from browser import chromium, opened

import oneformer_lite as ofl
from oneformer_lite.analysis.curves import in_words, precision_recall_svg
from oneformer_lite.cli import main
from oneformer_lite.data import Toytown


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    model = ofl.from_pretrained("toytown")
    analysis = ofl.analyse(model, [Toytown("val", 128)[i] for i in range(3)], progress=False)
    return analysis.to_html(tmp_path_factory.mktemp("page") / "errors.html", pictures=1, inspectors=("MaskInspector",))


def test_bars_open_to_pictures_and_these_to_inspectors(page):
    with chromium() as browser:
        for width in (1280, 400):
            with opened(browser, page, width) as tab:
                assert tab.evaluate("document.documentElement.scrollWidth") <= width
                link = tab.locator("[data-picture]").first
                tab.evaluate("document.querySelector('[data-picture]').closest('details').open = true")
                link.click()
                frame = tab.frame_locator("#inspector iframe")
                frame.locator("html[data-drawn]").wait_for(timeout=60_000)
                assert "MaskInspector" in frame.locator("main").inner_text()
                assert tab.locator("#inspector b").inner_text() == link.inner_text()
                tab.locator("#inspector .close").click()
                assert not tab.locator("#inspector").is_visible()


def test_drawings_say_in_words_what_they_show(page):
    text = page.read_text(encoding="utf-8").split('<script type="application/json"')[0]
    assert re.findall(r'role="img" aria-label="Precision over recall, mean over the classes: at an IoU of 0.50, ', text)
    assert not re.search(r"<img|https?://|<link|@import", text)
    assert len(re.findall(r"<details>", text)) >= 10 and "light-dark(" in text


def test_a_curve_in_words():
    recall = [0.0, 0.5, 1.0]
    means = {"0.50": [1.0, 0.8, 0.0], "0.75": [0.5, 0.0, 0.0], "0.50 to 0.95": [0.2, 0.1, 0.1]}
    words = in_words(recall, means)
    assert "at an IoU of 0.50, 0.80 at a recall of 0.5, above 0 to 0.50" in words and "above 0 to 1.00" in words
    assert precision_recall_svg(recall, means).count("<polyline") == 3
    assert precision_recall_svg(recall, dict.fromkeys(means)) == ""


def test_a_notebook_gets_the_piece_without_scripts_and_names_are_escaped():
    scene = Toytown("val", 128)[0].replace(file_name="<b>&.jpg")
    analysis = ofl.analyse(ofl.from_pretrained("toytown"), [scene], "semantic", progress=False)
    text = analysis._repr_html_()
    assert "<script" not in text and "<html" not in text and "&lt;b&gt;&amp;.jpg" in text and "<b>&.jpg" not in text


@pytest.mark.parametrize("name", ["caf\udce9.jpg", "\ud800"], ids=["a byte of Latin-1", "half a pair"])
def test_file_names_that_are_no_unicode_do_not_lose_the_page(tmp_path, name):
    scene = Toytown("val", 128)[0].replace(file_name=name)
    analysis = ofl.analyse(ofl.from_pretrained("toytown"), [scene], "semantic", progress=False)
    page = analysis.to_html(tmp_path / "errors.html", 1, "MaskInspector").read_text(encoding="utf-8")
    assert "?" in page and "data-picture" in page


def test_eval_writes_the_page_and_its_numbers(tmp_path, capsys):
    page, found = tmp_path / "errors.html", tmp_path / "found.json"
    command = ["eval", "--scenes", "1", "--device", "cpu", "--tasks", "semantic"]
    assert main([*command, "--html", str(page), "--json", str(found)]) == 0
    assert f"where it goes wrong: {page}" in capsys.readouterr().out and "Semantic pixels" in page.read_text()
    content = json.loads(found.read_text())
    assert content["mIoU"] > 0 and content["analysis"]["semantic"]["errors"]["total"] > 0
    with pytest.raises(SystemExit):
        main([*command, "--html", str(tmp_path / "errors.json")])
    assert "expected a file such as errors.html" in capsys.readouterr().err
