"""Costs and assignment: by hand, against transformers, against brute force."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from transformers.models.oneformer import modeling_oneformer as reference

from oneformer_lite.config import ModelConfig
from oneformer_lite.data.targets import Targets
from oneformer_lite.losses.masks import bce_loss, dice_loss, focal_loss
from oneformer_lite.losses.matching import Matcher, bce_cost, class_cost, dice_cost, focal_cost
from oneformer_lite.model.output import Predictions


def matcher_of(class_weight, mask_weight, dice_weight, num_points, mask_loss="bce") -> Matcher:
    weights = {"class_weight": class_weight, "mask_weight": mask_weight, "dice_weight": dice_weight}
    return Matcher(ModelConfig(num_points=num_points, mask_loss=mask_loss, **weights))


def random_masks(queries: int = 6, masks: int = 4, points: int = 30) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    logits = 3 * torch.randn(queries, points, dtype=torch.float64)
    return logits, (torch.rand(masks, points) < 0.4).double()


def test_costs_by_hand() -> None:
    logits = torch.tensor([[0.0, math.log(3.0)]], dtype=torch.float64)  # p = 1/2, 3/4
    labels = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    ln2, ln4, ln4_3 = math.log(2), math.log(4), math.log(4 / 3)
    assert bce_cost(logits, labels).tolist()[0] == pytest.approx([(ln2 + ln4) / 2, (ln2 + ln4_3) / 2])
    assert dice_cost(logits, labels).tolist()[0] == pytest.approx([1 - 2 / 3.25, 1 - 2.5 / 3.25])
    first = (0.25 * 0.25 * ln2 + 0.75 * 0.5625 * ln4) / 2
    second = (0.75 * 0.25 * ln2 + 0.25 * 0.0625 * ln4_3) / 2
    assert focal_cost(logits, labels).tolist()[0] == pytest.approx([first, second])
    classes = torch.tensor([[0.0, math.log(2.0), 0.0]], dtype=torch.float64)  # 1/4, 1/2, 1/4
    assert class_cost(classes, torch.tensor([1, 0, 1])).tolist()[0] == pytest.approx([-0.5, -0.25, -0.5])


def test_costs_agree_with_transformers() -> None:
    logits, labels = random_masks()
    expected = reference.pair_wise_sigmoid_cross_entropy_loss(logits, labels)
    assert torch.allclose(bce_cost(logits, labels), expected, atol=1e-9, rtol=0)
    expected = reference.pair_wise_dice_loss(logits, labels)
    assert torch.allclose(dice_cost(logits, labels), expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize(
    "cost, loss", [(bce_cost, bce_loss), (focal_cost, focal_loss), (dice_cost, dice_loss)]
)
def test_a_cost_is_the_loss_of_every_pair(cost, loss) -> None:
    logits, labels = random_masks()
    table = cost(logits, labels)
    for q, g in itertools.product(range(6), range(4)):
        expected = loss(logits[q : q + 1], labels[g : g + 1]).item()
        assert table[q, g].item() == pytest.approx(expected, abs=1e-9)


def test_total_is_the_weighted_sum() -> None:
    logits, labels = random_masks()
    classes, ids = torch.randn(6, 3, dtype=torch.float64), torch.tensor([0, 1, 1, 0])
    costs = matcher_of(2.0, 3.0, 7.0, num_points=30).costs(classes, ids, logits, labels)
    assert costs.total.equal(2 * costs.parts["class"] + 3 * costs.parts["mask"] + 7 * costs.parts["dice"])
    assert costs.parts["mask"].equal(bce_cost(logits, labels))
    focal = matcher_of(2.0, 3.0, 7.0, 30, "focal").costs(classes, ids, logits, labels)
    assert focal.parts["mask"].equal(focal_cost(logits, labels))


def scene(masks: int, size: int = 16) -> Targets:
    """Random masks on a grid; labels count up."""
    generator = torch.Generator().manual_seed(masks)
    drawn = torch.rand(masks, size, size, generator=generator) < 0.5
    return Targets(drawn, torch.arange(masks) % 3, [""] * masks)


def prediction(images: int, queries: int, size: int = 8, seed: int = 0) -> Predictions:
    generator = torch.Generator().manual_seed(seed)
    return Predictions(
        torch.randn(images, queries, 4, generator=generator),
        3 * torch.randn(images, queries, size, size, generator=generator),
    )


@pytest.mark.parametrize("masks", [1, 2, 3, 4])
def test_assignment_beats_every_other_one(masks: int) -> None:
    matcher, predictions, target = matcher_of(2.0, 5.0, 5.0, 50), prediction(1, 5), scene(masks)
    torch.manual_seed(7)
    query = matcher([predictions], [target])[0][0]
    torch.manual_seed(7)  # the same points again, to know the costs
    points = torch.rand(1, 50, 2)
    logits = reference.sample_point(predictions.mask_logits, points, align_corners=False)[0]
    labels = reference.sample_point(target.masks[None].float(), points, align_corners=False)[0]
    total = matcher.costs(predictions.class_logits[0], target.labels, logits, labels).total
    found = total[query, torch.arange(masks)].sum().item()
    best = min(
        sum(total[q, g].item() for g, q in enumerate(order))
        for order in itertools.permutations(range(5), masks)
    )
    assert found == pytest.approx(best, abs=1e-5)
    assert len(set(query.tolist())) == masks


def perfect(target: Targets, order: list[int], num_queries: int) -> Predictions:
    """A prediction whose query ``order[g]`` is exactly mask g; all classes are equally likely."""
    size = target.masks.shape[-1]
    logits = torch.full((1, num_queries, size, size), -9.0)
    classes = torch.zeros(1, num_queries, 4)
    for g, q in enumerate(order):
        logits[0, q] = 18 * target.masks[g].float() - 9
    return Predictions(classes, logits)


def test_finds_who_is_perfect_in_every_prediction_and_image() -> None:
    first, second = scene(3), scene(4)
    for target in (first, second):
        target.labels[:] = 0  # the masks alone tell them apart
    layers = [([4, 0, 2], [1, 3, 0, 2]), ([1, 2, 3], [0, 4, 3, 1])]
    predictions = []
    for a, b in layers:
        pair = perfect(first, a, 5), perfect(second, b, 5)
        predictions.append(
            Predictions(
                torch.cat([p.class_logits for p in pair]), torch.cat([p.mask_logits for p in pair])
            )
        )
    assigned = matcher_of(2.0, 5.0, 5.0, 100)(predictions, [first, second])
    assert [[q.tolist() for q in images] for images in assigned] == [list(layer) for layer in layers]


def test_costs_leave_the_gpu_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once for each image and prediction: every transfer waits for all the work before it."""
    transfers, cpu = [], torch.Tensor.cpu
    monkeypatch.setattr(torch.Tensor, "cpu", lambda x: transfers.append(x.shape) or cpu(x))
    layers = [prediction(3, 5, seed=seed) for seed in (0, 1)]
    assigned = matcher_of(2.0, 5.0, 5.0, 20)(layers, [scene(3), scene(0), scene(2)])
    assert transfers == [(2 * 5, 3 + 0 + 2)]
    assert [[len(query) for query in images] for images in assigned] == [[3, 0, 2], [3, 0, 2]]


