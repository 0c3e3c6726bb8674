"""Masks of fixed classes: absent ones are learned as empty, pixels without a class not at all, and losses by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
import torch.nn.functional as F

from oneformer_lite.config import Mask2FormerConfig, UNetConfig
from oneformer_lite.data.targets import Targets
from oneformer_lite.losses import Criterion, Matcher
from oneformer_lite.losses.criterion import with_every_class
from oneformer_lite.losses.masks import dice_loss, squared_dice_loss
from oneformer_lite.losses.matching import dice_cost, squared_dice_cost
from oneformer_lite.model.output import Output, Predictions
from oneformer_lite.model.parts.class_maps import odds, of_classes

CONFIG = UNetConfig(num_classes=4, mask_loss="bce")
LABELS = torch.tensor([[[0, 0, 2], [2, 2, 9]], [[1, 9, 9], [1, 1, 1]]])  # 9: of no class


def targets() -> list[Targets]:
    every = []
    for labels in LABELS:
        present = [k for k in (2, 0, 1) if (labels == k).any()]
        every.append(Targets(torch.stack([labels == k for k in present]), torch.tensor(present), [""] * len(present)))
    return every


def output(logits: torch.Tensor, config=CONFIG) -> Output:
    found = of_classes(logits, config.mask_loss)
    return Output(found.class_logits, found.masks)


@pytest.fixture
def logits() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(2, 4, 2, 3, dtype=torch.float64, requires_grad=True)


KNOWN = (LABELS != 9)[:, None].expand(-1, 4, -1, -1)
ONE_HOT = F.one_hot(LABELS.clamp(max=4), 5)[..., :4].movedim(-1, 1).double()


def test_binary_cross_entropy_of_all_classes_on_all_known_pixels(logits) -> None:
    losses = Criterion(CONFIG)(output(logits), targets())
    every = F.binary_cross_entropy_with_logits(logits, ONE_HOT, reduction="none")
    expected = (every * KNOWN).mean()  # pixels of no class count as nothing
    assert list(losses) == ["mask", "total"] and losses["total"].item() == pytest.approx(expected.item())
    losses["total"].backward()
    assert not logits.grad[~KNOWN].any() and logits.grad[KNOWN].all()


def test_softmax_is_the_cross_entropy_of_a_pixel(logits) -> None:
    config = replace(CONFIG, mask_loss="softmax")
    loss = Criterion(config)(output(logits, config), targets())["mask"]
    labels = LABELS.masked_fill(LABELS == 9, -100)
    expected = F.cross_entropy(logits, labels, reduction="sum") / labels.numel()
    assert loss.item() == pytest.approx(expected.item())
    ours, theirs = (torch.autograd.grad(value, logits, retain_graph=True)[0] for value in (loss, expected))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("form", ["plain", "squared"])
def test_dice_of_all_classes(logits, form) -> None:
    config = replace(CONFIG, mask_weight=0.0, dice_weight=2.0, dice_loss=form)
    losses = Criterion(config)(output(logits), targets())
    p, y = logits.sigmoid() * KNOWN, ONE_HOT * KNOWN
    power = 2 if form == "squared" else 1
    each = 1 - (2 * (p * y).sum((2, 3)) + 1) / ((p**power).sum((2, 3)) + (y**power).sum((2, 3)) + 1)
    assert list(losses) == ["dice", "total"]
    assert losses["dice"].item() == pytest.approx(each.mean().item())
    assert losses["total"].item() == pytest.approx(2 * each.mean().item())


def test_dice_by_hand() -> None:
    logits = torch.tensor([[0.0, 0.0, torch.inf]])
    labels = torch.tensor([[1.0, 0.0, 1.0]])
    assert dice_loss(logits, labels).item() == pytest.approx(1 - (2 * 1.5 + 1) / (2 + 2 + 1))
    assert squared_dice_loss(logits, labels).item() == pytest.approx(1 - (2 * 1.5 + 1) / (1.5 + 2 + 1))
    for loss, cost in ((dice_loss, dice_cost), (squared_dice_loss, squared_dice_cost)):
        torch.manual_seed(0)
        masks, truth = torch.randn(3, 7), (torch.rand(2, 7) > 0.5).float()
        table = cost(masks, truth)
        for q in range(3):
            for g in range(2):
                assert table[q, g].item() == pytest.approx(loss(masks[q, None], truth[g, None]).item(), rel=1e-5)


def test_the_matcher_compares_by_the_form_that_is_learned() -> None:
    c = Mask2FormerConfig(num_classes=2, num_queries=3, num_points=4, dice_loss="squared")
    assert Matcher(c).dice_cost is squared_dice_cost and Matcher(replace(c, dice_loss="plain")).dice_cost is dice_cost


def test_a_mask_for_every_class() -> None:
    every = with_every_class(targets()[0], CONFIG)
    assert every.labels.tolist() == [0, 1, 2, 3] and every.masks.sum((1, 2)).tolist() == [2, 0, 3, 0]
    assert every.known.tolist() == [[True, True, True], [True, True, False]]
    twice = Targets(torch.eye(2, 3).bool()[:, None], torch.tensor([3, 3]), ["", ""])  # not merged: the union
    assert with_every_class(twice, CONFIG).masks[3].tolist() == [[True, True, False]]
    nothing = Targets(torch.zeros(0, 2, 3, dtype=torch.bool), torch.zeros(0, dtype=torch.int64), [])
    assert not with_every_class(nothing, CONFIG).known.any()


def test_a_batch_of_no_class_costs_nothing(logits) -> None:
    nothing = Targets(torch.zeros(0, 2, 3, dtype=torch.bool), torch.zeros(0, dtype=torch.int64), [])
    for mask_loss in ("bce", "focal", "softmax"):
        config = replace(CONFIG, mask_loss=mask_loss, dice_weight=1.0)
        losses = Criterion(config)(output(logits, config), [nothing, nothing])
        losses["total"].backward()
        assert losses["total"] == 0 and not logits.grad.any()


def test_rare_odds_learn_like_a_softmax() -> None:
    """Gradients stay those of the cross-entropy where one class is all but certain, also wrongly."""
    for scale in (1.0, 40.0, 200.0):
        maps = (scale * torch.tensor([1.0, 0.0, -1.0, 0.5])).view(1, 4, 1, 1).requires_grad_()
        for label in range(4):
            ours = -F.logsigmoid(odds(maps)[0, label, 0, 0])
            theirs = F.cross_entropy(maps, torch.tensor([[[label]]]))
            torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-5)
            found, expected = (torch.autograd.grad(value, maps)[0] for value in (ours, theirs))
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@dataclass(frozen=True)
class WithStuffRows(Mask2FormerConfig):
    """Two queries for things, and one for each of two stuff classes."""

    fixed_queries = {2: 3, 1: 2}


def test_rows_fixed_to_some_classes_and_the_others_matched() -> None:
    config = WithStuffRows(num_classes=3, num_queries=4, num_points=64, is_thing=(True, False, False))
    masks = torch.full((1, 4, 4, 4), -9.0)
    masks[0, 3, :2] = 9.0  # what is asked of query 0 or 1, and of 2, looks like query 3
    target = Targets(torch.zeros(3, 4, 4).bool(), torch.tensor([0, 1, 2]), ["", "", ""])
    target.masks[:2, :2] = True
    target.masks[2, 2:] = True
    found = Predictions(torch.tensor([[[0.0, 0, 0, 5], [0.0, 0, 0, 0], [9.0, 0, 0, 0], [9.0, 0, 0, 0]]]), masks)
    pairs = Matcher(config)([found, found], [replace(target, masks=target.masks.float())])
    assert [query.tolist() for images in pairs for query in images] == [[1, 2, 3]] * 2
