"""AP by hand, and against pycocotools reading files."""

from __future__ import annotations

import json

import numpy as np
import pytest
from references import coco_ap, perturb, read_panoptic, write_instance_json

from oneformer_lite.data.instance import encode_mask
from oneformer_lite.data.sample import Category, SegmentInfo
from oneformer_lite.errors import DataError
from oneformer_lite.metrics import InstanceMetric
from oneformer_lite.metrics.results import instance_results

CATEGORIES = (Category(3, "car", True), Category(5, "sky", False), Category(11, "dog", True))
CAR, SKY, DOG = range(3)


def strips(*widths: int, height: int = 20) -> np.ndarray:
    """Masks [n, height, sum of widths]: vertical strips side by side."""
    edges = np.cumsum((0, *widths))
    masks = np.zeros((len(widths), height, edges[-1]), dtype=bool)
    for mask, left, right in zip(masks, edges[:-1], edges[1:], strict=True):
        mask[:, left:right] = True
    return masks


def evaluate(masks, class_ids, scores, ground_truth, gt_segments):
    metric = InstanceMetric(CATEGORIES)
    metric.update(1, np.asarray(masks), class_ids, scores, ground_truth, gt_segments)
    return metric.compute()


def test_perfect_masks_score_100(capsys):
    masks = strips(10, 20, 30)
    segments = [SegmentInfo(1, CAR), SegmentInfo(2, SKY), SegmentInfo(3, DOG)]
    segment_map = np.tensordot([1, 2, 3], masks, axes=1)
    result = evaluate(masks[[0, 2]], [CAR, DOG], [0.9, 0.8], segment_map, segments)
    assert (result.ap, result.ap50, result.ap75) == pytest.approx((100, 100, 100))
    assert result.per_class == pytest.approx({CAR: 100, DOG: 100})
    assert capsys.readouterr().out == ""  # pycocotools is kept quiet


def test_half_of_the_instances_found():
    # precision 1 up to recall 1/2: 51 of the 101 recalls 0, 0.01, ... 1
    masks = strips(20, 20)
    result = evaluate(masks[:1], [CAR], [0.9], masks, [SegmentInfo(1, CAR), SegmentInfo(2, CAR)])
    assert result.ap == pytest.approx(100 * 51 / 101)


def test_a_better_scored_false_positive_halves_precision():
    masks = strips(20, 20)
    segments = [SegmentInfo(2, CAR)]
    worse = evaluate(masks, [CAR, CAR], [0.9, 0.8], masks[1:], segments)
    assert worse.ap == pytest.approx(50)  # precision 1/2 at every recall
    better = evaluate(masks, [CAR, CAR], [0.7, 0.8], masks[1:], segments)
    assert better.ap == pytest.approx(100)  # the instance is found before the mistake


@pytest.mark.parametrize(
    ("columns", "ap", "ap50", "ap75"),
    [(48, 0, 0, 0), (52, 10, 100, 0), (62, 30, 100, 0), (72, 50, 100, 0), (77, 60, 100, 100)],
)
def test_the_iou_decides_how_many_thresholds_are_met(columns, ap, ap50, ap75):
    # so many of 100 columns: IoU 0.62, say, meets 0.50, 0.55 and 0.60 of the ten thresholds
    mask = strips(columns, 100 - columns)[:1]
    result = evaluate(mask, [CAR], [1.0], strips(100), [SegmentInfo(1, CAR)])
    assert (result.ap, result.ap50, result.ap75) == pytest.approx((ap, ap50, ap75))


def test_a_crowd_absorbs_predictions_without_cost():
    crowd, car = strips(60, 20)
    inside = np.stack([crowd & (np.arange(80) < 15), crowd & (np.arange(80) > 40), car])
    segments = [SegmentInfo(1, CAR, is_crowd=True), SegmentInfo(2, CAR)]
    result = evaluate(inside, [CAR] * 3, [0.9, 0.8, 0.7], np.stack([crowd, car]), segments)
    assert result.ap == pytest.approx(100)
    annotated_singly = [SegmentInfo(1, CAR), SegmentInfo(2, CAR)]
    result = evaluate(inside, [CAR] * 3, [0.9, 0.8, 0.7], np.stack([crowd, car]), annotated_singly)
    assert result.ap < 50


