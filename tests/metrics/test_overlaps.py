"""The matching rule on maps small enough to count by hand. Each map is one row of pixels."""

from __future__ import annotations

import numpy as np
import pytest

from oneformer_lite.data.sample import SegmentInfo
from oneformer_lite.errors import DataError
from oneformer_lite.metrics.overlaps import Pair, Unmatched, count_overlaps, match_segments

A, B = 0, 1  # class ids


def match(pred: str, pred_classes: dict[int, int], gt: str, gt_segments: list[SegmentInfo]):
    """``pred`` and ``gt`` spell the segment id of each pixel of a one-row image, 0 = void."""
    pred_map, gt_map = (np.array([[int(d) for d in digits]]) for digits in (pred, gt))
    predicted = [SegmentInfo(i, c) for i, c in pred_classes.items()]
    return match_segments(pred_map, predicted, gt_map, gt_segments)


def test_an_iou_of_one_half_is_no_match():
    # 2 pixels shared of 4: IoU 2/4 = 0.5
    result = match("1100", {1: A}, "3333", [SegmentInfo(3, A)])
    assert result.matches == ()
    assert result.false_positives == (Unmatched(1, A, 0.5),)
    assert result.false_negatives == (Unmatched(3, A, 0.5),)


def test_an_iou_above_one_half_is_a_match():
    # 3 pixels shared of 5: IoU 3/5
    result = match("11100", {1: A}, "33333", [SegmentInfo(3, A)])
    assert result.matches == (Pair(pred_id=1, gt_id=3, class_id=A, iou=3 / 5),)
    assert (result.false_positives, result.false_negatives, result.ignored) == ((), (), ())


def test_segments_of_different_classes_do_not_match():
    result = match("1111", {1: B}, "3333", [SegmentInfo(3, A)])
    assert result.matches == ()
    assert result.false_positives == (Unmatched(1, B, 0.0),)
    assert result.false_negatives == (Unmatched(3, A, 0.0),)


def test_predicted_pixels_on_void_stay_out_of_the_union():
    # shared 3, predicted 8, annotated 4, of the predicted 4 on void: 3 / (8 + 4 - 3 - 4) = 3/5;
    # with void in the union it would be 3/9 and no match
    result = match("111111110", {1: A}, "333200003", [SegmentInfo(3, A), SegmentInfo(2, B)])
    assert result.matches == (Pair(1, 3, A, 3 / 5),)


def test_pixels_predicted_as_void_stay_in_the_union():
    # 2 of 5 annotated pixels found. Leaving out those predicted as void would make it 2/2.
    result = match("11000", {1: A}, "33333", [SegmentInfo(3, A)])
    assert result.false_negatives == (Unmatched(3, A, 2 / 5),)


def test_the_unmatched_report_their_best_overlap():
    # prediction 1 shares 2 of 7 pixels with segment 3, and 1 of 7 with segment 4
    result = match("1110000", {1: A}, "3343344", [SegmentInfo(3, A), SegmentInfo(4, A)])
    assert result.false_positives == (Unmatched(1, A, 2 / 5),)  # 3 + 4 - 2 = 5
    assert result.false_negatives == (Unmatched(3, A, 2 / 5), Unmatched(4, A, 1 / 5))


@pytest.mark.parametrize(
    ("gt", "ignored"),
    [
        ("00002222", False),  # 4 of 8 on void: exactly half is not more than half
        ("00000222", True),  # 5 of 8
        ("55552222", False),  # 4 of 8 on the crowd of its class
        ("55555222", True),
        ("00555222", True),  # 2 on void and 3 on the crowd: together 5 of 8
        ("66666222", False),  # a crowd of another class excuses nothing
        ("66600222", False),
    ],
)
def test_a_prediction_mostly_on_void_or_crowd_is_ignored(gt: str, ignored: bool):
    present = [
        s
        for s in (SegmentInfo(2, B), SegmentInfo(5, A, True), SegmentInfo(6, B, True))
        if str(s.id) in gt
    ]
    result = match("11111111", {1: A}, gt, present)
    lone = (Unmatched(1, A, 0.0),)
    assert (result.ignored, result.false_positives) == ((lone, ()) if ignored else ((), lone))


def test_a_crowd_is_neither_matched_nor_missed():
    crowd = [SegmentInfo(5, A, is_crowd=True)]
    found = match("1111", {1: A}, "5555", crowd)
    assert (found.matches, found.false_negatives) == ((), ())
    assert found.ignored == (Unmatched(1, A, 0.0),)
    overlooked = match("0000", {}, "5555", crowd)
    assert overlooked.false_negatives == ()


def test_of_several_crowds_of_a_class_the_last_listed_counts():
    # panopticapi keeps one crowd per class: 3 of 8 pixels are on segment 5, 5 on segment 6
    five, six = SegmentInfo(5, A, True), SegmentInfo(6, A, True)
    assert match("11111111", {1: A}, "55566666", [five, six]).ignored
    assert match("11111111", {1: A}, "55566666", [six, five]).false_positives


def test_an_annotated_segment_without_pixels_is_missed():
    result = match("1111", {1: A}, "3333", [SegmentInfo(3, A), SegmentInfo(4, A)])
    assert result.false_negatives == (Unmatched(4, A, 0.0),)


def test_two_empty_images_agree():
    result = match("0000", {}, "0000", [])
    assert result.matches + result.false_positives + result.false_negatives + result.ignored == ()


def test_overlaps_are_counted_across_rows_and_for_the_largest_ids():
    rng = np.random.default_rng(0)
    ids = np.array([0, 1, 2, 255, 256**3 - 1, 2**31 - 1], dtype=np.int32)
    pred = ids[rng.integers(0, len(ids), (23, 17))]
    gt = ids[rng.integers(0, len(ids), (23, 17))].astype(np.int64)
    expected = {
        (int(p), int(g)): int(((pred == p) & (gt == g)).sum()) for p in ids for g in ids
    }
    assert count_overlaps(pred, gt) == {pair: n for pair, n in expected.items() if n}
    assert count_overlaps(np.ones((4, 5), int), np.zeros((4, 5), int)) == {(1, 0): 20}
    assert count_overlaps(np.zeros((4, 5), int), np.zeros((4, 5), int)) == {(0, 0): 20}


@pytest.mark.parametrize(
    ("pred", "pred_classes", "gt", "message"),
    [
        ("1120", {1: A}, "3333", r"ids \[2\] are on the predicted segment map but not in the list"),
        ("1100", {1: A, 2: A}, "3333", r"predicted segments \[2\] have no pixels"),
        ("1100", {1: A}, "3344", r"ids \[4\] are on the ground-truth segment map"),
        ("1100", {1: A, 0: A}, "3333", r"must be unique and not 0 \(void\), got \[1, 0\]"),
        ("110", {1: A}, "3333", r"one size, got \(1, 3\) predicted and \(1, 4\) annotated"),
    ],
)
def test_maps_and_lists_that_disagree_are_refused(pred, pred_classes, gt, message):
    with pytest.raises(DataError, match=message):
        match(pred, pred_classes, gt, [SegmentInfo(3, A)])


def test_repeated_and_negative_ids_are_refused():
    one = np.ones((2, 2), dtype=np.int32)
    segment = SegmentInfo(1, A)
    with pytest.raises(DataError, match="ground-truth segment ids must be unique"):
        match_segments(one, [segment], one, [segment, segment])
    with pytest.raises(DataError, match="negative"):
        match_segments(-one, [segment], one, [segment])
