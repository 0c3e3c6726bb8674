"""Objects and the queries whose masks are nearest to them: by hand, and of whole models."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.errors import ConfigError, DataError
from oneformer_lite.evaluation import evaluate_masks
from oneformer_lite.metrics import MatchedMasksMetric
from oneformer_lite.metrics.matched_masks import dice_losses, redundant, shrunk
from oneformer_lite.model import OneFormerOutput

LEFT, RIGHT = np.zeros((2, 2, 4), bool)
LEFT[:, :2] = RIGHT[:, 2:] = True


def judged(said, masks, labels, truth, probabilities=None):
    metric = MatchedMasksMetric()
    masks = np.array(masks)
    probabilities = masks.astype(float) if probabilities is None else np.array(probabilities)
    metric.update(np.array(said), probabilities, masks, np.array(labels, int), np.array(truth).reshape(-1, 2, 4))
    return metric.compute()


def test_all_right():
    result = judged([5, -1, 3], [RIGHT, np.zeros_like(LEFT), LEFT], [3, 5], [LEFT, RIGHT])
    assert (result.accuracy, result.dice_loss, result.dice, result.counted) == (100, 0, 100, 100)
    assert (result.redundant, result.objects, result.pictures) == (0, 2, 1)


def test_the_class_has_no_say_in_the_match():
    """The query with the better mask is asked, though another one names the class."""
    result = judged([-1, 3], [LEFT, RIGHT], [3], [LEFT])
    assert (result.accuracy, result.dice, result.counted) == (0, 100, 100)
    assert judged([4, 3], [LEFT, RIGHT], [3], [LEFT]).accuracy == 0


def test_dice_by_hand():
    half = LEFT.copy()
    half[1] = False  # 2 of 4 pixels
    result = judged([0], [half], [0], [LEFT], probabilities=[0.5 * half])
    # loss 1 - 2 (0.5 + 0.5) / (2 x 0.25 + 4) = 1 - 2 / 4.5; cut masks 2 x 2 / (2 + 4)
    assert result.dice_loss == pytest.approx(1 - 2 / 4.5) and result.dice == pytest.approx(200 / 3)


def test_a_shrunk_object_is_shares_and_drawn_perfectly_costs_nothing():
    mask = np.zeros((1, 4, 4), bool)
    mask[0, 0, :3] = True
    cells = shrunk(mask, (2, 2))
    np.testing.assert_array_equal(cells[0], [[0.5, 0.25], [0, 0]])
    assert dice_losses(cells, cells)[0, 0] == pytest.approx(0)
    assert shrunk(np.zeros((0, 4, 4), bool), (2, 2)).shape == (0, 2, 2)


def test_the_match_is_the_cheapest_of_all():
    rng = np.random.default_rng(3)
    probabilities, truth = rng.random((4, 6, 5)), rng.random((3, 6, 5)) > 0.5
    metric = MatchedMasksMetric()
    metric.update(np.zeros(4, int), probabilities, probabilities > 0.5, np.zeros(3, int), truth)
    losses = dice_losses(probabilities, truth)
    best = min(sum(losses[q, g] for g, q in enumerate(chosen)) for chosen in itertools.permutations(range(4), 3))
    assert metric.compute().dice_loss == pytest.approx(best / 3)
    p, y = probabilities[1], truth[2]
    assert losses[1, 2] == pytest.approx(1 - 2 * (p * y).sum() / ((p**2).sum() + y.sum()))


def test_objects_without_a_query_are_wrong():
    result = judged([3], [LEFT], [3, 5], [LEFT, RIGHT])
    assert (result.accuracy, result.dice_loss, result.dice, result.counted) == (50, 0.5, 50, 0)


def test_redundant_detections_are_those_beyond_the_first():
    three = judged([3, 3, 4, -1], [LEFT] * 4, [3], [LEFT])
    assert three.redundant == 2 and three.counted == 0
    assert judged([3, 3], [LEFT, RIGHT], [3], [LEFT]).redundant == 0  # a false alarm covers nothing
    assert judged([3, 3], [LEFT, np.zeros_like(LEFT)], [3], [LEFT]).counted == 100  # an empty mask is no detection
    assert redundant(np.array([[0.5, 0.2], [0.51, 0], [0.6, 0.9], [0, 0.7]])) == 1 and redundant(np.zeros((0, 2))) == 0


def test_no_objects():
    result = judged([-1, 3], [LEFT, LEFT], [], np.zeros((0, 2, 4), bool))
    assert np.isnan([result.accuracy, result.dice_loss, result.dice]).all()
    assert (result.counted, result.redundant, result.objects) == (0, 0, 0)
    assert np.isnan(MatchedMasksMetric().compute().counted)


def test_merged_metrics_are_one_over_all_pictures():
    first, second, both = (MatchedMasksMetric() for _ in range(3))
    for metric, said in ((first, [3]), (second, [4])):
        for each in (metric, both):
            each.update(np.array(said), np.array([LEFT], float), np.array([LEFT]), np.array([3]), np.array([LEFT]))
    first.merge(second)
    assert first.compute() == both.compute() and both.compute().accuracy == 50


@pytest.mark.parametrize("part", range(5))
def test_sizes_must_agree(part):
    given = [np.array([3]), np.array([LEFT], float), np.array([LEFT]), np.array([3]), np.array([LEFT])]
    given[part] = np.concatenate([given[part]] * 2) if part != 4 else given[part][:, :1]
    with pytest.raises(DataError, match="expected one each"):
        MatchedMasksMetric().update(*given)


class Truthful(torch.nn.Module):
    """A stand-in for a model that knows the objects of each digit picture, its masks half as large; the last query
    repeats the first."""

    def __init__(self, dataset):
        super().__init__()
        self.weight, self.dataset, self.done = torch.nn.Parameter(torch.zeros(1)), dataset, 0
        config = ofl.config.for_classes(ofl.config.toytown(), dataset.categories)
        self.config = dataclasses.replace(config, test_size=64, num_queries=6)

    def forward(self, images, task):
        classes, masks = torch.full((len(images), 6, 11), -20.0), torch.full((len(images), 6, 32, 32), -20.0)
        classes[..., -1] = 10.0
        for b in range(len(images)):
            targets = ofl.data.targets_for(self.dataset[self.done], task)
            found = list(zip(targets.masks, targets.labels))
            for query, (mask, label) in enumerate(found + found[:1]):
                classes[b, query, label] = 20.0
                masks[b, query] = torch.logit(torch.from_numpy(shrunk(mask[None].numpy(), (32, 32))[0]), 1e-6)
            self.done += 1
        return OneFormerOutput(classes, masks)


def test_of_a_model():
    digits = ofl.data.Digits("val", "hard", length=10)
    seen = []
    result = evaluate_masks(Truthful(digits), digits, batch_size=4, progress=lambda done, total: seen.append(done))
    objects = sum(len(sample.segments) for sample in digits)
    assert (result.objects, result.pictures, seen) == (objects, 10, [4, 8, 10])
    assert result.accuracy == 100 and result.dice_loss < 1e-6 and 85 < result.dice < 100  # half the size blurs edges
    assert result.counted == 0 and result.redundant == 1


def test_semantic_masks_are_no_objects():
    with pytest.raises(ConfigError, match="panoptic or instance"):
        evaluate_masks(Truthful(ofl.data.Digits("val")), ofl.data.Digits("val"), "semantic")
