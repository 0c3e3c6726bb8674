"""Classes that have sigmoids of their own: their loss, their cost in matching, and matching by all costs at once."""

from __future__ import annotations

import dataclasses
import math
from typing import ClassVar

import pytest
import torch
from torchvision.ops import sigmoid_focal_loss
from transformers.loss.loss_deformable_detr import DeformableDetrHungarianMatcher

from oneformer_lite.config import BaseConfig
from oneformer_lite.data.targets import Targets
from oneformer_lite.losses import Criterion
from oneformer_lite.losses.boxes import boxes_of, giou, l1_cost
from oneformer_lite.losses.classes import class_loss, focal_class_cost, sigmoid_class_loss
from oneformer_lite.losses.matching import Matcher
from oneformer_lite.losses.points import PointSource
from oneformer_lite.model.output import Output, Predictions


@dataclasses.dataclass(frozen=True)
class HybridConfig(BaseConfig):
    """Matched by classes, masks and boxes."""

    MATCHED_BY: ClassVar[tuple[str, ...]] = ("class", "mask", "dice", "box", "giou")
    CLASS_COST: ClassVar[str] = "focal"
    BOX_EPSILON: ClassVar[float] = 1e-6
    box_weight: float = 5.0
    giou_weight: float = 2.0


@dataclasses.dataclass(frozen=True)
class ByBoxConfig(HybridConfig):
    """Matched as in Deformable DETR."""

    MATCHED_BY: ClassVar[tuple[str, ...]] = ("class", "box", "giou")


CONFIG = HybridConfig(num_classes=4, num_queries=6, num_points=50, class_weight=4.0)


def targets(*counts: int) -> list[Targets]:
    torch.manual_seed(1)
    found = []
    for count in counts:
        masks = torch.zeros(count, 16, 24, dtype=torch.bool)
        for i in range(count):
            masks[i, i : i + 5 + i, 2 * i : 9 + i] = True
        found.append(Targets(masks, torch.randint(4, (count,)), [""] * count, size=(16, 20)))
    return found


def output(no_object: bool = False, seed: int = 0, auxiliary: int = 1) -> Output:
    torch.manual_seed(seed)

    def one() -> tuple:
        boxes = (torch.rand(2, 6, 4) * 0.5 + 0.2).requires_grad_()
        return torch.randn(2, 6, 4 + no_object, requires_grad=True), torch.randn(2, 6, 4, 6, requires_grad=True), boxes

    earlier = [Predictions(c, m, no_object=no_object, boxes=b) for c, m, b in (one() for _ in range(auxiliary))]
    classes, masks, boxes = one()
    return Output(classes, masks, earlier, no_object=no_object, boxes=boxes)


def test_cost_by_hand() -> None:
    logits = torch.tensor([[0.0, math.log(3.0)]], dtype=torch.float64)  # p = 1/2, 3/4
    ln2, ln4, ln4_3 = math.log(2), math.log(4), math.log(4 / 3)
    half = 0.25 * 0.25 * ln2 - 0.75 * 0.25 * ln2
    surer = 0.25 * 0.0625 * ln4_3 - 0.75 * 0.5625 * ln4
    found = focal_class_cost(logits, torch.tensor([1, 0, 1]))
    assert found[0].tolist() == pytest.approx([surer, half, surer], rel=1e-6)
    assert focal_class_cost(logits, torch.tensor([0]), no_object=True).item() == pytest.approx(half, rel=1e-6)
    sure = focal_class_cost(torch.tensor([[200.0, -200.0]]), torch.tensor([0, 1]))
    assert sure.isfinite().all() and sure[0, 0] < -10 < 4 < sure[0, 1]


@pytest.mark.parametrize("counts", [(3, 1), (0, 2), (0, 0), (6, 6)])
def test_loss_is_torchvisions_with_a_one_for_each_mask(counts) -> None:
    out, wanted = output(), targets(*counts)
    assigned = [torch.randperm(6)[:count] for count in counts]
    labels = torch.zeros(2, 6, 4)
    for b, queries in enumerate(assigned):
        labels[b, queries, wanted[b].labels] = 1
    expected = sigmoid_focal_loss(out.class_logits, labels, alpha=0.25, gamma=2, reduction="sum")
    assert sigmoid_class_loss(out, wanted, assigned).item() == pytest.approx(expected.item(), rel=1e-6)


