"""Losses over all cells by hand: who owns a cell, the rank and the semantic loss; queries of fixed classes."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from oneformer_lite import config
from oneformer_lite.data.targets import Targets
from oneformer_lite.losses import Criterion, Matcher
from oneformer_lite.losses.cells import owners, rank_loss, semantic_loss
from oneformer_lite.losses.criterion import fit_to_queries, joined, learned_targets
from oneformer_lite.losses.masks import focal_values, vnet_dice_loss
from oneformer_lite.losses.matching import agreement_cost, vnet_dice_cost
from oneformer_lite.losses.pixels import targets_at_masks
from oneformer_lite.model import KNetOutput, Predictions
from oneformer_lite.model.knet import answered_classes


def targets(masks: list, labels: list[int]) -> Targets:
    return Targets(torch.tensor(masks, dtype=torch.bool), torch.tensor(labels), [str(k) for k in labels])


@pytest.mark.parametrize(
    "order, expected",
    [((0, 1, 2), [0, 2, 1, -1]), ((2, 1, 0), [0, 0, 1, -1]), ((5, 9, 7), [0, 2, 1, -1]), ((5, 9, 4), [0, 0, 1, -1])],
)
def test_the_last_in_order_owns_a_cell(order, expected) -> None:
    masks = torch.tensor([[[1.0, 0.25, 0.0, 0.0]], [[0.0, 0.0, 1.0, 0.0]], [[0.0, 0.5, 0.0, 0.0]]])
    assert owners(masks, torch.tensor(order)).tolist() == [expected]
    assert owners(masks[:0], torch.zeros(0, dtype=torch.int64)).tolist() == [[-1, -1, -1, -1]]


def test_rank_by_hand() -> None:
    """A softmax over the queries that compete; cells of nobody count in the mean."""
    logits = torch.tensor([[[[1.0, 2.0]], [[0.0, -1.0]], [[3.0, 7.0]]]], requires_grad=True)
    rows = torch.tensor([[[1, -1]]])
    competing = torch.tensor([True, True, False])
    loss = rank_loss(logits, rows, competing)
    assert float(loss.detach()) == pytest.approx(math.log(math.exp(1) + 1) / 2)
    loss.backward()
    assert not logits.grad[0, 2].any() and not logits.grad[..., 1].any() and logits.grad.isfinite().all()


def test_more_than_255_rows_have_a_rank() -> None:
    logits = torch.zeros(1, 300, 1, 1)
    assert float(rank_loss(logits, torch.tensor([[[255]]]), torch.ones(300).bool())) == pytest.approx(math.log(300))


def test_semantic_is_the_focal_loss_of_each_cell() -> None:
    logits = torch.randn(2, 3, 1, 4)
    classes = torch.tensor([[[0, 1, 2, -1]], [[-1, -1, 0, 0]]])
    wanted = torch.stack([classes == k for k in range(3)], dim=1).float()
    assert float(semantic_loss(logits, classes)) == pytest.approx(float(focal_values(logits, wanted).sum()), rel=1e-5)


def test_costs_by_hand() -> None:
    logits, labels = torch.tensor([[0.0, math.log(3)]]), torch.tensor([[1.0, 0.25]])
    p = (0.5, 0.75)
    assert float(agreement_cost(logits, labels)) == pytest.approx(-(p[0] + p[1] * 0.25 + 0.25 * 0.75) / 2)
    dice = 1 - 2 * (p[0] + p[1] * 0.25) / (p[0] ** 2 + p[1] ** 2 + 1 + 0.0625 + 0.002)
    assert float(vnet_dice_cost(logits, labels)) == pytest.approx(dice)
    assert float(vnet_dice_loss(logits, labels)) == pytest.approx(dice)


def test_targets_at_cells_are_soft() -> None:
    """Of 4 x 4 pixels bilinear weights see the inner 2 x 2."""
    masks = torch.zeros(1, 8, 8, dtype=torch.bool)
    masks[0, :, :2] = True  # half of the inner columns 1 and 2 of the first cells
    two = [Predictions(torch.zeros(1, 1, 1), torch.zeros(1, 1, 2, 2))]
    (found,) = targets_at_masks([targets(masks.tolist(), [0])], two, soft=True)
    assert found.tolist() == [[0.5, 0.0, 0.5, 0.0]]
    none = Targets(masks[:0], torch.zeros(0, dtype=torch.int64), [])
    (empty,) = targets_at_masks([none], two, soft=True)
    assert empty.shape == (0, 4)


SMALL = config.KNetConfig(num_classes=3, is_thing=(True, False, False), thing_kernels=2, pretrained=False)  # 4 queries


def predictions(count: int, seed: int = 0) -> list[Predictions]:
    torch.manual_seed(seed)
    return [
        Predictions(torch.randn(1, 4, 3), torch.randn(1, 4, 4, 4).mul(3).requires_grad_(), no_object=False)
        for _ in range(count)
    ]


def quarters() -> Targets:
    """A thing above, stuff of class 2 below; class 1 is absent."""
    masks = torch.zeros(2, 16, 16, dtype=torch.bool)
    masks[0, :8], masks[1, 8:] = True, True
    return targets(masks.tolist(), [0, 2])


def test_each_prediction_is_matched_by_the_one_before() -> None:
    found, target = predictions(4), [quarters()]
    alone = Matcher(dataclasses.replace(SMALL))
    by_each = [alone([p], target)[0][0].tolist() for p in found]
    assert len({tuple(queries) for queries in by_each[:3]}) > 1  # else it would not matter
    assert [images[0].tolist() for images in Matcher(SMALL)(found, target)] == [by_each[0], *by_each[:3]]
    assert all(queries[1] == 3 for queries in by_each)  # stuff has its own


def test_absent_stuff_learns_to_be_absent() -> None:
    """Its own column alone; and other columns of stuff queries, and stuff columns of things, learn nothing."""
    said = torch.zeros(1, 4, 3, requires_grad=True)
    masks = torch.randn(1, 4, 4, 4)
    logits = said.masked_fill(~answered_classes(SMALL), -1e4)
    first = Predictions(torch.full((1, 4, 3), -4.6), masks, no_object=False)
    output = KNetOutput(logits, masks, [first], no_object=False, semantic_logits=torch.zeros(1, 3, 4, 4))
    Criterion(SMALL)(output, [quarters()])["class"].backward()
    gradient = said.grad[0]
    assert gradient[2, 1] > 0 > gradient[3, 2]
    assert not gradient[~answered_classes(SMALL)].any() and gradient[answered_classes(SMALL)].all()


def test_without_any_mask_all_is_defined() -> None:
    none = Targets(torch.zeros(0, 16, 16, dtype=torch.bool), torch.zeros(0, dtype=torch.int64), [])
    *before, last = predictions(3)
    output = KNetOutput(last.class_logits, last.masks, before, no_object=False,
                        semantic_logits=torch.zeros(1, 3, 4, 4, requires_grad=True))  # fmt: skip
    losses = Criterion(SMALL)(output, [none])
    assert losses["mask"] == losses["dice"] == losses["rank"] == 0 < losses["semantic"]
    losses["total"].backward()
    assert output.semantic_logits.grad.any() and last.masks.grad is not None


def test_semantic_logits_are_missed() -> None:
    *before, last = predictions(3)
    output = KNetOutput(last.class_logits, last.masks, before, no_object=False)
    with pytest.raises(ValueError, match=r"model\.learn"):
        Criterion(SMALL)(output, [quarters()])


def test_two_segments_of_a_fixed_class_are_one() -> None:
    masks = torch.eye(4, dtype=torch.bool)[:, None]
    given = targets(masks.tolist(), [0, 1, 2, 1])
    found = learned_targets(given, SMALL, 4)
    assert found.labels.tolist() == [0, 1, 2] and found.masks[1, 0].tolist() == [False, True, False, True]
    assert joined(found, SMALL.fixed_queries) is found and joined(given, {}) is given


def test_kernels_of_things_are_for_things_alone() -> None:
    """The largest things are kept, and all stuff, however small."""
    sizes = [3, 1, 2, 4, 1]
    masks = torch.zeros(5, 1, 8, dtype=torch.bool)
    for mask, size in zip(masks, sizes):
        mask[0, :size] = True
    given = targets(masks.tolist(), [0, 0, 0, 1, 2])
    with pytest.warns(UserWarning, match="3 segments but the model has 2 queries besides .*smallest 1 .*their number"):
        found = fit_to_queries(given, 4, SMALL.fixed_queries)
    assert found.labels.tolist() == [0, 0, 1, 2] and found.masks.sum((1, 2)).tolist() == [3, 2, 4, 1]
    assert fit_to_queries(found, 4, SMALL.fixed_queries) is found
