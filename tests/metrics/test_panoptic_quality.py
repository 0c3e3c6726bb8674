"""PQ, SQ and RQ by hand, and against panopticapi's algorithm written a second time."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

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


def reference_quality(images, categories) -> dict[str, float]:
    """panopticapi's definition, segment by segment and mask by mask."""
    iou_sum, tp, fp, fn = (np.zeros(len(categories)) for _ in range(4))
    for pred_map, pred_segments, gt_map, gt_segments in images:
        labelled = gt_map != 0
        crowd = {s.class_id: gt_map == s.id for s in gt_segments if s.is_crowd}  # the last stays
        found = set()
        for gt in (s for s in gt_segments if not s.is_crowd):
            gt_mask = gt_map == gt.id
            missed = True
            for pred in (s for s in pred_segments if s.class_id == gt.class_id):
                pred_mask = pred_map == pred.id
                iou = (pred_mask & gt_mask).sum() / (pred_mask & labelled | gt_mask).sum()
                if iou > 0.5:
                    iou_sum[gt.class_id] += iou
                    tp[gt.class_id] += 1
                    found.add(pred.id)
                    missed = False
            fn[gt.class_id] += missed
        for pred in (s for s in pred_segments if s.id not in found):
            pred_mask = pred_map == pred.id
            neutral = ~labelled | crowd.get(pred.class_id, False)
            fp[pred.class_id] += pred_mask[neutral].sum() / pred_mask.sum() <= 0.5
    seen = tp + fp + fn > 0
    is_thing = np.array([c.is_thing for c in categories])
    with np.errstate(invalid="ignore"):
        pq = iou_sum / (tp + fp / 2 + fn / 2)
        sq = iou_sum / np.maximum(tp, 1)
        rq = tp / (tp + fp / 2 + fn / 2)
    groups = {"": seen, "_things": seen & is_thing, "_stuff": seen & ~is_thing}
    return {
        name + group: 100 * values[chosen].mean()
        for group, chosen in groups.items()
        for name, values in (("pq", pq), ("sq", sq), ("rq", rq))
    }


def as_dict(metric: PanopticMetric) -> dict[str, float]:
    return {k: v for k, v in vars(metric.compute()).items() if k != "per_class"}


def measured(images, categories) -> tuple[dict[str, float], dict[str, int]]:
    """The metric's result, and how many segments met each fate."""
    metric = PanopticMetric(categories)
    fates = dict.fromkeys(("matches", "false_positives", "false_negatives", "ignored"), 0)
    for image in images:
        matching = metric.update(*image)
        fates = {fate: n + len(getattr(matching, fate)) for fate, n in fates.items()}
    return as_dict(metric), fates


def perturb(gt_map, gt_segments, rng, num_classes):
    """A prediction made from an annotation: shifted, merged, split, dropped, mislabelled."""
    pred_map = gt_map.astype(np.int64)
    classes = {s.id: s.class_id for s in gt_segments}
    for segment_id in list(classes):
        fate = rng.choice(["keep", "drop", "merge", "split", "mislabel", "void"],
                          p=[0.4, 0.12, 0.12, 0.12, 0.12, 0.12])  # fmt: skip
        mask = pred_map == segment_id
        if fate == "drop":
            pred_map[mask] = 0
        elif fate == "merge":
            pred_map[mask] = rng.choice(list(classes))
        elif fate == "split":
            half = mask & (rng.permutation(gt_map.shape[1]) < 0.3 * gt_map.shape[1])
            new_id = max(classes) + 1
            pred_map[half] = new_id
            classes[new_id] = classes[segment_id]
        elif fate == "mislabel":
            classes[segment_id] = int(rng.integers(num_classes))
        elif fate == "void":
            pred_map[(gt_map == 0) & (rng.random() < 0.5)] = segment_id
    pred_map = np.roll(pred_map, rng.integers(-6, 7, 2), axis=(0, 1))
    present = set(np.unique(pred_map).tolist())
    return pred_map, [SegmentInfo(i, c) for i, c in classes.items() if i in present]


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
    assert result == pytest.approx(reference_quality(images, CATEGORIES), abs=1e-9)


def test_merged_metrics_equal_one_over_all_images():
    rng = np.random.default_rng(2)
    whole, first, second = (PanopticMetric(CATEGORIES) for _ in range(3))
    for i in range(10):
        gt = random_annotation(rng, len(CATEGORIES))
        image = (*perturb(*gt, rng, len(CATEGORIES)), *gt)
        whole.update(*image)
        (first, second)[i % 2].update(*image)
    first.merge(second)
    assert as_dict(first) == pytest.approx(as_dict(whole), abs=1e-12)
    with pytest.raises(DataError, match="different categories"):
        first.merge(PanopticMetric(CATEGORIES[:3]))


@pytest.fixture(scope="module")
def coco(coco_sample):
    """The 120 annotations as (segment map, segments), read here without the package's reader."""
    annotations = []
    for split in ("train2017", "val2017"):
        content = json.loads((coco_sample / f"annotations/panoptic_{split}.json").read_text())
        categories = [Category(c["id"], c["name"], bool(c["isthing"]))
                      for c in content["categories"]]  # fmt: skip
        class_ids = {c.id: i for i, c in enumerate(categories)}
        for entry in content["annotations"]:
            path = coco_sample / f"annotations/panoptic_{split}" / entry["file_name"]
            gt_map = np.array(Image.open(path), dtype=np.int32) @ [1, 256, 256**2]
            segments = [SegmentInfo(s["id"], class_ids[s["category_id"]], bool(s["iscrowd"]))
                        for s in entry["segments_info"]]  # fmt: skip
            annotations.append((gt_map, segments))
    return annotations, categories


def test_coco_annotations_against_themselves_are_perfect(coco):
    annotations, categories = coco
    images = [
        (gt_map, [replace(s, is_crowd=False) for s in segments], gt_map, segments)
        for gt_map, segments in annotations
    ]
    result, fates = measured(images, categories)
    assert result == pytest.approx(dict.fromkeys(result, 100.0), abs=1e-9)
    num_crowds = sum(s.is_crowd for _, segments in annotations for s in segments)
    assert fates["ignored"] == num_crowds > 0
    assert fates["false_positives"] == fates["false_negatives"] == 0


def test_agrees_with_the_reference_on_perturbed_coco_annotations(coco):
    annotations, categories = coco
    rng = np.random.default_rng(3)
    images = [(*perturb(*gt, rng, len(categories)), *gt) for gt in annotations]
    result, fates = measured(images, categories)
    assert min(fates.values()) > 5, fates
    assert result == pytest.approx(reference_quality(images, categories), abs=1e-9)
    assert 20 < result["pq"] < 80  # neither trivial nor hopeless
