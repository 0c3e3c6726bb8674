"""Pictures of predictions and ground truth, and the names on them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from oneformer_lite.data.sample import TASKS, SegmentInfo
from oneformer_lite.errors import ConfigError
from oneformer_lite.render import draw_labels, label_items, render_instances, render_prediction, render_truth
from oneformer_lite.render import prediction as render_module
from oneformer_lite.render.labels import place_labels
from oneformer_lite.render.prediction import page_scale


def prediction(sample, task: str) -> SimpleNamespace:
    """The ground truth dressed as a prediction of ``task``."""
    segments = [
        SimpleNamespace(id=s.id, class_id=s.class_id, class_name="", score=0.5, is_thing=True)
        for s in sample.segments
        if task != "instance" or sample.categories[s.class_id].is_thing
    ]
    masks = np.stack([sample.segment_map == s.id for s in segments])
    label_map = np.full(sample.size, -1, dtype=np.int64)
    for s in sample.segments:
        label_map[sample.segment_map == s.id] = s.class_id
    return SimpleNamespace(
        task=task, segments=segments, segment_map=sample.segment_map, label_map=label_map,
        masks=masks,
    )  # fmt: skip


@pytest.mark.parametrize("task", TASKS)
def test_a_perfect_prediction_looks_like_the_truth(sample, task):
    found = render_prediction(
        sample.image, prediction(sample, task), sample.categories, scale=3, labels=False
    )
    assert found.shape == (48, 72, 3) and found.dtype == np.uint8
    np.testing.assert_array_equal(found, render_truth(sample, task, scale=3, labels=False))


def test_the_three_tasks_look_different(sample):
    panoptic, instance, semantic = (
        render_truth(sample, task, scale=1, labels=False).astype(int) for task in TASKS
    )
    left, right = (10, 13), (10, 17)  # the two trees
    sky = (6, 1)
    assert (panoptic[left] != panoptic[right]).any() and (instance[left] != instance[right]).any()
    assert (semantic[left] == semantic[right]).all()
    assert instance[sky].sum() < panoptic[sky].sum() == pytest.approx(semantic[sky].sum(), abs=40)


def test_crowds_and_overlapping_masks(sample):
    crowd = sample.replace(
        segments=(*sample.segments[:2], SegmentInfo(3, 2, is_crowd=True), sample.segments[3])
    )
    for task in ("panoptic", "instance"):
        assert (render_truth(crowd, task, 1, False)[10, 13] == 55).all()  # void
    assert (render_truth(crowd, "semantic", 1, False)[10, 13] != 55).any()
    masks = np.zeros((2, 16, 24), dtype=bool)
    masks[0, :, :20], masks[1, 4:8, 4:8] = True, True
    overlapping = sample.replace(
        masks=masks, segments=(SegmentInfo(1, 1), SegmentInfo(2, 1)), tasks=("instance",)
    )
    picture = render_truth(overlapping, "instance", 1, False)
    assert (picture[5, 5] != picture[12, 5]).any()


def test_small_pictures_are_enlarged_for_the_page(sample):
    assert [page_scale((s, s)) for s in (100, 128, 256, 480)] == [4, 3, 2, 1]
    assert page_scale((20, 2000)) == page_scale((20, 900)) == 1  # the longer side stays below 1600 pixels
    assert render_truth(sample).shape == (16 * 25, 24 * 25, 3)


@pytest.mark.parametrize("task", TASKS)
def test_a_prediction_of_nothing_is_a_faded_picture(sample, task):
    nothing = SimpleNamespace(
        task=task, segments=[], segment_map=np.zeros((16, 24), np.int32),
        label_map=np.full((16, 24), -1), masks=np.zeros((0, 16, 24), bool),
    )  # fmt: skip
    picture = render_prediction(sample.image, nothing, sample.categories, scale=2)
    np.testing.assert_array_equal(picture, np.full((32, 48, 3), 55))


def test_enlarged_pictures_have_soft_edges(sample):
    colors = [
        len(np.unique(render_truth(sample, scale=s, labels=False).reshape(-1, 3), axis=0))
        for s in (1, 3)
    ]
    assert colors[0] <= 2 * 5  # void and four segments, each plain or under an outline
    assert colors[1] > 2 * 5  # and mixtures of them


def test_unknown_task_is_refused(sample):
    with pytest.raises(ConfigError, match="unknown task 'depth'"):
        render_prediction(sample.image, SimpleNamespace(task="depth"), sample.categories)


def test_names_stand_inside_large_segments_and_above_small_ones():
    ids = np.zeros((100, 200), dtype=np.int32)
    ids[20:81, 20:101] = 1
    ids[60:75, 150:155] = 2
    ids[0, 0] = 3
    items = label_items(ids, {1: "sky", 2: "post", 3: "dot", 4: "absent"}, size=10)
    assert [text for text, *_ in items] == ["sky", "post"]  # large first, tiny and absent left out
    (x, y), (post_x, post_y) = items[0][1], items[1][1]
    assert 50 <= x <= 70 and y == 50
    assert 150 <= post_x < 155 and post_y < 60


def test_names_on_large_pictures_are_placed_on_a_coarser_map():
    """The centre of the largest circle that fits, to some pixels, whatever the size; and the frame is an edge."""
    ids = np.zeros((1500, 2500), dtype=np.int32)
    ids[300:1101, 200:1001], ids[1200:, 1500:] = 7, 70_000
    (sky, (x, y), _), (_, (road_x, road_y), _) = label_items(ids, {7: "sky", 70_000: "road"}, size=40)
    assert sky == "sky" and abs(x - 600) <= 6 and abs(y - 700) <= 6
    assert 1640 <= road_x <= 2360 and abs(road_y - 1350) <= 6


def test_an_instance_that_another_hides_has_no_name(sample, monkeypatch):
    """Two queries found one car, as often happens; each name would stand on the other."""
    masks = np.zeros((3, 16, 24), dtype=bool)
    masks[0, 4:15, 2:13], masks[1, 5:15, 2:13], masks[2, 4:15, 16:] = True, True, True
    named = []
    monkeypatch.setattr(render_module, "draw_labels", lambda image, items, size: named.extend(items) or image)
    render_instances(sample.image, masks, [1, 1, 2], sample.categories, [0.9, 0.8, 0.7], scale=20)
    assert sorted(text for text, *_ in named) == ["car 0.80", "tree 0.70"]


def test_labels_do_not_cover_each_other_nor_leave_the_frame():
    grey = np.full((120, 200, 3), 128, dtype=np.uint8)
    alone = (draw_labels(grey, [("car", (100, 60), (100, 60))], 12) != grey).any(-1)
    rows = np.flatnonzero(alone.any(1))
    assert rows.min() >= 50 and rows.max() <= 70
    three = (draw_labels(grey, [("car", (100, 60), (100, 60))] * 3, 12) != grey).any(-1)
    four = (draw_labels(grey, [("car", (100, 60), (100, 60))] * 4, 12) != grey).any(-1)
    assert three.sum() > 2.8 * alone.sum()  # one in place, one above, one below
    np.testing.assert_array_equal(three, four)  # no room for a fourth
    corner = (draw_labels(grey, [("car", (0, 0), (0, 0))], 12) != grey).any(-1)
    assert corner.sum() == pytest.approx(alone.sum(), rel=0.05)


def test_a_label_beside_its_segment_leads_to_it():
    """Two thin posts close to each other: both names stand above, one over the other, each with a line to its own."""
    ids = np.zeros((120, 200), dtype=np.int32)
    ids[60:100, 90:95], ids[60:100, 105:110] = 1, 2
    grey = np.full((120, 200, 3), 128, dtype=np.uint8)
    items = label_items(ids, {1: "post", 2: "pole"}, size=12)
    found = (draw_labels(grey, items, 12) != grey).any(-1)
    for segment in (1, 2):
        assert found[ids == segment].any(), "nothing of its label reaches the segment"
    pills = place_labels(grey.shape[:2], items, 12)
    for _, (left, top, right, bottom), (x, y) in pills:
        assert ids[y, x] and not (left <= x <= right and top <= y <= bottom)
        below = found[round(bottom) + 1 : y, x]
        assert below.all(), "the line from the pill down to its segment"


def test_a_label_too_wide_for_the_picture_is_left_out():
    grey = np.full((20, 30, 3), 128, dtype=np.uint8)
    np.testing.assert_array_equal(draw_labels(grey, [("a very long name", (15, 10), (15, 10))], 12), grey)
