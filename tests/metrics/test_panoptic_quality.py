"""PQ, SQ and RQ by hand, and against panopticapi's algorithm written a second time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from references import perturb, reference_quality

from oneformer_lite.data.sample import Category, SegmentInfo
from oneformer_lite.errors import DataError
from oneformer_lite.metrics import PanopticMetric

CATEGORIES = (
    Category(1, "car", is_thing=True),
    Category(2, "dog", is_thing=True),
    Category(7, "sky", is_thing=False),
    Category(9, "road", is_thing=False),
)
CAR, DOG, SKY, ROAD = range(4)


def row(digits: str) -> np.ndarray:
    return np.array([[int(d) for d in digits]], dtype=np.int32)


def test_quality_by_hand():
    metric = PanopticMetric(CATEGORIES)
    #               cars 1, 2; sky 3; void 0
    gt = row("1111" "222222" "33333333" "00")
    gt_segments = [SegmentInfo(1, CAR), SegmentInfo(2, CAR), SegmentInfo(3, SKY)]
    # 7 is car 1 without a pixel: IoU 3/4. 8 covers 2 of the 6 pixels of car 2: false positive and
    # false negative. 9 is sky: 6 of 8. 5 is dog on 2 pixels of sky: false positive.
    pred = row("7770" "880000" "99999955" "00")
    pred_segments = [SegmentInfo(7, CAR), SegmentInfo(8, CAR), SegmentInfo(9, SKY),
                     SegmentInfo(5, DOG)]  # fmt: skip
    metric.update(pred, pred_segments, gt, gt_segments)
    result = metric.compute()

    car, dog, sky, road = result.per_class
    assert (car.tp, car.fp, car.fn, car.iou_sum) == (1, 1, 1, 0.75)
    assert (dog.tp, dog.fp, dog.fn, dog.iou_sum) == (0, 1, 0, 0.0)
    assert (sky.tp, sky.fp, sky.fn, sky.iou_sum) == (1, 0, 0, 0.75)
    assert (road.tp, road.fp, road.fn) == (0, 0, 0) and not road.seen
    # car: SQ 3/4, RQ 1/(1 + 1/2 + 1/2) = 1/2, PQ 3/8; dog: all 0; sky: SQ 3/4, RQ 1, PQ 3/4
    assert [(c.pq, c.sq, c.rq) for c in result.per_class] == [
        (37.5, 75, 50), (0, 0, 0), (75, 75, 100), (0, 0, 0)]  # fmt: skip
    # means over the three classes seen (road is not): PQ (37.5 + 0 + 75) / 3 and so on
    assert (result.pq, result.sq, result.rq) == pytest.approx((37.5, 50, 50))
    assert (result.pq_things, result.sq_things, result.rq_things) == (18.75, 37.5, 25)
    assert (result.pq_stuff, result.sq_stuff, result.rq_stuff) == (75, 75, 100)


def test_counts_are_summed_over_images_before_the_quotient():
    metric = PanopticMetric(CATEGORIES)
    car = [SegmentInfo(1, CAR)]
    metric.update(row("1111"), car, row("1111"), car)  # IoU 1
    metric.update(row("1110"), car, row("1111"), car)  # IoU 3/4
    metric.update(row("0000"), [], row("1111"), car)  # missed
    # (1 + 3/4) / (2 + 1/2) = 0.7; the mean of the images' PQ would be (1 + 3/4 + 0) / 3
    assert metric.compute().pq == pytest.approx(70)
    assert metric.compute().sq == pytest.approx(87.5)
    assert metric.compute().rq == pytest.approx(80)


def test_without_any_segment_the_result_is_nan():
    metric = PanopticMetric(CATEGORIES)
    assert np.isnan(metric.compute().pq)
    metric.update(row("1"), [SegmentInfo(1, CAR)], row("1"), [SegmentInfo(1, CAR)])
    assert metric.compute().pq_things == 100
    assert np.isnan(metric.compute().pq_stuff)


def test_an_unknown_class_changes_nothing():
    metric = PanopticMetric(CATEGORIES)
    good, bad = SegmentInfo(1, CAR), SegmentInfo(1, 4)
    for pred, gt in ((bad, good), (good, bad), (replace(bad, class_id=-1), good)):
        with pytest.raises(DataError, match="expected an index into the 4 categories"):
            metric.update(row("11"), [pred], row("11"), [gt])
    assert not any(c.seen for c in metric.compute().per_class)


def as_dict(metric: PanopticMetric) -> dict:
    """All numbers of the result; ``per_class`` as [K, 3], nan where the class was not seen."""
    result = vars(metric.compute())
    rows = [(c.pq, c.sq, c.rq) if c.seen else (np.nan,) * 3 for c in result["per_class"]]
    return result | {"per_class": np.array(rows)}


def assert_equal(result: dict, expected: dict) -> None:
    assert result.keys() == expected.keys()
    for name in expected:
        np.testing.assert_allclose(result[name], expected[name], rtol=0, atol=1e-9, err_msg=name)


def measured(images, categories) -> tuple[dict, dict[str, int]]:
    """The metric's result, and how many segments met each fate."""
    metric = PanopticMetric(categories)
    fates = dict.fromkeys(("matches", "false_positives", "false_negatives", "ignored"), 0)
    for image in images:
        matching = metric.update(*image)
        fates = {fate: n + len(getattr(matching, fate)) for fate, n in fates.items()}
    return as_dict(metric), fates


