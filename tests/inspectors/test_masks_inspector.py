"""MaskInspector: what code can set and read, what is painted, and its page in a browser."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from browser import assert_back_opens_again, canvas_pixels, change, chromium, opened

from oneformer_lite.errors import ConfigError
from oneformer_lite.render.masks import display_ids, display_image
from oneformer_lite.widgets import MaskInspector


@pytest.fixture(scope="module")
def made(model, sample) -> tuple[MaskInspector, dict]:
    """One for all, and how it was at first."""
    inspector = MaskInspector(model, sample)
    return inspector, inspector.state


@pytest.fixture
def inspector(model, sample, made) -> MaskInspector:
    inspector, first = made
    return inspector.set(**first)


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


def test_state_is_set_read_and_told(inspector) -> None:
    assert inspector.state["task"] == "panoptic" and inspector.state["point"] is None
    assert inspector.set(task="all", colors="verdict", opacity=30, point=(70, 60), classes=["person"]) is inspector
    state = inspector.state
    assert (state["task"], state["opacity"], state["point"], state["classes"]) == ("all", 30, (70, 60), ["person"])
    assert "right" in repr(inspector) and "point 70x60" in repr(inspector) and len(repr(inspector)) < 250
    inspector.set(**state)
    assert inspector.state == state


@pytest.mark.parametrize(("told", "first"), [(("semantic",), "semantic"), (("instance", "semantic"), "instance")])
def test_it_opens_on_a_task_that_the_annotation_can_be_compared_in(model, sample, told, first) -> None:
    inspector = MaskInspector(model, dataclasses.replace(sample, tasks=told))
    assert inspector.state["task"] == first and f"ground truth, {first}" in inspector.words
    assert inspector.set(point=(3, 4)).state["point"] == (3, 4)
    assert MaskInspector(model, sample.image).state["task"] == "panoptic"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"colour": 1}, "has no 'colour'; it has task, colors"),
        ({"task": "depth"}, "task is 'depth'; expected one of panoptic, instance, semantic, all"),
        ({"opacity": 300}, "opacity is 300; expected 0 to 100"),
        ({"point": (500, 3)}, "outside the picture of 128 x 128"),
        ({"classes": ["unicorn"]}, "classes"),
        ({"classes": "car"}, "classes is 'car'; expected a list of car, bus, person"),
        ({"task": None}, "task is None; expected one of panoptic"),
        ({"point": 5}, "the point is 5; expected (row, column)"),
        ({"opacity": 55.5}, "opacity is 55.5; expected 0 to 100, a whole number"),
    ],
)
def test_what_does_not_exist_is_refused_and_nothing_changes(inspector, wrong: dict, words: str) -> None:
    before = inspector.state
    with pytest.raises(ConfigError, match=re.escape(words)):
        inspector.set(outline=False, **wrong)
    assert inspector.state == before


def test_pictures_follow_the_controls(inspector) -> None:
    choices = {
        "class": {},
        "verdict": {"colors": "verdict"},
        "faint": {"colors": "class", "opacity": 0, "outline": False, "names": False},
        "ring": {"point": (5, 5)},
    }
    shown = {name: np.asarray(inspector.set(**choice).still()) for name, choice in choices.items()}
    assert not np.array_equal(shown["class"], shown["verdict"])
    photo = display_image(inspector.image)
    height, width = photo.shape[:2]
    rows = slice(-height - 8, -8)
    assert np.array_equal(shown["faint"][rows, 8 : 8 + width], photo)  # nothing painted: the photograph
    assert not np.array_equal(shown["ring"], shown["faint"])
    assert np.asarray(inspector.set(task="all").still()).shape[1] > 3 * width


def test_right_and_wrong_stand_on_grey_and_are_told_in_words(inspector) -> None:
    """Their colours mix with no colour of the photograph; the legend says them, and the labels, without colours."""
    inspector.set(colors="verdict", opacity=50, outline=False, names=False)
    painted = inspector.views["prediction, panoptic"].shown
    void = display_ids(inspector.readings["panoptic", "prediction"].segment_map) == 0
    assert void.any() and (np.ptp(painted[void], axis=-1) == 0).all()  # grey where there is no verdict
    with_legend, without = (np.asarray(inspector.set(colors=c).still()) for c in ("verdict", "class"))
    assert with_legend.shape[0] > without.shape[0]
    inspector.set(colors="verdict", names=True)
    (told,) = [label for _, (label, *_) in inspector._labels[("panoptic", "ground truth"), "verdict"]]
    assert told == "person: missed" and "1 missed: annotated, not found" in inspector.words


def test_names_follow_the_classes_that_are_shown(inspector) -> None:
    shown = [inspector.set(classes=some).views["prediction, panoptic"].shown for some in ([], ["car"], ["sky"])]
    bare = inspector.set(classes=[], names=False).views["prediction, panoptic"].shown
    assert not np.array_equal(shown[0], bare) and not np.array_equal(shown[1], shown[2])


def test_classes_are_chosen_by_buttons_that_say_their_names(inspector) -> None:
    label, *buttons = inspector.control("classes").children
    assert label.value == "only these classes" and "car" in [button.description for button in buttons]
    next(button for button in buttons if button.description == "car").value = True
    assert inspector.state["classes"] == ["car"]
    inspector.set(classes=["sky"])
    assert [button.description for button in buttons if button.value] == ["sky"]


def test_all_panels_say_what_lies_at_the_point(inspector) -> None:
    view = inspector.views["prediction, panoptic"]
    inspector.set(point=(120, 64))
    assert inspector.words.count("row 120, column 64") == 1 and "sidewalk" in inspector.words
    view.hover((2, 64))
    assert "sky" in inspector.words
    view.hover(None)
    assert "sidewalk" in inspector.words


def test_a_click_travels_like_the_browser_sends_it(inspector) -> None:
    picture = inspector.views["ground truth, panoptic"]
    told = picture.children[-1]  # the hidden text into which the browser writes
    told.value = "at 0.5 0.25 1"
    assert inspector.state["point"] == (64, 32)
    told.value = "by -10 1 2"
    assert inspector.state["point"] == (54, 33)
    told.value = "by -1000 0 3"
    assert inspector.state["point"] == (0, 33)
    told.value = "over 0.99 0.5 4"
    assert "row 126" in inspector.words
    told.value = "off 5"
    assert "row 0," in inspector.words


@pytest.mark.parametrize("size", [(32, 32), (3000, 4000)])
def test_any_size_and_no_ground_truth(model, size) -> None:
    image = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    inspector = MaskInspector(model, image).set(point=(size[0] - 1, size[1] - 1))
    assert inspector.control("colors").disabled
    assert "row" in inspector.words and inspector.still()


def test_a_sample_of_other_classes(model, sample) -> None:
    with pytest.raises(ConfigError, match="pass sample.image"):
        MaskInspector(model, dataclasses.replace(sample, categories=sample.categories[:3]))


def test_the_page_in_a_browser(browser, inspector, tmp_path: Path) -> None:
    path = inspector.set(names=False).to_html(tmp_path / "masks.html")
    assert path.stat().st_size < 5e6 and "http" not in path.read_text().replace("http://www.w3.org", "")
    with opened(browser, path) as page:
        first = page.locator("canvas").first
        before = page.evaluate("document.querySelectorAll('canvas')[1].toDataURL()")
        painted = inspector.views["prediction, panoptic"].shown
        assert np.array_equal(canvas_pixels(page, 1), painted)  # Python and JavaScript paint the same
        box = first.bounding_box()
        change(page, lambda: page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.94))
        assert "sidewalk" in page.inner_text("#told")
        change(page, lambda: page.keyboard.press("Shift+ArrowUp"))
        slow = change(page, lambda: page.get_by_text("right or wrong", exact=True).click())
        assert page.evaluate("document.querySelectorAll('canvas')[1].toDataURL()") != before
        assert "right" in page.inner_text("#legend") and slow < 1000
        change(page, lambda: page.get_by_text("all", exact=True).first.click())
        assert page.locator("canvas").count() == 6
        boxes = [page.locator("canvas").nth(i).bounding_box() for i in range(6)]
        sides = [caption.split(", ")[0] for caption in page.locator("figcaption").all_inner_texts()]
        assert sides == ["ground truth", "prediction"] * 3
        assert all(a["x"] == b["x"] and a["y"] < b["y"] for a, b in zip(boxes[::2], boxes[1::2]))
    with opened(browser, path, width=400) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_the_page_opens_as_exported_and_takes_any_classes(browser, inspector, tmp_path: Path) -> None:
    inspector.set(classes=["car", "tree"], point=(90, 40), names=False)
    path = inspector.to_html(tmp_path / "masks.html")
    with opened(browser, path) as page:
        assert_shows(page, inspector)
        page.get_by_label("person", exact=True).focus()
        change(page, lambda: page.keyboard.press("Space"))
        assert_shows(page, inspector.set(classes=("car", "person", "tree")))
    with opened(browser, path) as page:
        assert_back_opens_again(page, lambda: page.get_by_text("car", exact=True).click())


def test_arrow_keys_start_from_the_point_that_is_shown(browser, inspector, tmp_path: Path) -> None:
    path = inspector.set(point=(90, 40), names=False).to_html(tmp_path / "masks.html")
    with opened(browser, path) as page:
        truth, found = (page.locator("canvas").nth(i) for i in range(2))
        truth.focus()
        change(page, lambda: page.keyboard.press("ArrowRight"))
        assert_shows(page, inspector.set(point=(90, 41)))
        found.hover(position={"x": 5, "y": 5})
        assert "row 1, column 1" in page.inner_text("#told")
        page.keyboard.press("Tab")  # to the other picture, with the mouse elsewhere
        change(page, lambda: page.keyboard.press("Shift+ArrowUp"))
        assert_shows(page, inspector.set(point=(80, 41)))


def assert_shows(page, inspector) -> None:
    """The page has the classes and the point of the notebook, and paints what that paints."""
    assert page.evaluate("ofl.state().classes") == inspector.state["classes"]
    assert page.inner_text("#told").startswith("row {}, column {}".format(*inspector.state["point"]))
    painted = inspector.views["prediction, panoptic"].shown
    same = canvas_pixels(page, 1) == painted
    assert same.mean() > 0.995  # all but the ring, which has soft edges here
