"""QueryInspector: what code can set and read, what is shown, and its page in a browser."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import assert_back_opens_again, canvas_pixels, change, chromium, opened

import oneformer_lite as ofl
from oneformer_lite.errors import ConfigError
from oneformer_lite.inspectors.queries import painter, pictures
from oneformer_lite.inspectors.queries.pictures import cell_sheet
from oneformer_lite.widgets import QueryInspector


@pytest.fixture
def inspector(model, sample) -> QueryInspector:
    return QueryInspector(model, sample)


def small_model(**changes) -> ofl.OneFormer:
    torch.manual_seed(0)
    sizes = {"image_size": 64, "test_size": 64, "hidden_dim": 32, "decoder_layers": 2, "encoder_layers": 1}
    config = dataclasses.replace(ofl.config.toytown(), pretrained=False, num_points=64, **(sizes | changes))
    return ofl.OneFormer(config).eval()


def test_state_is_set_read_and_told(inspector) -> None:
    first = inspector.state
    assert first["task"] == "panoptic" and first["layer"] == 6 and first["point"] is None
    assert first["query"] == inspector.order()[0]  # the surest one
    inspector.set(task="semantic", sort="number", query=5, layer=2, point=(70, 60))
    assert inspector.state == {
        "task": "semantic", "sort": "number", "query": 5, "layer": 2, "point": (70, 60),
    }  # fmt: skip
    assert "32 queries" in repr(inspector) and "query 5" in repr(inspector) and "wins with" in repr(inspector)
    with pytest.raises(ConfigError, match="query is 32; expected 0 to 31"):
        inspector.set(query=32)
    with pytest.raises(ConfigError, match="outside the picture"):
        inspector.set(point=(128, 0))


def test_pictures_and_words_follow_the_controls(inspector) -> None:
    stills = [np.asarray(inspector.set(**choice).still()) for choice in ({}, {"layer": 1}, {"query": 31})]
    assert not np.array_equal(stills[0], stills[1]) and not np.array_equal(stills[1], stills[2])
    inspector.set(layer=6).set(query=inspector.order()[0])
    assert "Matched with the annotated" in inspector.words and "stride 8" in inspector.words
    inspector.set(layer=0)
    assert "without any decoder layer" in inspector.words and "before layer 1" in inspector.words
    inspector.set(layer=6, point=(3, 64))
    assert "wins: sky" in inspector.words and "largest score" in inspector.words
    outcome, claims = inspector.claims()
    assert outcome.endswith("sky.") and claims[0].value == pytest.approx(claims[0].score * claims[0].probability)


def test_a_click_chooses_query_and_layer(inspector) -> None:
    order = inspector.order()
    inspector.click("all queries", 1, 2)  # second row of four, third of eight columns
    assert inspector.state["query"] == order[8 + 2]
    inspector.click("life of the query", 0, 3)
    assert inspector.state["layer"] == 3
    inspector.click("where the query looked", 64, 32)
    assert inspector.state["point"] == (64, 32) and "row 64, column 32" in inspector.words
    inspector.set(query=inspector.order()[0])
    inspector.views["all queries"].press(0, 1)
    assert inspector.state["query"] == inspector.order()[1]


def test_states_of_a_training_side_by_side(model, sample, tmp_path: Path) -> None:
    torch.manual_seed(0)
    young = ofl.OneFormer(dataclasses.replace(model.config, pretrained=False))
    folder = young.save_pretrained(tmp_path / "step0")
    inspector = QueryInspector(model, sample, checkpoints=[folder])
    assert inspector.state["checkpoint"] == "this model"
    mask = inspector.views["the picture with the mask of the query"]
    before = mask.shown
    inspector.set(checkpoint="1: step0")
    assert not np.array_equal(mask.shown, before)
    inspector.click("the query over the training", 0, 1)
    assert inspector.state["checkpoint"] == "this model" and np.array_equal(mask.shown, before)
    path = inspector.to_html(tmp_path / "training.html")
    assert path.stat().st_size < 5e6
    with chromium() as browser, opened(browser, path) as page:
        change(page, lambda: page.locator("#training button").first.click())
        assert "1: step0" in page.locator("#training [aria-pressed=true]").inner_text()
    with pytest.raises(ConfigError, match="states of one training"):
        QueryInspector(model, sample, checkpoints={"other": small_model(num_queries=9)})


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({"num_queries": 1, "text_context": 0}, (32, 32)),
        ({"num_classes": 1, "class_names": ("x",), "is_thing": (True,), "class_colors": ()}, (40, 90)),
        ({"num_queries": 70}, (3000, 4000)),
    ],
    ids=["one query", "one class", "large"],
)
def test_edges(changes: dict, size: tuple[int, int], tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    inspector = QueryInspector(small_model(**changes), image)
    for task in ofl.data.sample.TASKS:
        inspector.set(task=task, layer=1, point=(size[0] - 1, size[1] - 1))
        assert "row" in inspector.words and inspector.still()
    assert inspector.to_html(tmp_path / "edge.html").stat().st_size < 5e6


def test_the_page_says_which_tasks_have_no_room(inspector, tmp_path: Path, monkeypatch) -> None:
    inspector.set(task="semantic")
    assert "task alone" not in inspector.to_html(tmp_path / "all.html").read_text()
    monkeypatch.setattr("oneformer_lite.inspectors.queries.page.MOST_BYTES", 500_000)
    path = inspector.to_html(tmp_path / "one.html")
    with chromium() as browser, opened(browser, path) as page:
        words = page.inner_text(".ofl-look >> nth=1")
        assert "holds the semantic task alone" in words and "For panoptic and instance" in words
        assert 'inspector.set(task="panoptic").to_html("panoptic.html")' in words
        assert page.locator("input[name=task]").count() == 1


def test_no_segment_and_a_sample_of_other_classes(model, sample) -> None:
    nothing = dataclasses.replace(sample, segments=(), segment_map=np.zeros_like(sample.segment_map))
    assert "Matched" not in QueryInspector(model, nothing).words
    with pytest.raises(ConfigError, match="pass sample.image"):
        QueryInspector(model, dataclasses.replace(sample, categories=sample.categories[:3]))


def test_the_page_in_a_browser(inspector, tmp_path: Path) -> None:
    path = inspector.set(point=(3, 64)).to_html(tmp_path / "queries.html")
    assert path.stat().st_size < 5e6 and "http" not in path.read_text().replace("http://www.w3.org", "")
    with chromium() as browser:
        with opened(browser, path) as page:
            assert page.locator("#sheet button").count() == 32 and page.locator("#life button").count() == 7
            assert "wins: sky" in page.inner_text("#claims")
            shown = page.locator("#sheet button").evaluate_all("buttons => buttons.map((b) => Number(b.dataset.value))")
            assert shown == inspector.order()  # also where scores differ only behind the third digit
            notebook = inspector.views["the picture with the mask of the query"].shown
            difference = np.abs(canvas_pixels(page, "#mask").astype(int) - notebook)
            assert np.mean(difference) < 6  # photograph as WebP, masks in steps: nearly the same picture
            slow = [change(page, lambda i=i: page.locator("#life button").nth(i).click()) for i in (2, 5, 0)]
            assert "before layer 1" in page.inner_text("#caption0") and max(slow) < 1000
            third = page.locator("#sheet button").nth(2)
            query = third.get_attribute("data-value")
            change(page, third.click)
            assert f"Query {query} before layer 1" in page.inner_text("#caption1")
            change(page, lambda: page.locator("input[name=layer]").press("End"))
            box = page.locator("#mask").bounding_box()
            place = {"x": box["width"] / 2, "y": box["height"] * 0.94}
            change(page, lambda: page.locator("#mask").click(position=place))
            outcome, claims = inspector.set(layer=6, point=(120, 64)).claims()
            assert outcome in page.inner_text("#claims")
            rows = page.locator("#claims tr").all_inner_texts()
            assert rows[1].split("\t")[0] == str(claims[0].query) and rows[1].split("\t")[-1] == claims[0].why
            for task in ("instance", "semantic"):
                change(page, lambda task=task: page.get_by_text(task, exact=True).first.click())
                inspector.set(task=task)
                assert inspector.claims()[0].split(",")[0][:-3] in page.inner_text("#claims")
        with opened(browser, path) as page:
            page.locator("#mask").hover(position={"x": 200, "y": 200})
            page.locator("#attention").focus()
            change(page, lambda: page.keyboard.press("ArrowRight"))
            change(page, lambda: page.keyboard.press("Shift+ArrowDown"))
            assert page.inner_text("#claims").startswith("row 13, column 65:")
        with opened(browser, path) as page:
            assert_back_opens_again(page, lambda: page.locator("input[name=layer]").press("Home"))
        with opened(browser, path, width=400) as page:
            assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_what_a_photograph_gives_is_computed_once(model, sample, monkeypatch) -> None:
    """Another query paints its masks over what is known of the photograph, and sheets that are known are not painted
    again: most of an action's time."""
    inspector, grounds, sheets = QueryInspector(model, sample), [], []
    for name in ("grey", "dark", "untinted"):
        plain = vars(pictures.Ground)[name].func
        counted = cached_property(lambda ground, plain=plain, name=name: grounds.append(name) or plain(ground))
        counted.__set_name__(pictures.Ground, name)
        monkeypatch.setattr(pictures.Ground, name, counted)
    monkeypatch.setattr(painter, "cell_sheet", lambda cells, *a: sheets.append(len(cells)) or cell_sheet(cells, *a))
    inspector.set(layer=5).set(layer=6)
    grounds.clear(), sheets.clear()
    inspector.set(query=7).set(query=8).set(layer=5)
    assert grounds == [] and 32 not in sheets and len(sheets) == 2  # two lives; the layers' sheets were there
