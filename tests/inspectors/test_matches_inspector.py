"""MatchInspector: what code can set and read, what it says, and its page in a browser, which assigns as scipy does."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import assert_back_opens_again, change, chromium, opened
from scipy.optimize import linear_sum_assignment

import oneformer_lite as ofl
from oneformer_lite.errors import ConfigError
from oneformer_lite.inspectors.matches.page_parts import mask_sheet, packed
from oneformer_lite.widgets import MatchInspector


@pytest.fixture(scope="module")
def shared(sample) -> MatchInspector:
    return MatchInspector(ofl.from_pretrained("toytown"), sample)


@pytest.fixture
def inspector(shared) -> MatchInspector:
    """As new: all tests look at one, because the model need run but once."""
    shared.set(task="instance")
    return shared.set(task="panoptic", layer=6, class_weight=2.0, mask_weight=5.0, dice_weight=5.0)


def small_model(**changes) -> ofl.OneFormer:
    torch.manual_seed(0)
    sizes = {"test_size": 64, "hidden_dim": 32, "decoder_layers": 1, "num_points": 64}
    return ofl.OneFormer(dataclasses.replace(ofl.config.toytown(), **sizes | changes))


def test_state_is_set_read_and_told(inspector) -> None:
    names = ["task", "layer", "class_weight", "mask_weight", "dice_weight", "query", "segment"]
    assert list(inspector.state) == names and inspector.state["layer"] == 6
    # the task comes first, whatever the order, because it says which segments there are
    assert inspector.set(segment=0, query=5, layer=0, dice_weight=0.0, task="instance") is inspector
    state = inspector.state
    assert list(state.values()) == ["instance", 0, 2.0, 5.0, 0.0, 5, 0]
    assert "4 segments matched among 32 queries" in repr(inspector) and "dice_weight 0.0" in repr(inspector)
    inspector.set(**state)
    assert inspector.state == state


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"weight": 1}, "has no 'weight'; it has task, layer"),
        ({"task": "depth"}, "task is 'depth'; expected one of panoptic, instance, semantic"),
        ({"layer": 7}, "layer is 7; expected 0 to 6"),
        ({"dice_weight": -1.0}, "dice_weight is -1.0; expected 0"),
        ({"query": 32}, "query is 32; expected one of 0, 1"),
        ({"segment": 99}, "segment is 99; expected one of 0, 1"),
        ({"segment": None}, "segment is None; expected one of 0, 1"),
    ],
)
def test_what_does_not_exist_is_refused_and_nothing_changes(inspector, wrong: dict, words: str) -> None:
    before = inspector.state
    with pytest.raises(ConfigError, match=words):
        inspector.set(mask_weight=1.0, **wrong)
    assert inspector.state == before


def test_the_first_picture_shows_a_near_miss(inspector) -> None:
    view, state = inspector.matches, inspector.state
    assert state["query"] not in view.assigned and "a regret of" in inspector.words
    assert "; 0 changed" in inspector.words and "8 pairs" in inspector.words
    assert "24 of 32 queries are unmatched" in inspector.words


def test_weights_flip_pairs_and_their_frames(inspector) -> None:
    before = inspector.views["total cost, panoptic"].shown
    inspector.set(layer=0, dice_weight=0.0, mask_weight=0.0)
    changed = int((inspector.matches.assigned != inspector.matches.usual).sum())
    assert changed > 0 and f"; {changed} changed" in inspector.words
    assert not np.array_equal(before, inspector.views["total cost, panoptic"].shown) and inspector.still().size[0] > 800


def test_a_chosen_pair_and_its_terms(inspector) -> None:
    query = int(inspector.matches.assigned[2])
    inspector.set(query=query, segment=2)
    assert f"Query {query} answers for person. Without this pair query" in inspector.words
    parts = inspector.matches.parts[:, query, 2] * (2, 5, 5)
    for value in (*parts, parts.sum()):
        assert f"{value:.2f}" in inspector.words


def test_a_click_and_the_arrow_keys_choose_a_pair(inspector) -> None:
    view, (rows, columns) = "total cost, panoptic", inspector.views["total cost, panoptic"].size
    head, side = rows - 20, columns - 8  # what stands above and beside the cells
    inspector.click(view, head + 3, side)
    assert (inspector.state["query"], inspector.state["segment"]) == (inspector.matches.assigned[3], 0)
    inspector.views[view].press(1, 2)
    assert (inspector.state["query"], inspector.state["segment"]) == (inspector.matches.assigned[4], 2)
    inspector.click(view, 0, side + 5)  # the head of a column: the segment alone
    assert (inspector.state["query"], inspector.state["segment"]) == (inspector.matches.assigned[4], 5)


def test_without_ground_truth_or_with_another_it_says_what_to_do(sample) -> None:
    model = small_model()
    with pytest.raises(ConfigError, match="pass a Sample"):
        MatchInspector(model, sample.image)
    with pytest.raises(ConfigError, match="3 classes, the model 14"):
        MatchInspector(model, dataclasses.replace(sample, categories=sample.categories[:3]))


@pytest.mark.filterwarnings("ignore:an image has")
@pytest.mark.parametrize("queries", [1, 250])
def test_one_and_many_queries(sample, queries: int, tmp_path: Path) -> None:
    inspector = MatchInspector(small_model(num_queries=queries, text_context=0), sample)
    assert inspector.set(query=queries - 1).still()
    words = "there is no other query" if queries == 1 else "242 of 250 queries are unmatched"
    assert words in inspector.words
    assert inspector.to_html(tmp_path / "page.html").stat().st_size < 5e6


@pytest.mark.parametrize("size", [(32, 32), (3000, 4000)])
def test_any_size_and_nothing_annotated(sample, size) -> None:
    inspector = MatchInspector(small_model(), void(sample, size))
    assert inspector.state["segment"] is None and inspector.still()
    assert "No segment under this task" in inspector.words
    assert inspector.set(task="semantic", query=3).state["query"] == 3


def void(sample: ofl.data.Sample, size: tuple[int, int]) -> ofl.data.Sample:
    return sample.replace(image=np.zeros((*size, 3), np.uint8), segment_map=np.zeros(size, np.int32), segments=())


def test_numbers_and_masks_travel_small() -> None:
    import base64

    numbers = np.frombuffer(base64.b64decode(packed(np.array([-1.0, 0.0, 0.5, np.nan]), (-1.0, 1.0))), "<u2")
    assert numbers.tolist() == [0, 32767, 49150, 65535]
    masks = np.zeros((3, 4, 6), np.uint8)
    masks[2] = 255
    sheet, size, columns = mask_sheet(masks, 1e6)
    assert (size, columns) == ((4, 6), 1) and (sheet[8:] == 255).all() and not sheet[:8].any()
    assert mask_sheet(masks, 18)[1] == (2, 3)


def test_the_page_in_a_browser(inspector, sample, tmp_path: Path) -> None:
    path = inspector.to_html(tmp_path / "matches.html")
    assert path.stat().st_size < 5e6 and "http" not in path.read_text()
    rng = np.random.default_rng(0)
    with chromium() as browser:
        with opened(browser, path) as page:
            for rows, columns in ((1, 1), (5, 5), (12, 4), (40, 25)):  # the Hungarian algorithm is scipy's
                costs = rng.normal(size=(rows, columns)) * 5
                found = page.evaluate("([c, r, n]) => ofl.assign(c, r, n)", [costs.ravel().tolist(), rows, columns])
                assert found == linear_sum_assignment(costs.T)[1].tolist()
            words = page.locator(".ofl-slider > span").all_inner_texts()
            assert [inspector.control(name).description for name in inspector.state][1:] == words  # the same in both
            assert page.inner_text("#why p") in inspector.words
            assert_shows(page, inspector)
            slow = change(page, lambda: slide(page, "dice_weight", 0))
            assert_shows(page, inspector.set(dice_weight=0.0))
            change(page, lambda: slide(page, "layer", 0))
            assert_shows(page, inspector.set(layer=0))
            assert slow < 1000 and "0 changed" not in page.inner_text("#summary")
            canvas = page.locator("#total canvas")
            place = page.evaluate("(() => { const { label, head } = document.querySelector('#total canvas').layout;"
                                  "return { x: label + 5, y: head + 5 }; })()")  # fmt: skip
            change(page, lambda: canvas.click(position=place))
            change(page, lambda: page.keyboard.press("ArrowRight"))
            first = int(inspector.matches.assigned[0])
            assert page.evaluate("[ofl.shown.query, ofl.shown.segment]") == [first, 1]
            assert page.inner_text("#why p") in inspector.set(query=first, segment=1).words
            change(page, lambda: page.get_by_text("semantic", exact=True).click())
            assert_shows(page, inspector.set(task="semantic"))
        with opened(browser, path) as page:
            assert_back_opens_again(page, lambda: slide(page, "class_weight", 7))
            page.emulate_media(media="print")
            page.set_viewport_size({"width": 718, "height": 1000})  # A4 between its margins
            cut = "(box) => box.scrollWidth - box.clientWidth"
            assert [page.locator(f"#{part}").evaluate(cut) for part in ("total", "class", "mask", "dice")] == [0] * 4
        with opened(browser, path, width=400) as page:
            assert page.evaluate("document.documentElement.scrollWidth") <= 400
        long = [dataclasses.replace(c, name=f"{c.name}, with a long name of many words") for c in sample.categories]
        wide = MatchInspector(small_model(), dataclasses.replace(sample, categories=tuple(long)))
        with opened(browser, wide.to_html(tmp_path / "wide.html"), width=400) as page:
            assert page.evaluate("document.documentElement.scrollWidth") <= 400
        empty = MatchInspector(small_model(), void(sample, (32, 48))).to_html(tmp_path / "empty.html")
        with opened(browser, empty) as page:
            assert "No segment under this task" in page.inner_text("#summary")


def assert_shows(page, inspector: MatchInspector) -> None:
    """The page has the notebook's pairs, rows and words."""
    view = inspector.matches
    assert page.evaluate("ofl.shown.assigned") == view.assigned.tolist()
    assert page.evaluate("ofl.shown.usual") == view.usual.tolist()
    assert abs(page.evaluate("ofl.shown.costs[7]") - view.total.ravel()[7]) < 0.01
    assert page.inner_text("#unmatched p b") in inspector.words


def slide(page, name: str, value: float) -> None:
    page.locator(f"input[name={name}]").evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input', { bubbles: true })); }",
        value,
    )


@pytest.mark.parametrize(("queries", "words"), [(32, "of 32 queries, the "), (8, "rows: all 8 queries")])
def test_which_queries_are_shown_is_said_in_widget_still_and_page(
    sample, queries, words, monkeypatch, tmp_path
) -> None:
    looked = MatchInspector(small_model(num_queries=queries), sample).set(task="instance")
    assert words in looked.words
    if queries == 32:
        assert "the others cost more" in looked.words
    said = np.asarray(looked.still())
    monkeypatch.setattr("oneformer_lite.inspectors.matches.widget.rows_words", lambda *counts: "rows")
    assert not np.array_equal(said, np.asarray(looked.still()))
    page = looked.to_html(tmp_path / "page.html").read_text()
    assert "rows: all ${v.Q} queries" in page and "the others cost more" in page
