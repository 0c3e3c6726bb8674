"""Mask DINO's rules: sigmoids decide who takes part, their tempered softmax who wins; against recorded numbers.

``merge.*``: what its ``panoptic_inference``, ``semantic_inference`` and ``instance_inference`` make of a hundred random
cases (:func:`merged`) of nine queries, six classes of which three are things, and 12 x 16 pixels: segment maps, how
many segments and of which classes, best classes, sums of the class scores, the number of instances with their eight
best scores, and the boxes of the best three as corners.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from oneformer_lite import config
from oneformer_lite.config import MaskDinoConfig
from oneformer_lite.data.sample import Category
from oneformer_lite.inference import RawPrediction
from oneformer_lite.inference.naming import read_prediction
from oneformer_lite.inference.postprocessing import semantic_inference
from oneformer_lite.inference.rules import instances, panoptic_segments
from oneformer_lite.inspectors.merge.reading import hold_contest, merge

RECORDED = np.load(Path(__file__).parents[1] / "model" / "recorded" / "mask_dino.npz")
CONFIG = MaskDinoConfig(num_classes=6, num_queries=9, max_instances=20)
THINGS = (True, True, True, False, False, False)
SIZE = (12, 16)


def merged(case: int) -> tuple[torch.Tensor, ...]:
    """Class logits [9, 6], mask logits [9, 12, 16] and boxes [9, 4] of a case."""
    random = np.random.RandomState(1000 + case)
    classes = random.standard_normal((9, 6)) * 2 - 1.5
    rows, columns = np.mgrid[:12, :16]
    centres = random.rand(9, 2) * [12, 16]
    radii = (random.rand(9) * 7 + 1)[:, None, None]
    distance = np.hypot(rows - centres[:, 0, None, None], columns - centres[:, 1, None, None])
    masks = (radii - distance) * random.rand(9)[:, None, None] * 2
    return tuple(torch.tensor(values, dtype=torch.float32) for values in (classes, masks, random.rand(9, 4)))


def raw_of(classes, masks, boxes=None, **fields) -> RawPrediction:
    sizes = {"padded": SIZE, "unpadded": SIZE, "output": SIZE, "temperature": CONFIG.sharpened_by} | fields
    return RawPrediction(classes, masks, no_object=False, boxes=boxes, **sizes)


def test_a_hundred_recorded_cases() -> None:
    classes_so_far = 0
    for case in range(100):
        raw = raw_of(*merged(case))
        segment_map, segments = panoptic_segments(raw, THINGS, CONFIG)
        assert np.array_equal(segment_map, RECORDED["merge.maps"][case]), case
        count = int(RECORDED["merge.counts"][case])
        expected = RECORDED["merge.segments"][classes_so_far : classes_so_far + count]
        assert [class_id for _, class_id, _ in segments] == expected.tolist()
        classes_so_far += count
        scores = semantic_inference(raw)
        assert np.array_equal(scores.argmax(0), RECORDED["merge.labels"][case])
        assert np.allclose(scores.sum((1, 2)), RECORDED["merge.scores_sum"][case], rtol=1e-4)
        masks, labels, scores, boxes = instances(raw, THINGS, CONFIG)
        order = np.lexsort((labels, -scores))
        found = [len(scores), *scores[order][:8].tolist()]
        assert np.allclose(found, RECORDED["merge.instances"][case][: len(found)], atol=1e-5)
        corners = torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], dim=1)[order][:3]
        assert np.allclose(corners, RECORDED["merge.boxes"][case][: len(corners)], atol=1e-3)
        assert masks.shape == (len(scores), *SIZE)


def test_a_query_takes_part_by_its_sigmoid_and_votes_by_the_softmax() -> None:
    """0.3 passes the threshold of 0.25, though among six classes of nearly that its tempered score is lower."""
    logits = torch.full((1, 6), 0.29).logit()
    logits[0, 4] = torch.tensor(0.3).logit()
    raw = raw_of(logits, torch.full((1, *SIZE), 3.0))
    _, ((_, class_id, score),) = panoptic_segments(raw, THINGS, CONFIG)
    assert class_id == 4 and score < 0.25 < float(raw.surest[0])
    assert score == pytest.approx(float((torch.tensor([0.3, *[0.29] * 5]) / 0.06).softmax(0)[0]), rel=1e-5)
    assert panoptic_segments(raw, THINGS, dataclasses.replace(CONFIG, object_mask_threshold=0.31))[1] == []
    assert panoptic_segments(raw, THINGS, CONFIG, min_score=0.31)[1] == []


def test_the_merge_inspector_merges_the_same() -> None:
    for case in range(20):
        raw = raw_of(*merged(case))
        contest = hold_contest(raw, THINGS)
        result = merge(contest, CONFIG.object_mask_threshold, CONFIG.overlap_threshold)
        expected, segments = panoptic_segments(raw, THINGS, CONFIG)
        assert np.array_equal(result.segment_map(contest, contest.winners(result.entered)), expected)
        assert [s[:2] for s in result.segments] == [s[:2] for s in segments]
        assert [s[2] for s in result.segments] == pytest.approx([s[2] for s in segments])


def test_boxes_are_shares_of_the_padded_picture() -> None:
    raw = raw_of(*merged(0), padded=(16, 32), unpadded=(8, 16), output=(24, 48))
    x, y, width, height = raw.boxes_of(torch.tensor([3]), with_padding=True)[0].tolist()
    cx, cy, w, h = (merged(0)[2][3] * torch.tensor([96, 48, 96, 48])).tolist()
    assert (x, y, width, height) == pytest.approx((cx - w / 2, cy - h / 2, w, h), rel=1e-5)
    categories = tuple(Category(i + 1, f"{i}", thing) for i, thing in enumerate(THINGS))
    found = read_prediction(raw, "instance", np.zeros((24, 48, 3), np.uint8), CONFIG, categories)
    assert all(s.predicted_box is not None for s in found.segments) and found.segments


def test_who_learned_with_no_object_is_not_sharpened() -> None:
    assert config.mask_dino_ade20k_r50().sharpened_by is None and config.mask_dino_coco_r50().sharpened_by == 0.06
    classes = torch.cat([merged(0)[0], torch.zeros(9, 1)], dim=1)
    raw = RawPrediction(classes, merged(0)[1], SIZE, SIZE, SIZE)
    assert raw.weights.equal(classes.softmax(-1)[:, :-1]) and raw.votes.equal(classes.softmax(-1).amax(-1))