def test_sizes_part_at_32_and_96_pixels_squared():
    # 20 rows high: 51 columns are 1020 < 32^2 pixels, 52 are 1040 > 32^2; 461 are 9220 > 96^2
    segments = [SegmentInfo(i, CAR) for i in (1, 2, 3)]
    masks = strips(51, 52, 461)
    result = evaluate(masks[[0, 2]], [CAR, CAR], [0.9, 0.8], masks, segments)
    assert (result.ap_small, result.ap_medium, result.ap_large) == pytest.approx((100, 0, 100))
    result = evaluate(masks[:1], [CAR], [0.9], masks[:1], segments[:1])
    assert result.ap_small == pytest.approx(100)
    assert np.isnan([result.ap_medium, result.ap_large]).all()


def test_only_the_100_best_masks_of_an_image_count():
    wrong, right = strips(20, 20)
    masks = np.stack([wrong] * 100 + [right])
    scores = np.linspace(1, 0.5, 101)
    segment = [SegmentInfo(1, CAR)]
    assert evaluate(masks, [CAR] * 101, scores, right[None], segment).ap == 0
    assert evaluate(masks[1:], [CAR] * 100, scores[1:], right[None], segment).ap > 0


def test_overlapping_instances():
    below = strips(60, 20)[0]
    above = np.zeros_like(below)
    above[5:15, 30:70] = True
    masks = np.stack([below, above])
    segments = [SegmentInfo(4, CAR), SegmentInfo(5, CAR)]
    result = evaluate(masks, [CAR, CAR], [0.9, 0.8], masks, segments)
    assert result.ap == pytest.approx(100)


def test_stuff_is_left_out_on_both_sides():
    masks = strips(30, 30)
    segments = [SegmentInfo(1, CAR), SegmentInfo(2, SKY)]
    result = evaluate(masks, [CAR, SKY], [0.8, 0.9], masks, segments)
    assert result.ap == pytest.approx(100)
    assert set(result.per_class) == {CAR, DOG}
    assert np.isnan(result.per_class[DOG])  # never annotated: not in the mean either


def test_no_predictions_and_no_ground_truth():
    masks, nothing = strips(30, 30), np.zeros((0, 20, 60), dtype=bool)
    missed = evaluate(nothing, [], [], masks, [SegmentInfo(1, CAR), SegmentInfo(2, CAR)])
    assert (missed.ap, missed.ap50, missed.per_class[CAR]) == (0, 0, 0)
    unasked = evaluate(masks, [CAR, DOG], [0.9, 0.8], nothing, [])
    assert np.isnan([unasked.ap, unasked.ap50, unasked.ap_small]).all()
    assert np.isnan(InstanceMetric(CATEGORIES).compute().ap)


def scene(seed: int):
    """A segment map with a crowd and stuff, and shifted, mislabelled, superfluous predictions."""
    rng = np.random.default_rng(seed)
    gt_map = np.zeros((80, 110), dtype=np.int32)
    for segment_id in range(1, 9):
        top, left = rng.integers(0, 60), rng.integers(0, 90)
        gt_map[top : top + rng.integers(8, 50), left : left + rng.integers(8, 50)] = segment_id
    ids = [i for i in np.unique(gt_map).tolist() if i]
    segments = [SegmentInfo(i, int(rng.integers(3)), is_crowd=i == ids[0]) for i in ids]
    sources = segments * 2  # two predictions for each segment
    masks = [np.roll(gt_map == s.id, rng.integers(-3, 4, 2), (0, 1)) for s in sources]
    classes = [s.class_id if rng.random() < 0.8 else CAR for s in sources]
    return np.stack(masks), classes, rng.random(len(masks)).tolist(), gt_map, segments


def test_agrees_with_pycocotools_reading_files(tmp_path):
    metric, predictions, annotations = InstanceMetric(CATEGORIES), [], []
    for image_id in range(12):
        masks, classes, scores, gt_map, segments = scene(image_id)
        metric.update(image_id, masks, classes, scores, gt_map, segments)
        predictions += instance_results(image_id, masks, classes, scores, CATEGORIES)
        for s in segments:
            if CATEGORIES[s.class_id].is_thing:
                mask = gt_map == s.id
                annotations.append({
                    "id": len(annotations) + 1, "image_id": image_id, "iscrowd": int(s.is_crowd),
                    "category_id": CATEGORIES[s.class_id].id, "area": int(mask.sum()),
                    "segmentation": encode_mask(mask),
                })  # fmt: skip
    images = [{"id": i, "height": 80, "width": 110} for i in range(12)]
    categories = [{"id": c.id, "name": c.name} for c in CATEGORIES if c.is_thing]
    (tmp_path / "gt.json").write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories})
    )
    (tmp_path / "predictions.json").write_text(json.dumps(predictions))
    stats = coco_ap(tmp_path / "gt.json", tmp_path / "predictions.json")

    result = metric.compute()
    found = (result.ap, result.ap50, result.ap75, result.ap_small, result.ap_medium)
    np.testing.assert_allclose(found, stats[:5], atol=1e-9)
    assert np.isnan(result.ap_large) and stats[5] == -100  # pycocotools writes -1 for none
    assert 5 < result.ap < 90 and result.ap < result.ap50
    assert result.ap == pytest.approx(np.mean(list(result.per_class.values())))