def test_images_without_masks_match_nothing() -> None:
    assigned = matcher_of(2.0, 5.0, 5.0, 20)([prediction(3, 4)], [scene(0), scene(2), scene(0)])
    assert [len(q) for q in assigned[0]] == [0, 2, 0]
    assert all(q.dtype == torch.int64 for q in assigned[0])


def test_as_many_masks_as_queries() -> None:
    query = matcher_of(2.0, 5.0, 5.0, 20)([prediction(1, 4)], [scene(4)])[0][0]
    assert sorted(query.tolist()) == [0, 1, 2, 3]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_query_gone_wrong_is_left_out(value: float) -> None:
    predictions = prediction(1, 4)
    predictions.mask_logits[0, 2] = value
    query = matcher_of(2.0, 5.0, 5.0, 20)([predictions], [scene(3)])[0][0]
    assert sorted(query.tolist()) == [0, 1, 3]


def test_all_queries_gone_wrong_still_match() -> None:
    predictions = prediction(1, 4)
    predictions.mask_logits[:] = float("nan")
    assert len(set(matcher_of(2.0, 5.0, 5.0, 20)([predictions], [scene(3)])[0][0].tolist())) == 3


def test_a_cost_that_is_no_number_counts_100() -> None:
    logits, labels = random_masks()
    classes, ids = torch.randn(6, 3, dtype=torch.float64), torch.tensor([0, 1, 1, 0])
    matcher = matcher_of(2.0, 5.0, 5.0, num_points=30)
    sound = matcher.costs(classes, ids, logits, labels).total
    logits[4, 7] = float("nan")
    total = matcher.costs(classes, ids, logits, labels).total
    assert (total[4] == 100).all()
    others = [0, 1, 2, 3, 5]
    assert total[others].equal(sound[others])


def test_a_query_without_numbers_is_better_than_one_that_costs_more_than_100() -> None:
    predictions, target = perfect(scene(1), [0], 2), scene(1)
    predictions.mask_logits[0, 0] *= -5  # wrong everywhere: a cross-entropy of about 45, five times
    predictions.mask_logits[0, 1] = float("nan")
    assert matcher_of(2.0, 5.0, 5.0, 20)([predictions], [target])[0][0].tolist() == [1]
    predictions.mask_logits[0, 0] /= 5
    assert matcher_of(2.0, 5.0, 5.0, 20)([predictions], [target])[0][0].tolist() == [0]


def test_no_gradient_and_half_precision() -> None:
    predictions = prediction(1, 4)
    masks = predictions.mask_logits.bfloat16().requires_grad_()
    half = Predictions(predictions.class_logits.bfloat16(), masks)
    assert matcher_of(2.0, 5.0, 5.0, 20)([half], [scene(2)])[0][0].shape == (2,)
