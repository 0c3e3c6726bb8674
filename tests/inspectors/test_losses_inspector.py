"""LossInspector: a run or a model, what code can set and read, clicks, edges, and its page in a browser."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import canvas_pixels, change, chromium, opened
from run_folder import write_run

import oneformer_lite as ofl
from oneformer_lite.errors import ConfigError, DataError
from oneformer_lite.inspectors.losses.pictures import batch_sheet, heat, heat_colors, image_in_sheet
from oneformer_lite.training import toytown_training
from oneformer_lite.training.checkpoint import save_checkpoint
from oneformer_lite.widgets import LossInspector


@pytest.fixture(scope="module")
def scenes() -> ofl.data.Toytown:
    return ofl.data.Toytown("train", 128, 6)


@pytest.fixture(scope="module")
def run(tmp_path_factory, model) -> ofl.Run:
    """A log of 40 steps and a checkpoint of the last."""
    run = write_run(tmp_path_factory.mktemp("run"))
    weights = {"step": 40, "model": model.state_dict(), "average": None}
    save_checkpoint(run.folder, ofl.config.toytown(), **weights)
    return run


@pytest.fixture(scope="module")
def inspector(run, scenes) -> LossInspector:
    return LossInspector(run, scenes)


def test_state_is_set_read_and_told(inspector) -> None:
    assert list(inspector.state) == ["step", "loss", "layer", "image", "segment"]
    assert inspector.set(segment=1, image=2, loss="mask", layer=3, step=38) is inspector  # in any order
    assert inspector.state == {"step": 38, "loss": "mask", "layer": 3, "image": 2, "segment": 1}
    inspector.set(**inspector.state)
    assert inspector.state["segment"] == 1 and "step 38" in repr(inspector) and "loss mask" in repr(inspector)
    assert inspector.set(step=1000).state["step"] == 40 and inspector.state["segment"] is None
    assert "weights of step 40" in inspector.words and "as logged" in inspector.words


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"query": 1}, "has no 'query'; it has step, loss, layer, image, segment"),
        ({"loss": "focal"}, "loss is 'focal'; expected one of total, class, mask, dice, contrastive"),
        ({"layer": 7}, "layer is 7; expected 0 to 6"),
        ({"segment": 99}, "segment is 99; expected one of None, 0, 1"),
    ],
)
def test_what_does_not_exist_is_refused_and_nothing_changes(inspector, wrong: dict, words: str) -> None:
    before = inspector.set(step=40, image=1, segment=0, loss="total").state
    with pytest.raises(ConfigError, match=words):
        inspector.set(**({"image": 3} | wrong))
    assert inspector.state == before


def test_the_table_adds_up_and_follows_the_loss(inspector) -> None:
    inspector.set(step=40, loss="dice", layer=6, image=0)
    parts, rows = inspector.step_shown().parts, inspector.rows()
    assert sum(row.values.get("dice", 0) for row in rows) == pytest.approx(parts.by_layer()["dice"][6])
    assert sum(row.values["class"] for row in rows) == pytest.approx(parts.by_layer()["class"][6])
    dearest = [row.values["dice"] for row in rows if row.pair is not None]
    assert dearest == sorted(dearest, reverse=True) and f"{dearest[0]:.3g}" in inspector.words
    images = toytown_training(steps=40).batch_size  # the contrastive loss has one row an image
    assert [row.pair for row in inspector.set(loss="contrastive").rows()] == [None] * images
    inspector.press_row(rows[0].pair)
    assert inspector.state["image"] == rows[0].image and inspector.state["segment"] is not None


def test_clicks_choose_step_image_and_segment(inspector) -> None:
    inspector.set(step=40, loss="mask", image=0)
    plot = inspector.curves.plots["losses"]
    view = inspector.views["losses over the steps"]
    inspector.click("losses over the steps", 10, round((plot.start + plot.slope * 20) * view.size[1]))
    assert inspector.state["step"] == 20
    height, width = inspector.views["the batch"].size
    inspector.click("the batch", int(0.75 * height), int(0.4 * width))  # second row, second column
    assert inspector.state["image"] == 5
    ids = inspector.step_shown().ids(5)
    row, column = np.argwhere(ids > 0)[len(np.argwhere(ids > 0)) // 2]
    height, width = inspector.views["the chosen image"].size
    inspector.click(
        "the chosen image", int((row + 0.5) / ids.shape[0] * height), int((column + 0.5) / ids.shape[1] * width)
    )
    assert inspector.state["segment"] == ids[row, column] - 1


def test_pictures_show_segments_then_points(inspector) -> None:
    inspector.set(step=40, loss="mask", layer=6, image=0)
    shown = {"all": inspector.views["the chosen image"].shown}
    for name, choice in {"points": {"segment": 0}, "dice": {"loss": "dice"}, "early": {"layer": 0}}.items():
        shown[name] = inspector.set(**choice).views["the chosen image"].shown
    different = [np.asarray(p).tobytes() for p in shown.values()]
    assert len(set(different)) == 4 and len({p.shape for p in shown.values()}) == 1
    colors = {tuple(c) for c in heat_colors()}
    painted = {tuple(c) for c in shown["points"].reshape(-1, 3)} & colors
    assert len(painted) > 5  # dots in the colours of the scale
    assert inspector.still().size[0] > 1000


def test_gradients_are_computed_on_demand_and_kept(inspector) -> None:
    inspector.set(step=39)
    assert "text mapper" not in inspector.words
    found = inspector.gradients()
    assert inspector.gradients() is found and "text mapper" in inspector.words
    assert found.norms.shape == (len(found.components), 5) and (found.norms[-1] > 0).all()
    assert "text mapper" not in inspector.set(step=38).words and "text mapper" in inspector.set(step=39).words


def test_a_new_step_shows_what_is_known_before_what_it_costs(inspector) -> None:
    inspector.set(step=40, loss="total")
    told, pictures, cursor = [], [], inspector.views["losses over the steps"].framed
    inspector._told.observe(lambda change: told.append(change["new"]), "value")
    inspector._views["focus"]._image.observe(lambda change: pictures.append(change["new"]), "value")
    inspector.set(step=33)
    assert "being computed" in told[0] and "step 33" in told[0] and "Now, with" in told[-1] and len(pictures) == 2
    assert inspector.views["losses over the steps"].framed != cursor
    told.clear()
    inspector.set(step=40).set(step=33)  # known by now
    assert not any("being computed" in words for words in told)


def test_the_page_of_a_large_model_waits_for_no_gradients(inspector, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("oneformer_lite.inspectors.losses.shown_step._LARGE", 10)
    inspector.set(step=31)
    assert "gradient norm" not in inspector.to_html(tmp_path / "page.html").read_text()
    inspector.gradients()
    assert "gradient norm" in inspector.to_html(tmp_path / "page.html").read_text()


@pytest.mark.parametrize("size", [(32, 32), (900, 1200)])
def test_a_model_alone_any_size_one_query_no_segment(size, tmp_path) -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(
        ofl.config.toytown(), image_size=64, num_queries=1, text_context=0, decoder_layers=1, num_points=16
    )
    sample = ofl.data.Toytown("val", 64, 1)[0]
    image = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    empty = sample.replace(image=image, segment_map=np.zeros(size, np.int32), segments=())
    with pytest.warns(UserWarning):
        inspector = LossInspector(ofl.OneFormer(config), [(empty, "semantic"), sample])
    for loss in ("class", "mask", "contrastive"):
        inspector.set(loss=loss, image=0).set(image=1, segment=0)
    assert inspector.still() and "2 images" in repr(inspector) and "step" not in inspector.state
    assert "losses.js" not in inspector.to_html(tmp_path / "page.html").read_text()


def test_what_is_missing_is_said(tmp_path, run, scenes, model) -> None:
    bare = LossInspector(write_run(tmp_path / "bare", logged=3))  # neither data nor checkpoint
    assert "cannot be shown" in bare.note and list(bare.state) == ["step", "loss"] and bare.still()
    assert "_" not in bare.state and "data" in bare.note
    blind = LossInspector(tmp_path / "bare", scenes)
    assert "No checkpoint" in blind.note and list(blind.state) == ["step", "loss", "image"]
    with pytest.raises(ConfigError, match="gradients need"):
        blind.gradients()
    with pytest.raises(DataError, match="nothing was logged"):
        LossInspector(write_run(tmp_path / "empty", logged=0), scenes)
    with pytest.raises(ConfigError, match="expected a list of samples"):
        LossInspector(model, ofl.data.Toytown("val", 64, 1)[0])
    with pytest.raises(ConfigError, match="a model alone"):
        LossInspector(model)


def test_places_in_the_sheet() -> None:
    sheet = batch_sheet([np.zeros((20, 30, 3), np.uint8)] * 6, [str(i) for i in range(6)], chosen=5)
    assert sheet.shape == (2 * 184 + 8, 4 * 184 + 8, 3)
    assert image_in_sheet(20, 20, 6) == 0 and image_in_sheet(250, 300, 6) == 5 and image_in_sheet(250, 700, 6) is None
    assert heat(np.array([0, 2, 9]), 4).tolist() == [0, 128, 255]
    light = heat_colors().astype(float) @ (0.299, 0.587, 0.114)
    assert (np.diff(light) < 1.5).all() and light[0] - light[-1] > 180  # ever darker: readable without colours


def test_the_page_in_a_browser(inspector, tmp_path: Path) -> None:
    inspector.set(step=40, loss="mask", layer=6, image=0)
    path = inspector.to_html(tmp_path / "losses.html")
    assert path.stat().st_size < 5e6 and "://" not in path.read_text().replace("http://www.w3.org", "")
    painted = inspector.views["the chosen image"].shown
    with chromium() as browser:
        with opened(browser, path) as page:
            assert np.abs(canvas_pixels(page, 3).astype(int) - painted).mean() < 4  # the photograph is WebP here
            before = page.inner_text("#told")
            slow = change(page, lambda: page.locator("#table tr[onclick]").first.click())
            assert page.locator(".ofl-chosen").count() == 1 and slow < 1000
            assert "answers for it" in page.inner_text("#told") and page.inner_text("#told") != before
            change(page, lambda: page.get_by_text("class", exact=True).first.click())
            change(page, lambda: page.locator("[name=step]").evaluate(
                "e => { e.value = 9; e.dispatchEvent(new Event('input', {bubbles: true})); }"))  # fmt: skip
            assert "step 10, as logged" in page.inner_text("#told") and "text mapper" in page.inner_text("#norms")
            page.locator("canvas").first.hover(position={"x": 200, "y": 50})
            for picture, name in ((0, "step"), (2, "image")):
                before = int(page.input_value(f"[name={name}]"))
                page.locator("canvas").nth(picture).focus()
                change(page, lambda: page.keyboard.press("ArrowRight"))
                assert int(page.input_value(f"[name={name}]")) == before + 1
            page.locator("canvas").nth(2).scroll_into_view_if_needed()
            box = page.locator("canvas").nth(2).bounding_box()
            change(page, lambda: page.mouse.click(box["x"] + 0.4 * box["width"], box["y"] + 0.75 * box["height"]))
            assert page.input_value("[name=image]") == "5"
        with opened(browser, path, width=400) as page:
            assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_a_still_says_what_its_colours_and_segments_are(inspector) -> None:
    """Names at the segments, and below the chosen image the colours from one end to the other, with words."""
    inspector.set(step=40, loss="mask", image=0, segment=None)
    step, focus = inspector.step_shown(), inspector._focus()
    named = step.named(focus, 0, None)
    assert named.shape == focus.shape and (named != focus).any(-1).mean() > 0.01
    ((low, colors, high),) = step.scale("mask", None)
    assert (low, high) == ("mask loss: 0", "the most expensive segment of the batch")
    foot = np.asarray(inspector.still())[-40:]
    for color in (colors[0], colors[-3]):
        assert (np.abs(foot.astype(int) - color).max(-1) < 3).any()
    assert step.scale("contrastive", None) == [] and step.scale("dice", 0)[0][2] == "1"
