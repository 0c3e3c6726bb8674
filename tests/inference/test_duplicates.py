"""The rule that leaves duplicates out: what stays, by hand and beside whole masks; off unless asked for."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite import config
from oneformer_lite.inference.duplicates import surest_of_each
from oneformer_lite.inference.placed import PlacedMask
from oneformer_lite.inference.raw import RawPrediction
from oneformer_lite.inference.rules import instances

SIZE = (40, 60)


def block(top: int, left: int, height: int = 10, width: int = 10) -> PlacedMask:
    return PlacedMask(np.ones((height, width), bool), top, left, SIZE)


def test_by_hand():
    """IoU of blocks of 10 x 10: moved by 2 columns 80 / 120, by 5 it is 50 / 150."""
    masks = [block(0, 0), block(0, 2), block(0, 5), block(20, 20)]
    scores, same = [0.6, 0.9, 0.5, 0.1], [0, 0, 0, 0]
    assert surest_of_each(masks, same, scores, 0.5) == [1, 3]  # 0 lies 2 beside 1, and 2 lies 3 beside it: 70 / 130
    assert surest_of_each(masks, same, scores, 0.6) == [1, 2, 3]
    assert surest_of_each(masks, same, scores, 0.7) == [1, 0, 2, 3]
    assert surest_of_each(masks, [0, 1, 0, 0], scores, 0.5) == [1, 0, 2, 3]  # another class is another thing
    assert surest_of_each(masks, same, scores, None) == [0, 1, 2, 3]
    assert surest_of_each([], [], [], 0.5) == []


def test_what_was_left_out_takes_nobody_with_it():
    """A chain: the second goes because of the first, so the third, which only the second covers, stays."""
    masks = [block(0, 0), block(0, 3), block(0, 6)]  # neighbours 70 / 130, first and third 40 / 160
    assert surest_of_each(masks, [0] * 3, [0.9, 0.8, 0.7], 0.5) == [0, 2]


@pytest.mark.parametrize("seed", range(5))
def test_as_with_whole_masks(seed):
    rng = np.random.default_rng(seed)
    whole = np.zeros((25, *SIZE), bool)
    for mask in whole[1:]:  # the first stays empty
        top, left = rng.integers(0, 30), rng.integers(0, 50)
        mask[top : top + 12, left : left + 12] = rng.random(mask[top : top + 12, left : left + 12].shape) < 0.9
    kinds, scores = rng.integers(0, 2, 25), rng.random(25)
    masks = [PlacedMask.of(mask) for mask in whole]
    shared = np.array([[a.shared(b) for b in masks] for a in masks])
    np.testing.assert_array_equal(shared, (whole[:, None] & whole[None]).sum((2, 3)))
    iou = shared / np.maximum(1, shared.diagonal()[:, None] + shared.diagonal() - shared)
    kept = []
    for i in np.argsort(-scores):
        if all(kinds[i] != kinds[k] or iou[i, k] <= 0.3 for k in kept):
            kept.append(i)
    assert 5 < len(kept) < 25
    assert surest_of_each(masks, kinds.tolist(), scores.tolist(), 0.3) == kept


def test_instances_of_a_picture():
    """Two queries draw one object, a third another one."""
    logits = torch.full((3, 8, 8), -9.0)
    logits[0, :4], logits[1, :4], logits[2, 5:] = 9.0, 9.0, 9.0
    logits[1, 3, 7] = -9.0
    raw = RawPrediction(torch.tensor([[1.0, 0.0], [3.0, 0.0], [0.0, 0.0]]), logits, (8, 8), (8, 8), (8, 8))
    every = config.nuclei()
    masks, class_ids, scores, boxes = instances(raw, (True,), replace(every, duplicate_iou=0.5))
    assert masks.sum((1, 2)).tolist() == [31, 24] and class_ids.tolist() == [0, 0] and boxes is None
    assert scores.tolist() == pytest.approx([1 / (1 + math.exp(-3)), 0.5], abs=1e-3)
    assert len(instances(raw, (True,), replace(every, duplicate_iou=None))[0]) == 3
    assert not len(instances(raw, (True,), replace(every, duplicate_iou=0.5), min_score=0.99)[0])


@pytest.mark.parametrize("windows", [False, 64])
def test_a_prediction_without_duplicates(windows):
    """No two instances of a class that stay have a greater IoU, in windows and without."""
    model = ofl.from_pretrained("toytown", device="cpu")
    scene = ofl.data.Toytown("val", (64, 110))[3]
    every = ofl.predict(model, scene.image, "instance", 0.01, windows=windows)
    model.config = replace(model.config, duplicate_iou=0.2)
    found = ofl.predict(model, scene.image, "instance", 0.01, windows=windows)
    assert 1 < len(found.segments) < len(every.segments)
    assert windows or found.segments[0].score == every.segments[0].score
    for i, one in enumerate(found.segments):
        for other in found.segments[:i]:
            iou = (one.mask & other.mask).sum() / (one.mask | other.mask).sum()
            assert iou <= 0.2 or one.class_id != other.class_id


def test_presets_of_papers_leave_nothing_out():
    for name in config.PRESETS:
        if name != "nuclei":
            assert getattr(config, name)().duplicate_iou is None, name
    with pytest.raises(ofl.errors.ConfigError, match="duplicate_iou must be at most 1"):
        replace(config.nuclei(), duplicate_iou=1.5)
