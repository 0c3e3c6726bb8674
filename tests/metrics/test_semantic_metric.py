"""mIoU by hand and against scikit-learn's confusion matrix."""

from __future__ import annotations

import numpy as np
import pytest
from references import perturb, reference_miou
from sklearn.metrics import confusion_matrix, f1_score, jaccard_score, recall_score

from oneformer_lite.data.sample import SegmentInfo
from oneformer_lite.errors import DataError
from oneformer_lite.metrics import SemanticMetric, semantic_labels


def test_scores_by_hand():
    metric = SemanticMetric(4)
    metric.update(np.array([[0, 0, 1, 2, 3, 1]]), np.array([[0, 0, 0, 1, 1, -1]]))
    metric.update(np.array([[1], [1]]), np.array([[1], [1]]))
    result = metric.compute()
    # class 0: 2 right of 3 annotated and 2 predicted: IoU 2/3, accuracy 2/3
    # class 1: 2 right of 4 annotated and 3 predicted (the one on -1 does not count): 2/5, 2/4
    # classes 2 and 3 are predicted only: no part of the means
    np.testing.assert_allclose(result.per_class_iou, [200 / 3, 40, np.nan, np.nan])
    np.testing.assert_allclose(result.per_class_accuracy, [200 / 3, 50, np.nan, np.nan])
    # dice: 2 x 2 of 3 + 2, 2 x 2 of 4 + 3
    np.testing.assert_allclose(result.per_class_dice, [80, 400 / 7, np.nan, np.nan])
    assert result.mdice == pytest.approx((80 + 400 / 7) / 2)
    assert result.miou == pytest.approx((200 / 3 + 40) / 2)
    assert result.fwiou == pytest.approx(3 / 7 * 200 / 3 + 4 / 7 * 40)
    assert result.mean_accuracy == pytest.approx((200 / 3 + 50) / 2)
    assert result.pixel_accuracy == pytest.approx(400 / 7)


def test_a_pixel_predicted_as_nothing_is_missed():
    metric = SemanticMetric(2)
    metric.update(np.array([[0, -1, 1, -1]]), np.array([[0, 0, 1, -1]]))
    # class 0: 1 of 2 annotated, IoU 1/2; class 1: perfect, so -1 is nobody's prediction
    np.testing.assert_allclose(metric.compute().per_class_iou, [50, 100])
    assert metric.confusion_matrix.tolist() == [[1, 0, 1], [0, 1, 0]]