@pytest.mark.parametrize("split", ["train2017", "val2017"])
def test_agrees_with_pycocotools_on_perturbed_coco_annotations(coco_sample, tmp_path, split):
    """Ground truth derived from the panoptic files, as for the published AP; scores leave pycocotools no ties."""
    folder = coco_sample / "annotations" / f"panoptic_{split}"
    images, categories = read_panoptic(folder.with_suffix(".json"), folder)
    rng = np.random.default_rng(5)
    metric, predictions = InstanceMetric(categories), []
    for image_id, (gt_map, segments) in images.items():
        pred_map, found = perturb(gt_map, segments, rng, len(categories))
        things = [s for s in found if categories[s.class_id].is_thing]
        masks = np.stack([np.zeros_like(pred_map, bool), *(pred_map == s.id for s in things)])  # one is empty
        classes = [0, *(s.class_id for s in things)]
        scores = rng.random(len(masks)).astype(np.float32)
        metric.update(image_id, masks, classes, scores, gt_map, segments)
        predictions += instance_results(image_id, masks, classes, scores, categories)
    (tmp_path / "results.json").write_text(json.dumps(predictions))
    gt = write_instance_json(folder.with_suffix(".json"), folder, tmp_path / "gt.json")
    result = metric.compute()
    found = (result.ap, result.ap50, result.ap75, result.ap_small, result.ap_medium, result.ap_large)
    np.testing.assert_allclose(found, coco_ap(gt, tmp_path / "results.json"), rtol=0, atol=1e-9)
    assert 10 < result.ap < result.ap50 < 90


def test_merged_metrics_equal_one_over_all_images():
    whole, first, second = (InstanceMetric(CATEGORIES) for _ in range(3))
    for image_id, part in enumerate((first, second, second, first)):
        image = scene(image_id)
        whole.update(image_id, *image)
        part.update(image_id, *image)
    first.merge(second)
    np.testing.assert_allclose(
        [first.compute().ap, first.compute().ap50], [whole.compute().ap, whole.compute().ap50]
    )
    with pytest.raises(DataError, match=r"both metrics saw the images \[1, 2\]"):
        first.merge(second)
    with pytest.raises(DataError, match="different categories"):
        first.merge(InstanceMetric(CATEGORIES[:1]))


def test_computing_does_not_change_what_was_collected():
    metric = InstanceMetric(CATEGORIES)
    metric.update(0, *scene(0))
    before = metric.compute().ap
    metric.update(1, *scene(1))
    fresh = InstanceMetric(CATEGORIES)
    fresh.update(0, *scene(0))
    assert before == fresh.compute().ap
    fresh.update(1, *scene(1))
    assert metric.compute().ap == fresh.compute().ap


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_ids": [CAR]}, r"got masks \(2, 20, 40\), 1 class ids and 2 scores"),
        ({"class_ids": [CAR, 3]}, "unknown class id 3, expected an index into the 3 categories"),
        ({"ground_truth": np.ones((20, 41), int)}, r"of the predicted size \(20, 40\)"),
        ({"ground_truth": strips(20, 20)[:1]}, "one mask for each of 2 segments, got 1"),
        ({"masks": strips(20, 20)[0]}, r"expected masks \[n, H, W\]"),
        ({"image_id": 7}, "image id 7 came twice"),
    ],
)
def test_images_that_do_not_fit_are_refused(changes, message):
    metric = InstanceMetric(CATEGORIES)
    nothing = np.zeros((0, 20, 40), dtype=bool)
    metric.update(7, nothing, [], [], nothing, [])
    image = {
        "image_id": 8, "masks": strips(20, 20), "class_ids": [CAR, CAR], "scores": [0.9, 0.8],
        "ground_truth": strips(20, 20),
        "gt_segments": [SegmentInfo(1, CAR), SegmentInfo(2, CAR)],
    }  # fmt: skip
    with pytest.raises(DataError, match=message):
        metric.update(**(image | changes))
    assert np.isnan(metric.compute().ap)  # nothing was added
