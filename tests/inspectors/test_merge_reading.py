"""Merging from counted pixels against the merge itself, at any thresholds; fates and quality on hand-made masks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.data.sample import Category, Sample, SegmentInfo
from oneformer_lite.errors import ConfigError
from oneformer_lite.inference import RawPrediction, panoptic_inference, predict_raw
from oneformer_lite.inspectors.merge.reading import hold_contest, measure, merge, overlap_counts, tell
from oneformer_lite.metrics.overlaps import count_overlaps, match_overlaps
from oneformer_lite.metrics.panoptic import PanopticMetric

THINGS = (True, True, False)
NO_OBJECT = 3


def flat(classes: list[tuple[int, float]], rows: list[str]) -> RawPrediction:
    """One query for each (class, logit) and row of one picture line: # sure, + half sure, . outside."""
    logits = torch.zeros(len(classes), len(THINGS) + 1)
    for query, (class_id, value) in enumerate(classes):
        logits[query, class_id] = value
    value = {"#": 9.0, "+": 1.0, "-": -1.0, ".": -9.0}
    masks = torch.tensor([[[value[cell] for cell in row]] for row in rows])
    size = tuple(masks.shape[-2:])
    return RawPrediction(logits, masks, size, size, size)


def random_raw(seed: int) -> RawPrediction:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(10, len(THINGS) + 1, generator=generator)
    logits[4:6] = logits[2:4]  # equal scores enter together
    masks = 4 * torch.randn(10, 6, 8, generator=generator)
    masks[5] = masks[3]  # equal votes: the first query wins
    return RawPrediction(logits, masks, (24, 32), (21, 30), (37, 51))


@pytest.mark.parametrize("seed", range(6))
def test_every_threshold_gives_what_the_merge_gives(seed: int) -> None:
    raw = random_raw(seed)
    gt_map = np.random.default_rng(seed).integers(0, 4, raw.output).astype(np.int32) * 7
    contest = hold_contest(raw, THINGS, gt_map)
    for object_threshold in (0.0, 0.4, 0.6, 0.8, 0.95, 1.0, contest.candidates[0].score):
        for overlap_threshold in (0.0, 0.3, 0.8, 1.0):
            segment_map, segments = panoptic_inference(raw, THINGS, object_threshold, overlap_threshold)
            merged = merge(contest, object_threshold, overlap_threshold)
            assert list(merged.segments) == segments
            found = merged.segment_map(contest, contest.winners(merged.entered))
            np.testing.assert_array_equal(found, segment_map.numpy())
            assert overlap_counts(contest, merged) == count_overlaps(segment_map.numpy(), gt_map)


def test_fates_one_by_one() -> None:
    raw = flat(
        [(2, 5.0), (NO_OBJECT, 5.0), (0, 0.5), (0, 5.0), (1, 3.0), (0, 9.0), (2, 5.0)],
        ["###.......", "##########", "#.........", "...####...", "...+++....", ".....##...", ".......###"],
    )
    contest = hold_contest(raw, THINGS)
    assert [c.query for c in contest.candidates] == [0, 2, 3, 4, 5, 6] and list(contest.no_object) == [1]
    merged = merge(contest, 0.5, 0.8)
    fates = [(fate.name, fate.segment) for fate in merged.fates]
    assert fates == [("kept", 1), ("unsure", 0), ("covered", 0), ("unseen", 0), ("kept", 2), ("joined", 1)]
    assert merged.segment_map(contest, contest.winners(merged.entered)).tolist() == [[1, 1, 1, 0, 0, 2, 2, 1, 1, 1]]
    sentences = {query: tell(contest, merged, query, 0.5, 0.8) for query in range(7)}
    for query, words in {0: "becomes segment 1", 1: "no object", 2: "not above", 3: "share of 0.500, below",
                         4: "none of them", 6: "joins segment 1"}.items():  # fmt: skip
        assert words in sentences[query]
    kept = merge(contest, 0.5, 0.5)
    assert [segment[:2] for segment in kept.segments] == [(1, 2), (2, 0), (3, 0)]
    half = merge(contest, 0.5, 0.8, step=4)
    assert len(half.fates) == 4 and len(half.segments) == 1
    assert "yet to come" in tell(contest, half, 5, 0.5, 0.8)


def test_quality_by_hand() -> None:
    categories = tuple(Category(i + 1, f"c{i}", thing) for i, thing in enumerate(THINGS))
    ids = np.array([[1, 1, 1, 1, 2, 2, 0, 0, 3, 3]], dtype=np.int32)
    truth = (SegmentInfo(1, 0), SegmentInfo(2, 1), SegmentInfo(3, 2))
    sample = Sample(np.zeros((1, 10, 3), np.uint8), ids, truth, categories)
    raw = flat([(0, 9.0), (1, 9.0), (0, 9.0)], ["###.......", "....#.....", "........##"])
    contest = hold_contest(raw, THINGS, ids)
    matching, result = measure(contest, merge(contest, 0.5, 0.8), sample, categories)
    assert [pair.iou for pair in matching.matches] == [0.75] and len(matching.false_positives) == 2
    first = result.per_class[0]
    assert (first.tp, first.fp, first.fn, first.sq) == (1, 1, 0, 75) and first.pq == pytest.approx(50)
    assert result.pq == pytest.approx(50 / 3)  # the second class has IoU 0.5, not above; the third is missed
    matching, _ = measure(contest, merge(contest, 0.5, 0.8), sample, categories, min_iou=0.75)
    assert not matching.matches and len(matching.false_negatives) == 3
    with pytest.raises(ConfigError, match="could match twice"):
        match_overlaps({}, [], [], min_iou=0.4)


@pytest.mark.parametrize(("size", "index"), [(128, 3), (128, 0), (97, 2)])
def test_the_shipped_model_gives_the_same_map_and_metric(size: int, index: int) -> None:
    model, sample = ofl.from_pretrained("toytown"), ofl.data.Toytown("val", size, 8)[index]
    prediction = ofl.predict(model, sample.image, "panoptic")
    _, raw = predict_raw(model, sample.image, "panoptic")
    contest = hold_contest(raw, [c.is_thing for c in sample.categories], sample.segment_map)
    merged = merge(contest, model.config.object_mask_threshold, model.config.overlap_threshold)
    assert [(s.id, s.class_id, s.score) for s in prediction.segments] == list(merged.segments)
    winner = contest.winners(merged.entered)
    np.testing.assert_array_equal(merged.segment_map(contest, winner), prediction.segment_map)
    metric = PanopticMetric(sample.categories)
    matching = metric.update(prediction.segment_map, prediction.segments, sample.segment_map, sample.segments)
    assert measure(contest, merged, sample, sample.categories)[0] == matching
    assert repr(measure(contest, merged, sample, sample.categories)[1]) == repr(metric.compute())  # nan equals nan


def test_nothing_found() -> None:
    contest = hold_contest(flat([(NO_OBJECT, 9.0)], ["####"]), THINGS)
    merged = merge(contest, 0.0, 0.0)
    assert merged.segments == () and not merged.segment_map(contest, contest.winners(0)).any()