def random_maps(num_classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    gt = rng.integers(-1, num_classes, (31, 47))
    pred = np.where(rng.random(gt.shape) < 0.6, gt, rng.integers(0, num_classes, gt.shape))
    return np.where(pred < 0, 0, pred), gt


def test_agrees_with_scikit_learn():
    pred, gt = random_maps(num_classes=7)
    metric = SemanticMetric(7)
    metric.update(pred.astype(np.uint8), gt.astype(np.int16))  # any integer type will do
    true, guess = gt[gt >= 0], pred[gt >= 0]
    np.testing.assert_array_equal(metric.confusion_matrix[:, :-1], confusion_matrix(true, guess))
    result = metric.compute()
    np.testing.assert_allclose(
        result.per_class_iou, 100 * jaccard_score(true, guess, average=None)
    )
    np.testing.assert_allclose(result.per_class_dice, 100 * f1_score(true, guess, average=None))
    assert result.mdice == pytest.approx(100 * f1_score(true, guess, average="macro"))
    assert result.miou == pytest.approx(100 * jaccard_score(true, guess, average="macro"))
    assert result.fwiou == pytest.approx(100 * jaccard_score(true, guess, average="weighted"))
    assert result.mean_accuracy == pytest.approx(100 * recall_score(true, guess, average="macro"))
    assert result.pixel_accuracy == pytest.approx(100 * (true == guess).mean())


def test_dice_is_what_counting_pixel_by_pixel_gives():
    """Pixels without annotation count for nobody, those predicted as nothing are missed, over several pictures."""
    pairs = [random_maps(6, seed) for seed in range(3)]
    pairs = [(np.where(pred == 4, -1, pred), np.where(gt == 5, 3, gt)) for pred, gt in pairs]  # 5 is predicted only
    metric = SemanticMetric(6)
    both, either = np.zeros(6), np.zeros(6)
    for pred, gt in pairs:
        metric.update(pred, gt)
        for p, g in zip(pred.ravel().tolist(), gt.ravel().tolist()):
            if g >= 0:
                both[g] += 2 * (p == g)
                either[g] += 1
                either[p] += p >= 0
    result = metric.compute()
    np.testing.assert_allclose(result.per_class_dice[:5], 100 * both[:5] / either[:5])
    assert np.isnan(result.per_class_dice[5]) and result.per_class_dice[4] == 0
    assert result.mdice == pytest.approx(100 * (both[:5] / either[:5]).mean())
    iou = result.per_class_iou[:5] / 100
    np.testing.assert_allclose(result.per_class_dice[:5], 200 * iou / (1 + iou))


def test_equal_miou_and_unequal_dice():
    """Classes of IoU 1/2, 1/2 and of IoU 1, 0: the means of dice are 2/3 and 1/2."""
    even, uneven = SemanticMetric(2), SemanticMetric(2)
    even.update(np.array([[0, -1, 1, -1]]), np.array([[0, 0, 1, 1]]))
    uneven.update(np.array([[0, 0, -1, -1]]), np.array([[0, 0, 1, 1]]))
    assert even.compute().miou == uneven.compute().miou == 50
    assert (even.compute().mdice, uneven.compute().mdice) == (pytest.approx(200 / 3), 50)


def test_agrees_with_the_definition_on_perturbed_coco_annotations(coco):
    annotations, categories = coco
    rng = np.random.default_rng(6)
    metric, pairs = SemanticMetric(len(categories)), []
    for gt_map, segments in annotations:
        pred, gt = semantic_labels(*perturb(gt_map, segments, rng, len(categories))), semantic_labels(gt_map, segments)
        pred[pred < 0] = pred.max()  # a semantic prediction has no void
        metric.update(pred, gt)
        pairs.append((pred, gt))
    result = metric.compute()
    assert result.miou == pytest.approx(reference_miou(pairs, len(categories)), abs=1e-9)
    right = sum((pred == gt)[gt != -1].sum() for pred, gt in pairs)
    assert result.pixel_accuracy == pytest.approx(100 * right / sum((gt != -1).sum() for _, gt in pairs), abs=1e-9)
    assert 20 < result.miou < 95


def test_merged_metrics_equal_one_over_all_images():
    whole, first, second = SemanticMetric(5), SemanticMetric(5), SemanticMetric(5)
    for part, seed in ((first, 1), (second, 2)):
        part.update(*random_maps(5, seed))
        whole.update(*random_maps(5, seed))
    first.merge(second)
    np.testing.assert_array_equal(first.confusion_matrix, whole.confusion_matrix)
    with pytest.raises(DataError, match="over 5 and 6 classes"):
        first.merge(SemanticMetric(6))


def test_nothing_annotated_is_nan():
    metric = SemanticMetric(3)
    metric.update(np.zeros((2, 2), int), np.full((2, 2), -1))
    result = metric.compute()
    assert np.isnan([result.miou, result.mdice, result.fwiou, result.mean_accuracy, result.pixel_accuracy]).all()
    for values in (result.per_class_iou, result.per_class_dice, result.per_class_accuracy):
        assert np.isnan(values).all() and len(values) == 3


@pytest.mark.parametrize(
    ("pred", "gt", "message"),
    [
        ([[0, 1]], [[0], [1]], r"\(1, 2\) and ground truth \(2, 1\) differ in size"),
        ([[0, 3]], [[0, 1]], "predicted labels run from 0 to 3, expected class ids from 0 to 2"),
        ([[0, 1]], [[0, 255]], "annotated labels run from 0 to 255"),
        ([[-2, 1]], [[0, 1]], "predicted labels run from -2 to 1"),
    ],
)
def test_maps_that_do_not_fit_are_refused(pred, gt, message):
    metric = SemanticMetric(3)
    with pytest.raises(DataError, match=message):
        metric.update(np.array(pred), np.array(gt))
    assert metric.confusion_matrix.sum() == 0


def test_labels_of_a_panoptic_annotation():
    segment_map = np.array([[0, 7, 7], [9, 8, 70000]], dtype=np.int32)
    segments = [SegmentInfo(7, 2), SegmentInfo(8, 2), SegmentInfo(70000, 0),
                SegmentInfo(9, 1, is_crowd=True)]  # fmt: skip
    labels = semantic_labels(segment_map, segments)
    assert labels.dtype == np.int64
    assert labels.tolist() == [[-1, 2, 2], [1, 2, 0]]  # void ignored, the crowd labelled
    assert semantic_labels(segment_map, segments, ignore=255)[0, 0] == 255
