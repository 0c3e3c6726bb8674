"""MergeInspector: what code can set and read, and its page, which merges and measures as Python does."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import canvas_pixels, change, chromium, opened

import oneformer_lite as ofl
from oneformer_lite.errors import ConfigError
from oneformer_lite.inspectors.merge.pictures import OUTCOMES, PARTS
from oneformer_lite.inspectors.merge.widget import MergeInspector
from oneformer_lite.render.masks import VERDICT_COLORS


@pytest.fixture
def inspector(model, sample) -> MergeInspector:
    return MergeInspector(model, sample)


def test_state_is_set_read_and_told(inspector) -> None:
    state = inspector.state
    assert (state["object_threshold"], state["overlap_threshold"]) == (0.5, 0.8) and state["min_iou"] == 0.5
    assert "dropped" in inspector.words and "PQ" in repr(inspector)  # the first picture tells of a dropped query
    inspector.set(object_threshold=0.9, overlap_threshold=0.3, step=4, colors="outcome", min_iou=0.7)
    assert inspector.state["query"] is None and "step 4" in repr(inspector)
    state = inspector.state
    assert inspector.set(**state).state == state
    with pytest.raises(ConfigError, match="overlap_threshold"):
        inspector.set(step=1, overlap_threshold=7)
    assert inspector.state == state
    slider = inspector.set(object_threshold=0.123).control("object_threshold")
    assert (slider.value, slider.step, slider.readout_format) == (0.123, pytest.approx(0.001), ".3f")


def test_thresholds_change_map_and_quality(inspector) -> None:
    first, words = np.asarray(inspector.still()), inspector.words
    inspector.set(overlap_threshold=0.3)
    assert "share too small" in words and "share too small" not in inspector.words
    assert re.search(r"PQ [\d.]+", inspector.words)[0] != re.search(r"PQ [\d.]+", words)[0]
    assert not np.array_equal(np.asarray(inspector.still()), first)
    inspector.set(object_threshold=1.0)
    assert "0 segments" in repr(inspector) and "PQ 0.0" in repr(inspector)


def test_a_click_chooses_the_query_that_wins(inspector) -> None:
    inspector.click("result", 6, 64)
    assert "sky" in inspector.words and inspector.state["query"] is not None
    inspector.control("step").value = 1  # a step by hand shows its own query
    assert inspector.state["query"] is None


@pytest.mark.parametrize("size", [(32, 32), (900, 1200)])
def test_any_size_and_no_ground_truth(model, size) -> None:
    image = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    inspector = MergeInspector(model, image).set(object_threshold=0.0)
    assert "min_iou" not in inspector.state and inspector.still() and "PQ" not in repr(inspector)
    inspector.click("result", size[0] - 1, size[1] - 1)


@pytest.mark.parametrize(
    "change_config", [{"num_queries": 1, "text_context": 0}, {"num_queries": 250}], ids=["1 query", "250 queries"]
)
def test_untrained_models(sample, tmp_path: Path, change_config) -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(ofl.config.toytown(), image_size=96, hidden_dim=32, decoder_layers=2, **change_config)
    inspector = MergeInspector(ofl.OneFormer(config), sample)
    inspector.set(object_threshold=0.0, overlap_threshold=0.0)
    assert inspector.to_html(tmp_path / "page.html").stat().st_size < 5e6


def test_a_sample_of_other_classes(model, sample) -> None:
    with pytest.raises(ConfigError, match="pass sample.image"):
        MergeInspector(model, dataclasses.replace(sample, categories=sample.categories[:3]))


MOVE = """(values) => { for (const [name, value] of Object.entries(values)) {
    const control = document.querySelector(`[name=${name}]`);
    control.value = value; control.dispatchEvent(new Event("input", { bubbles: true })); } }"""


def test_the_page_in_a_browser(inspector, tmp_path: Path) -> None:
    path = inspector.set(query=None).to_html(tmp_path / "merge.html")
    assert path.stat().st_size < 5e6 and "http" not in path.read_text().replace("http://www.w3.org", "")
    steps = len(inspector.contest.candidates)
    with chromium() as browser:
        with opened(browser, path) as page:
            for object_threshold, overlap_threshold, step, min_iou in (
                (0.5, 0.8, steps, 0.5), (0, 0.3, steps, 0.8), (0.8, 0.95, 5, 0.7), (1, 0.8, steps, 0.5)
            ):  # fmt: skip
                values = {"object_threshold": object_threshold, "overlap_threshold": overlap_threshold, "step": step,
                          "min_iou": min_iou}  # fmt: skip
                inspector.set(**values)
                change(page, lambda v=values: page.evaluate(MOVE, v))
                merged = inspector.merged()
                measured = inspector.measured(merged)
                answer = page.evaluate("ofl.answer")
                assert answer["fates"] == [list(fate) for fate in merged.fates]
                assert answer["segments"] == [list(segment) for segment in merged.segments]
                assert answer["quality"] == pytest.approx([measured[1].pq, measured[1].sq, measured[1].rq])
                assert page.inner_text("#told") in inspector.words
                for n, painted in enumerate(view.shown for view in inspector.views.values()):
                    assert np.array_equal(canvas_pixels(page, n), painted)
            change(page, lambda: page.evaluate(MOVE, {"object_threshold": 0.5, "step": steps}))
            box = page.locator("canvas").first.bounding_box()
            change(page, lambda: page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 9))
            assert "sky" in page.inner_text("#told")
            painted = canvas_pixels(page, 0)
            change(page, lambda: page.keyboard.press("Shift+ArrowDown"))
            assert not np.array_equal(canvas_pixels(page, 0), painted)  # the cursor is seen
            for _ in range(3):
                change(page, lambda: page.keyboard.press("Shift+ArrowDown"))
            assert "sky" not in page.inner_text("#told")
            change(page, lambda: page.get_by_text("TP, FP, FN", exact=True).click())
            assert "TP" in page.inner_text("#legend")
        with opened(browser, path, width=400) as page:
            assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_each_colour_of_the_legend_has_one_meaning_and_no_share_is_above_one(inspector) -> None:
    every = [color for color, _ in PARTS.values()] + [VERDICT_COLORS[name] for name in OUTCOMES]
    assert len(set(every)) == len(every)
    inspector.set(colors="outcome")
    told = inspector.words
    assert told.index("Result and ground truth:") < told.index("TP") < told.index("The query:") < told.index("won")
    for query in inspector.control("query").options:
        told = inspector.set(object_threshold=0.0, overlap_threshold=0.0, query=query[1]).words
        assert all(float(share) <= 1 for share in re.findall(r"share of ([\d.,]+\d)", told))
    assert "more than its mask has" in inspector.set(query=19).words and "over 1" in inspector.words


def test_a_pages_unchanged_pictures_are_not_painted_again(inspector, tmp_path) -> None:
    path = inspector.set(object_threshold=0.5).to_html(tmp_path / "merge.html")
    count = (
        "window.painted = 0; const { prototype } = CanvasRenderingContext2D, put = prototype.putImageData;"
        "prototype.putImageData = function (...all) { window.painted++; return put.apply(this, all); }"
    )
    with chromium() as browser, opened(browser, path, before=count) as page:
        assert page.evaluate("painted") == 3
        change(page, lambda: page.locator("[name=min_iou]").press("ArrowRight"))  # PQ alone
        assert page.evaluate("painted") == 3
        change(page, lambda: page.locator("[name=step]").press("ArrowLeft"))
        assert 3 < page.evaluate("painted") < 6  # the ground truth stays