def test_a_cost_is_the_difference_that_the_loss_makes() -> None:
    """Of an image with one mask, matched with each query in turn."""
    out, (target,) = output(), targets(1)
    one = Predictions(out.class_logits[:1].detach().double(), out.masks[:1], no_object=False)
    nobody = dataclasses.replace(target, masks=target.masks[:0], labels=target.labels[:0])
    silent = sigmoid_class_loss(one, [nobody], [torch.tensor([], dtype=torch.int64)])
    losses = torch.stack([sigmoid_class_loss(one, [target], [torch.tensor([q])]) for q in range(6)])
    assert torch.allclose(focal_class_cost(one.class_logits[0], target.labels)[:, 0], losses - silent, atol=1e-6)


def test_who_has_no_object_learns_by_cross_entropy() -> None:
    wanted = targets(3, 1)
    for out in (output(), output(no_object=True)):
        criterion = Criterion(CONFIG)
        losses = criterion(out, wanted, [(0,), (1,)])
        pairs = criterion.match(out, wanted, [(0,), (1,)])
        every = list(zip(out.predictions, pairs.assigned))
        expected = [sigmoid_class_loss(p, wanted, assigned).item() / 4 for p, assigned in every]
        if out.no_object:
            expected = [class_loss(p, wanted, assigned, CONFIG).item() for p, assigned in every]
        assert losses["class"].item() == pytest.approx(sum(expected), rel=1e-5)
        assert criterion.by_prediction["class"].tolist() == pytest.approx(expected, rel=1e-5)
        losses["total"].backward()
        assert out.class_logits.grad.abs().sum() > 0


def test_all_five_costs_are_added() -> None:
    out, wanted = output(), targets(3, 2)
    images = next(Matcher(CONFIG).every_cost(out.predictions, wanted, PointSource(torch.device("cpu"))))
    for b, costs in enumerate(images):
        assert tuple(costs.parts) == HybridConfig.MATCHED_BY
        said, truth = out.auxiliary[0], boxes_of(wanted[b])
        assert torch.allclose(costs.parts["box"], l1_cost(said.boxes[b], truth))
        assert torch.allclose(costs.parts["giou"], -giou(said.boxes[b, :, None], truth[None]), atol=1e-4)
        assert torch.allclose(costs.parts["class"], focal_class_cost(said.class_logits[b], wanted[b].labels))
        weights = {"class": 4, "mask": 5, "dice": 5, "box": 5, "giou": 2}
        assert torch.allclose(costs.total, sum(weights[name] * part for name, part in costs.parts.items()))


def test_by_classes_and_boxes_it_matches_as_transformers() -> None:
    theirs = DeformableDetrHungarianMatcher(class_cost=4.0, bbox_cost=5.0, giou_cost=2.0)
    for seed in range(5):
        out, wanted = output(seed=seed), targets(4, 5)
        found = Matcher(ByBoxConfig(num_classes=4, class_weight=4.0))(out.predictions, wanted)
        for prediction, ours in zip(out.predictions, found):
            labels = [{"class_labels": t.labels, "boxes": boxes_of(t)} for t in wanted]
            expected = theirs({"logits": prediction.class_logits, "pred_boxes": prediction.boxes}, labels)
            for queries, (their_queries, their_masks) in zip(ours, expected):
                assert queries[their_masks].tolist() == their_queries.tolist()


@pytest.mark.parametrize("side", [0.0, 1e-9])
def test_boxes_without_area_have_a_cost_and_a_gradient(side: float) -> None:
    nothing = torch.tensor([[0.5, 0.5, side, side]], requires_grad=True)
    assert giou(nothing, nothing.detach(), 1e-6).item() == pytest.approx(0, abs=1e-3)
    giou(nothing, torch.tensor([[0.5, 0.5, 0.0, 0.0]]), 1e-6).sum().backward()
    assert nothing.grad.isfinite().all()
    far = torch.tensor([[0.1, 0.1, 0.0, 0.0]])
    assert giou(nothing.detach(), far, 1e-6).item() == pytest.approx(-1, abs=1e-3)