def random_annotation(rng, num_classes):
    """Rectangles over void, some of them crowds, on a small non-square map."""
    gt_map = np.zeros((23, 31), dtype=np.int32)
    for segment_id in range(1, 12):
        top, left = rng.integers(0, 20), rng.integers(0, 28)
        gt_map[top : top + rng.integers(2, 14), left : left + rng.integers(2, 14)] = segment_id
    ids = [i for i in np.unique(gt_map).tolist() if i]
    return gt_map, [SegmentInfo(i, int(rng.integers(num_classes)), bool(rng.random() < 0.2))
                    for i in ids]  # fmt: skip


def test_agrees_with_the_reference_on_random_maps():
    rng = np.random.default_rng(1)
    images = []
    for _ in range(150):
        gt = random_annotation(rng, len(CATEGORIES))
        images.append((*perturb(*gt, rng, len(CATEGORIES)), *gt))
    result, fates = measured(images, CATEGORIES)
    assert min(fates.values()) > 50, fates  # every branch has been taken
    assert_equal(result, reference_quality(images, CATEGORIES))


def test_merged_metrics_equal_one_over_all_images():
    rng = np.random.default_rng(2)
    whole, first, second = (PanopticMetric(CATEGORIES) for _ in range(3))
    for i in range(10):
        gt = random_annotation(rng, len(CATEGORIES))
        image = (*perturb(*gt, rng, len(CATEGORIES)), *gt)
        whole.update(*image)
        (first, second)[i % 2].update(*image)
    first.merge(second)
    assert_equal(as_dict(first), as_dict(whole))
    with pytest.raises(DataError, match="different categories"):
        first.merge(PanopticMetric(CATEGORIES[:3]))


def test_coco_annotations_against_themselves_are_perfect(coco):
    annotations, categories = coco
    images = [
        (gt_map, [replace(s, is_crowd=False) for s in segments], gt_map, segments)
        for gt_map, segments in annotations
    ]
    result, fates = measured(images, categories)
    present = {s.class_id for _, segments in annotations for s in segments if not s.is_crowd}
    expected = np.full((len(categories), 3), np.nan)
    expected[list(present)] = 100
    assert_equal(result, dict.fromkeys(result, 100.0) | {"per_class": expected})
    num_crowds = sum(s.is_crowd for _, segments in annotations for s in segments)
    assert fates["ignored"] == num_crowds > 0
    assert fates["false_positives"] == fates["false_negatives"] == 0


def test_agrees_with_the_reference_on_perturbed_coco_annotations(coco):
    annotations, categories = coco
    rng = np.random.default_rng(3)
    images = [(*perturb(*gt, rng, len(categories)), *gt) for gt in annotations]
    result, fates = measured(images, categories)
    assert min(fates.values()) > 5, fates
    assert_equal(result, reference_quality(images, categories))
    assert 20 < result["pq"] < 80  # neither trivial nor hopeless
