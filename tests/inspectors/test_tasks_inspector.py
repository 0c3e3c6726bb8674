"""TaskInspector: what code can set and read, what is shown, the edges, and its page in a browser."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import canvas_pixels, change, chromium, opened
from PIL import Image

import oneformer_lite as ofl
from oneformer_lite.data.sample import TASKS
from oneformer_lite.errors import ConfigError
from oneformer_lite.inspectors.tasks.pairs import KEPT
from oneformer_lite.inspectors.tasks.pictures import ABOVE, LEFT, shrunk
from oneformer_lite.widgets import TaskInspector

CHART = "queries at each step of the blend"


@pytest.fixture(scope="module")
def shared(sample) -> TaskInspector:
    return TaskInspector(ofl.from_pretrained("toytown"), sample)


@pytest.fixture
def inspector(shared) -> TaskInspector:
    return shared.set(task="panoptic", other="instance", blend=0.0, query=0)


def random_model(**changes) -> ofl.OneFormer:
    torch.manual_seed(0)
    small = dict(image_size=64, test_size=64, hidden_dim=32, decoder_layers=2, text_context=0)
    return ofl.OneFormer(dataclasses.replace(ofl.config.toytown(), **small | changes))


def test_state_is_set_read_and_told(inspector) -> None:
    state = inspector.set(task="semantic", other="instance", blend=0.4, query=7).state
    assert state == {"task": "semantic", "other": "instance", "blend": 0.4, "query": 7}
    assert "blend 0.4" in repr(inspector) and "panoptic: " in repr(inspector)
    assert inspector.set(**state).state == state


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"other": "depth"}, "other is 'depth'; expected one of panoptic, instance, semantic"),
        ({"blend": 0.25}, "blend is 0.25; expected one of 0.0, 0.1"),
        ({"query": 99}, "query is 99; expected 0 to 31"),
    ],
)
def test_what_does_not_exist_is_refused_and_nothing_changes(inspector, wrong: dict, words: str) -> None:
    before = inspector.state
    with pytest.raises(ConfigError, match=words):
        inspector.set(task="semantic", **wrong)
    assert inspector.state == before


def test_stuff_falls_silent_on_the_way_to_instance(inspector) -> None:
    assert "blend 0.0: 3 things, 4 stuff" in inspector.words
    first = np.asarray(inspector.still())
    inspector.set(blend=1.0)
    assert "blend 1.0: 4 things, 0 stuff" in inspector.words and "go silent" in inspector.words
    assert not np.array_equal(first, np.asarray(inspector.still()))
    told = inspector.pair("panoptic", "instance").told
    assert told.count("goes silent") >= 3 and told.count("keeps its class") >= 1
    back = inspector.pair("instance", "panoptic").told
    assert back.count("wakes") == told.count("goes silent")


def test_a_task_compared_with_itself_changes_nothing(inspector) -> None:
    inspector.set(task="semantic", other="semantic", blend=0.5)
    pair = inspector.pair("semantic", "semantic")
    assert pair.after == pytest.approx(1) and set(pair.told) <= {"keeps its class", "silent"}
    assert "Choose another task" in inspector.words and "the same" in inspector.words


def test_pictures_of_few_steps_are_kept() -> None:
    """Those of all pairs would be some eighty megabytes; what is painted again is the same."""
    pairs = TaskInspector(random_model(), np.zeros((24, 32, 3), np.uint8)).pairs
    first = pairs.blended_picture("panoptic", "instance", 3)
    for task, other in itertools.permutations(TASKS, 2):
        for step in range(11):
            pairs.blended_picture(task, other, step)
    assert len(pairs._blended) == KEPT == 22
    again = pairs.blended_picture("panoptic", "instance", 3)
    assert again is not first and np.array_equal(again, first)
    assert pairs.blended_picture("panoptic", "instance", 3) is again


def test_texts_targets_and_token_are_told(inspector, sample) -> None:
    assert "34572" in inspector.words and "channel" in inspector.words
    assert "an instance photo" in inspector.texts("instance") and "sky" not in inspector.texts("instance")
    assert not np.array_equal(inspector.truth_picture("instance"), inspector.truth_picture("semantic"))


def test_a_click_in_the_chart_chooses_query_and_blend(inspector) -> None:
    chart = inspector.pair("panoptic", "instance").chart
    row, column = ABOVE + 3, LEFT + 6
    inspector.click(CHART, row, column)
    assert (inspector.state["query"], inspector.state["blend"]) == (chart.queries[3], 0.6)
    inspector.views[CHART].press(1, -1)
    assert (inspector.state["query"], inspector.state["blend"]) == (chart.queries[4], 0.5)
    inspector.click(CHART, 0, LEFT)  # the curve: the blend alone
    assert (inspector.state["query"], inspector.state["blend"]) == (chart.queries[4], 0.0)
    inspector.set(query=int(chart.queries[0]))
    assert inspector.views[CHART].point == (ABOVE, LEFT)


@pytest.mark.parametrize("size", [(32, 32), (600, 3000)])
@pytest.mark.parametrize("changes", [{"num_queries": 1}, {"num_queries": 40}])
def test_any_size_a_random_model_and_no_ground_truth(size: tuple[int, int], changes: dict) -> None:
    image = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    inspector = TaskInspector(random_model(**changes), image).set(blend=0.5, other="semantic")
    assert 160 <= max(inspector.photo.shape) <= 512 and inspector.still()
    assert inspector.truth_picture("panoptic") is None and "0 queries speak" in inspector.words


def test_a_sample_of_other_classes(sample) -> None:
    with pytest.raises(ConfigError, match="pass sample.image"):
        TaskInspector(random_model(), dataclasses.replace(sample, categories=sample.categories[:3]))


def test_masks_shrink_until_they_fit() -> None:
    masks = np.zeros((50, 96, 72), np.uint8)
    masks[:, :48] = 200
    small = shrunk(masks, 1e5)
    assert small.size <= 1e5 < 1.1 * small.size and (small[:, 0] == 200).all() and not small[:, -1].any()
    assert shrunk(masks, 1e9) is masks


def test_the_page_in_a_browser(inspector, tmp_path: Path) -> None:
    path = inspector.to_html(tmp_path / "tasks.html")
    assert path.stat().st_size < 5e6 and "http" not in path.read_text().replace("http://www.w3.org", "")
    picture = "() => ['blend', 'chart', 'mask0', 'mask1'].map((id) => document.getElementById(id).toDataURL())"
    with chromium() as browser:
        with opened(browser, path) as page:
            before = page.evaluate(picture)
            for _ in range(10):
                slow = change(page, lambda: page.focus("[name=blend]") or page.keyboard.press("ArrowRight"))
            after = page.evaluate(picture)
            assert before[0] != after[0] and before[1] != after[1] and before[2:] == after[2:] and slow < 1000
            assert "0 stuff" in page.inner_text("#blend-words") and "1.0" in page.inner_text("#blend-words")
            box = page.locator("#chart").bounding_box()
            rows, columns = inspector.pair("panoptic", "instance").chart.size
            place = box["x"] + box["width"] * (LEFT + 2.5) / columns, box["y"] + box["height"] * (ABOVE + 4.5) / rows
            change(page, lambda: page.mouse.click(*place))
            query = inspector.pair("panoptic", "instance").chart.queries[4]
            assert f"Query {query} " in page.inner_text("#query-words") and "0.2" in page.inner_text("#blend-words")
            change(page, lambda: page.keyboard.press("ArrowRight"))
            assert "0.3" in page.inner_text("#blend-words")
            change(page, lambda: page.get_by_text("semantic", exact=True).nth(1).click())
            assert "panoptic → semantic" in page.inner_text("#headline")
        with opened(browser, path, width=400) as page:
            assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_a_query_stands_out_from_the_rest_of_the_picture_which_is_dark(inspector, tmp_path: Path) -> None:
    """In the notebook and in the page: a small mask on white looked like an empty panel."""
    query = int(inspector.pair("panoptic", "instance").chart.queries[0])
    mask = inspector.set(query=query).reader.readings["panoptic"].masks[query]
    painted = inspector._mask("panoptic", query)
    large = np.asarray(Image.fromarray(mask).resize(painted.shape[1::-1], Image.Resampling.BILINEAR))
    inside, outside = large > 250, large < 5
    assert np.abs(painted[inside].astype(int) - inspector.photo[inside]).max() < 9  # the photograph
    assert painted[outside].max() < 120 and (np.ptp(painted[outside], axis=-1) <= 5).all()
    with chromium() as browser, opened(browser, inspector.to_html(tmp_path / "tasks.html")) as page:
        page.wait_for_timeout(50)
        assert np.abs(canvas_pixels(page, "#mask0").astype(int) - painted).mean() < 8  # WebP, and masks in 32 steps
