"""ContrastInspector: what code can set and read, what a click chooses, and its page in a browser."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import assert_back_opens_again, change, chromium, opened

import oneformer_lite as ofl
from oneformer_lite.errors import ConfigError
from oneformer_lite.inspectors.contrast.pictures import KIND_COLORS, TWIN
from oneformer_lite.inspectors.contrast.reading import contrast
from oneformer_lite.widgets import ContrastInspector


@pytest.fixture(scope="module")
def samples() -> list[ofl.data.Sample]:
    return [ofl.data.Toytown("val", 128, 16)[i] for i in range(3)]


@pytest.fixture
def inspector(model, samples) -> ContrastInspector:
    return ContrastInspector(model, samples)


SLOTS = {"what each slot adds to the cosine of the pair", "cosine of query (row), text slot (column)"}


def loss_of(text: str) -> float:
    return float(re.search(r"loss ([\d.]+)", text)[1])


def test_state_is_set_read_and_told(inspector) -> None:
    assert list(inspector.state) == ["tasks", "temperature", "row", "column", "slot"]
    assert inspector.state["tasks"] == "mixed" and inspector.state["row"] != inspector.state["column"]
    assert inspector.set(tasks="semantic", temperature=0.07, row=2, column=0, slot=3) is inspector
    state = inspector.state
    assert list(state.values()) == ["semantic", 0.07, 2, 0, 3]
    expected = contrast(inspector.shares["semantic"].sum(-1), 0.07).loss
    assert loss_of(inspector.words) == pytest.approx(expected, abs=6e-4)
    assert f"contrastive loss {expected:.3f}" in repr(inspector) and len(repr(inspector)) < 250
    assert "Image 2 (semantic) and texts 0" in inspector.words and "Query 3 and text slot 3" in inspector.words
    assert "a semantic photo (padding" in inspector.words and "learned context × 4" in inspector.words


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"temperature": 3.0}, "temperature is 3.0; expected 0.005 to 1"),
        ({"row": 3}, "row is 3; expected 0 to 2"),
        ({"tasks": "given"}, "expected one of mixed, panoptic, instance, semantic"),
    ],
)
def test_what_does_not_exist_is_refused_and_nothing_changes(inspector, wrong: dict, words: str) -> None:
    before = inspector.state
    with pytest.raises(ConfigError, match=words):
        inspector.set(slot=7, **wrong)
    assert inspector.state == before


def test_a_browser_finds_the_temperature_on_one_of_the_slider_s_stops(inspector) -> None:
    slider = inspector.control("temperature")

    def stops() -> float:
        return (np.log10(slider.value) - slider.min) / slider.step

    assert stops() == pytest.approx(round(stops()), abs=1e-6)
    for value in (0.123, inspector.learned, *inspector.temperatures[[0, -1]]):
        assert inspector.set(temperature=value).state["temperature"] == value
        assert stops() == pytest.approx(round(stops()), abs=1e-6)
    inspector.set(temperature=inspector.learned)


def test_clicks_choose(inspector) -> None:
    views = inspector.views
    inspector.click("softmax of rows", 2, 1)  # row 1, column 0
    assert (inspector.state["row"], inspector.state["column"]) == (1, 0)
    views["similarity"].press(1, 1)  # the arrow keys start from what is chosen anywhere
    assert (inspector.state["row"], inspector.state["column"]) == (2, 1)
    inspector.click("similarity", 1, 0)  # the photograph: the image and its own texts
    assert (inspector.state["row"], inspector.state["column"]) == (0, 0)
    inspector.click("what each slot adds to the cosine of the pair", 0, 9)
    assert inspector.state["slot"] == 9
    inspector.click("cosine of query (row), text slot (column)", 12, 20)
    assert inspector.state["slot"] == 12
    views["cosine of query (row), text slot (column)"].hover((2, 30))
    assert "Query 2 and text slot 30" in inspector.words and "never compares" in inspector.words
    views["cosine of query (row), text slot (column)"].hover(None)
    assert "Query 12 and text slot 12" in inspector.words
    inspector.click("loss at every temperature", 0, views["loss at every temperature"].size[1] - 1)
    assert inspector.state["temperature"] == pytest.approx(1)


def test_pictures_follow(inspector) -> None:
    def shown() -> dict:
        return {name: view.shown.tobytes() for name, view in inspector.views.items()}

    def frames() -> dict:
        return {name: view.framed for name, view in inspector.views.items()}

    before = shown()
    inspector.set(temperature=0.5)
    warm = shown()
    changed = {name for name in before if before[name] != warm[name]}
    assert {"softmax of rows", "softmax of columns", "loss at every temperature"} <= changed
    assert changed <= {"similarity", "softmax of rows", "softmax of columns", "loss at every temperature"}
    held, still = frames(), np.asarray(inspector.still())
    inspector.set(slot=(inspector.state["slot"] + 5) % 32)
    assert warm == shown() and not np.array_equal(still, np.asarray(inspector.still()))
    assert {name for name in held if held[name] != frames()[name]} == SLOTS
    inspector.set(row=(inspector.state["row"] + 1) % 3)
    assert {name for name in warm if warm[name] != shown()[name]} == SLOTS
    assert held["similarity"] != frames()["similarity"]
    assert np.asarray(inspector.still()).std() > 10


def test_the_clamp_and_false_negatives(model, samples) -> None:
    inspector = ContrastInspector(model, [(samples[0], "panoptic"), (samples[0], "panoptic"), samples[1]])
    assert list(inspector.batches) == ["given", "panoptic", "instance", "semantic"]
    assert "1 false-negative pairs" in repr(inspector) and "cannot fall below 0.924" in inspector.words
    assert "share 100 % of their sentences: a false negative" in inspector.set(row=0, column=1).words
    tinted = inspector.set(row=2, column=2).views["similarity"].shown
    purple = (tinted == np.array([204, 121, 167])).all(-1)
    side = len(tinted) // 5
    cells = {(i, j) for i in range(3) for j in range(3)
             if purple[(i + 1) * side : (i + 2) * side, (j + 1) * side : (j + 2) * side].any()}  # fmt: skip
    assert cells == {(0, 1), (1, 0)}
    frozen = inspector.set(temperature=0.006).words
    assert "(clamped)" in frozen
    assert loss_of(frozen) == loss_of(inspector.set(temperature=0.01).words)


def test_one_image_says_why_nothing_is_learned(model, samples) -> None:
    inspector = ContrastInspector(model, samples[:1])
    assert "loss 0." in inspector.words and "single entry" in inspector.words
    assert inspector.set(temperature=0.5).still()


def test_what_is_refused(model, samples) -> None:
    for wrong in (samples[0], [], None, [samples[0].image]):
        with pytest.raises(ConfigError, match="expected a list of samples"):
            ContrastInspector(model, wrong)
    with pytest.raises(ConfigError, match="at most 8 samples, got 9"):
        ContrastInspector(model, samples * 3)
    things = dataclasses.replace(samples[0], tasks=("instance",))
    with pytest.raises(ConfigError, match="cannot supply the panoptic task"):
        ContrastInspector(model, [things, (things, "panoptic")])


@pytest.mark.parametrize(("queries", "context", "sizes"), [(1, 0, (32, 64)), (250, 16, (64, 64))])
def test_any_number_of_queries_and_sizes(queries: int, context: int, sizes: tuple[int, int], tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(
        ofl.config.toytown(), image_size=64, test_size=64, hidden_dim=32, decoder_layers=1, num_queries=queries,
        text_context=context,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    base = ofl.data.Toytown("val", 64, 2)[0]
    nothing = dataclasses.replace(
        base,
        image=rng.integers(0, 255, (*sizes, 3), dtype=np.uint8),
        segment_map=np.zeros(sizes, np.int32),
        segments=(),
    )
    inspector = ContrastInspector(ofl.OneFormer(config), [nothing, base]).set(slot=queries - 1)
    assert inspector.still() and inspector.to_html(tmp_path / "page.html").stat().st_size < 5e6


def test_the_page_in_a_browser(inspector, tmp_path: Path) -> None:
    path = inspector.set(temperature=0.07).to_html(tmp_path / "contrast.html")
    assert path.stat().st_size < 5e6 and "http" not in path.read_text().replace("http://www.w3.org", "")
    with chromium() as browser:
        with opened(browser, path) as page:
            assert loss_of(page.inner_text("#pair")) == loss_of(inspector.words)
            cells = page.locator("#by_column td")
            change(page, lambda: cells.nth(5).click())  # row 1, column 2
            inspector.set(row=1, column=2)
            plain = next(line for line in inspector.words.split("\n") if line.startswith("loss ")).split()
            assert page.inner_text("#pair").split() == plain  # Python and JavaScript say the same
            change(page, lambda: page.keyboard.press("ArrowLeft"))
            assert "Image 1" in page.inner_text("#pair") and "texts 1" in page.inner_text("#pair")
            change(page, lambda: page.locator("#shares").click(position={"x": 200, "y": 40}))
            slot = page.evaluate("ofl.state().slot")
            assert slot > 5 and f"Query {slot} and" in page.inner_text("#told")
            box = page.locator("#curve").bounding_box()
            slow = change(page, lambda: page.mouse.click(box["x"] + box["width"] - 2, box["y"] + 20))
            assert page.evaluate("10 ** ofl.state().temperature") > 0.9 and slow < 1000
            before = loss_of(page.inner_text("#pair"))
            change(page, lambda: page.get_by_text("semantic", exact=True).first.click())
            assert loss_of(page.inner_text("#pair")) != before and "a semantic photo" in page.inner_text("#table")
            inspector.set(tasks="semantic", slot=slot, row=1, column=1)
            assert " ".join(page.inner_text("#table").split()) in inspector.words
        with opened(browser, path) as page:
            slot, slots = page.evaluate("[ofl.state().slot, Number(document.querySelector('[name=slot]').max) + 1]")
            page.locator("#cosines").hover(position={"x": 200, "y": 150})
            for picture, key, step in (("shares", "ArrowRight", 1), ("cosines", "ArrowDown", 1)):
                page.locator(f"#{picture}").focus()
                page.keyboard.press(key)
                slot += step
                page.wait_for_function(f"ofl.state().slot === {min(slot, slots - 1)}")
            before = page.evaluate("ofl.state().temperature")
            page.locator("#curve").focus()
            change(page, lambda: page.keyboard.press("ArrowRight"))
            assert 0 < page.evaluate("ofl.state().temperature") - before < 0.02
        with opened(browser, path) as page:
            assert_back_opens_again(page, lambda: page.locator("input[name=slot]").press("End"))
        with opened(browser, path, width=400) as page:
            assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_no_number_stands_without_its_name(inspector, tmp_path: Path) -> None:
    """The last number of a table of losses is their mean, the last of the curve a loss; the still explains the rest."""
    with chromium() as browser:
        with opened(browser, inspector.to_html(tmp_path / "contrast.html")) as page:
            assert re.search(r"mean \d\.\d\d$", page.inner_text("#by_row").strip())
            assert re.search(r"mean \d\.\d\d$", page.inner_text("#by_column").strip())
    foot = np.asarray(inspector.still())[-70:].reshape(-1, 3)
    for color in (KIND_COLORS["sentence"], KIND_COLORS["context"], TWIN):
        assert (foot == color).all(-1).any()
