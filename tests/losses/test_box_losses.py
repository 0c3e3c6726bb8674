"""Boxes of masks, L1 and generalised IoU by hand; DETR's matching and losses against transformers'."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from transformers.loss.loss_for_object_detection import HungarianMatcher, ImageLoss

from oneformer_lite import config
from oneformer_lite.data.targets import Targets
from oneformer_lite.losses import Criterion, Matcher
from oneformer_lite.losses.boxes import boxes_of, giou, giou_cost, giou_loss, l1_cost, l1_loss
from oneformer_lite.model.output import DeferredMasks, Output, Predictions


def target(masks: torch.Tensor, labels=None, size=None) -> Targets:
    labels = torch.arange(len(masks)) if labels is None else torch.tensor(labels, dtype=torch.int64)
    return Targets(masks, labels, [""] * len(masks), size=size)


@pytest.mark.parametrize(
    "rows, columns, size, expected",
    [
        ((0, 10), (0, 20), None, (0.5, 0.5, 1, 1)),
        ((2, 3), (4, 5), None, (4.5 / 20, 2.5 / 10, 1 / 20, 1 / 10)),  # one pixel is one pixel wide
        ((0, 4), (0, 5), (5, 10), (0.25, 0.4, 0.5, 0.8)),  # shares of the picture, not of its padding
        ((9, 10), (19, 20), None, (19.5 / 20, 9.5 / 10, 1 / 20, 1 / 10)),
    ],
)
def test_the_box_around_a_mask(rows, columns, size, expected) -> None:
    masks = torch.zeros(2, 10, 20, dtype=torch.bool)
    masks[0, slice(*rows), slice(*columns)] = True
    masks[1, rows[0], columns[0]] = masks[1, rows[1] - 1, columns[1] - 1] = True  # two corners say the same
    found = boxes_of(target(masks, size=size))
    assert torch.allclose(found, torch.tensor([expected, expected]).float())
    assert boxes_of(target(masks.float(), size=size)).equal(found)


def test_no_mask_no_box() -> None:
    assert boxes_of(target(torch.zeros(0, 8, 9, dtype=torch.bool))).shape == (0, 4)


@pytest.mark.parametrize(
    "a, b, expected",
    [
        ((0.5, 0.5, 1, 1), (0.5, 0.5, 1, 1), 1.0),
        ((0.25, 0.5, 0.5, 1), (0.75, 0.5, 0.5, 1), 0.0),  # side by side: nothing shared, nothing else around
        ((0.25, 0.5, 0.5, 1), (0.5, 0.5, 1, 1), 0.5),
        ((0.125, 0.5, 0.25, 1), (0.875, 0.5, 0.25, 1), -0.5),  # half of what is around is neither's
        ((0.25, 0.25, 0.5, 0.5), (0.5, 0.5, 0.5, 0.5), 1 / 7 - (9 / 16 - 7 / 16) / (9 / 16)),
    ],
)
def test_generalised_iou(a, b, expected) -> None:
    a, b = torch.tensor([a]).double(), torch.tensor([b]).double()
    assert giou(a, b).item() == pytest.approx(expected) == giou(b, a).item()
    assert giou_loss(a, b).item() == pytest.approx(1 - expected) and giou_cost(a, b).item() == pytest.approx(-expected)
    assert l1_loss(a, b).item() == pytest.approx((a - b).abs().sum().item()) == l1_cost(a, b).item()


def test_costs_of_all_are_losses_of_pairs() -> None:
    torch.manual_seed(0)
    a, b = torch.rand(5, 4), torch.rand(3, 4)
    for cost, loss, shift in ((l1_cost, l1_loss, 0), (giou_cost, giou_loss, -1)):
        pairs = torch.stack([loss(a, row.expand(5, 4)) for row in b], dim=1) + shift
        assert torch.allclose(cost(a, b), pairs, atol=1e-6)


# -- against transformers' loss


@pytest.fixture(scope="module")
def detr() -> config.DetrConfig:
    made = dataclasses.replace(config.detr_coco_r50(), num_queries=9)
    return dataclasses.replace(made, num_classes=7, class_names=(), is_thing=(), class_colors=(), category_ids=())


def random_output(seed: int, layers: int = 3, pictures: int = 2, queries: int = 9) -> Output:
    torch.manual_seed(seed)

    def one() -> tuple:
        boxes = torch.rand(pictures, queries, 4) * 0.8 + 0.1
        return torch.randn(pictures, queries, 8), boxes.requires_grad_()

    readings = [one() for _ in range(layers)]
    earlier = [Predictions(c, DeferredMasks(never), boxes=b) for c, b in readings[:-1]]
    masks = torch.randn(pictures, queries, 12, 15, requires_grad=True)
    return Output(readings[-1][0], masks, earlier, boxes=readings[-1][1])


def never() -> torch.Tensor:
    raise AssertionError("masks of earlier predictions are not looked at")


def random_targets(seed: int, counts=(3, 5), sizes=((46, 60), (40, 33))) -> list[Targets]:
    """Padded to 48 x 60; the second picture is smaller."""
    torch.manual_seed(100 + seed)
    found = []
    for count, (height, width) in zip(counts, sizes):
        masks = torch.zeros(count, 48, 60, dtype=torch.bool)
        for mask in masks:
            top, left = int(torch.randint(height - 5, (1,))), int(torch.randint(width - 5, (1,)))
            mask[top : min(height, top + 20), left : min(width, left + 25)] = torch.rand(
                min(height, top + 20) - top, min(width, left + 25) - left
            ) > 0.4
            mask[top, left] = True
        found.append(target(masks, torch.randint(7, (count,)).tolist(), (height, width)))
    return found


def their_losses(output: Output, targets: list[Targets]) -> dict[str, float]:
    criterion = ImageLoss(HungarianMatcher(1, 5, 2), 7, 0.1, ["labels", "boxes", "masks"])
    said = [{"logits": p.class_logits, "pred_boxes": p.boxes} for p in output.predictions]
    labels = [{"class_labels": t.labels, "boxes": boxes_of(t), "masks": t.masks} for t in targets]
    found = criterion({**said[-1], "pred_masks": output.masks, "auxiliary_outputs": said[:-1]}, labels)
    names = {"loss_ce": "class", "loss_bbox": "box", "loss_giou": "giou", "loss_mask": "mask", "loss_dice": "dice"}
    sums = dict.fromkeys(names.values(), 0.0)
    for name, loss in found.items():
        sums[names[name.rstrip("_0123456789")]] += float(loss.detach())
    return sums


@pytest.mark.parametrize("seed", range(4))
def test_matching_and_losses_are_those_of_transformers(detr, seed) -> None:
    output, targets = random_output(seed), random_targets(seed)
    criterion = Criterion(detr)
    losses = criterion(output, targets)
    expected = their_losses(output, targets)
    assert losses.keys() == {*expected, "total"}
    for name, value in expected.items():
        assert float(losses[name].detach()) == pytest.approx(value, rel=1e-5), name
    weights = {"class": 1, "box": 5, "giou": 2, "mask": 1, "dice": 1}
    assert float(losses["total"].detach()) == pytest.approx(sum(weights[n] * v for n, v in expected.items()), rel=1e-5)
    for name in ("class", "box", "giou"):
        assert len(criterion.by_prediction[name]) == 3 and criterion.by_prediction[name].all()
        assert float(criterion.by_prediction[name].sum()) == pytest.approx(expected[name], rel=1e-5)
    assert criterion.by_prediction["mask"].tolist()[:2] == [0, 0]
    matcher = HungarianMatcher(1, 5, 2)
    assigned = Matcher(detr)(output.predictions, targets)
    for prediction, ours in zip(output.predictions, assigned):
        labels = [{"class_labels": t.labels, "boxes": boxes_of(t)} for t in targets]
        theirs = matcher({"logits": prediction.class_logits, "pred_boxes": prediction.boxes}, labels)
        for queries, (theirs_q, theirs_g) in zip(ours, theirs):
            assert queries[theirs_g].tolist() == theirs_q.tolist()


def test_masks_cost_nothing_in_matching(detr) -> None:
    """Neither in the second stage, as published."""
    output, targets = random_output(0), random_targets(0)
    before = Matcher(detr)(output.predictions, targets)
    output.masks = -output.masks
    after = Matcher(dataclasses.replace(detr, mask_weight=100.0))(output.predictions, targets)
    assert all(a.equal(b) for x, y in zip(before, after) for a, b in zip(x, y))


def test_the_first_stage_has_no_losses_of_masks(detr) -> None:
    boxes = dataclasses.replace(detr, stage="boxes")
    output, targets = random_output(1), random_targets(1)
    output.masks = DeferredMasks(never)
    losses = Criterion(boxes)(output, targets)
    assert losses.keys() == {"class", "box", "giou", "total"}
    expected = {name: float(v.detach()) for name, v in Criterion(detr)(random_output(1), targets).items()}
    assert all(float(losses[name].detach()) == pytest.approx(expected[name]) for name in ("class", "box", "giou"))


def test_a_batch_without_masks(detr) -> None:
    output = random_output(2)
    losses = Criterion(detr)(output, random_targets(2, counts=(0, 0)))
    assert all(float(losses[name].detach()) == 0 for name in ("box", "giou", "mask", "dice")) and losses["class"] > 0
    losses["total"].backward()
    assert output.boxes.grad is not None and output.masks.grad is not None


def test_not_a_number_counts_a_hundred(detr) -> None:
    output, targets = random_output(3), random_targets(3)
    with torch.no_grad():
        output.boxes[0, 4] = float("nan")
    found = Matcher(detr)([output], targets)[0]
    assert 4 not in found[0].tolist() and len(set(found[0].tolist())) == 3
