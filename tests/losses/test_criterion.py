"""The criterion: its parts, their sum, and images without, or with too many, masks."""

from __future__ import annotations

import dataclasses
import math
import warnings

import pytest
import torch
import torch.nn.functional as F
from transformers.models.oneformer import modeling_oneformer as reference

from oneformer_lite.config import ModelConfig
from oneformer_lite.data.targets import Targets
from oneformer_lite.losses import LOSSES, Criterion
from oneformer_lite.losses import pairs as module
from oneformer_lite.losses.criterion import fit_to_queries
from oneformer_lite.losses.pairs import Pairs, mean_over_processes
from oneformer_lite.losses.points import PointSource
from oneformer_lite.losses.terms import class_loss, dice_term, mask_term
from oneformer_lite.model.output import OneFormerOutput, Predictions

CONFIG = ModelConfig(num_classes=3, num_queries=6, text_context=1, num_points=40)


def targets(*counts: int) -> list[Targets]:
    """One image per count, with so many random masks of 16 x 24."""
    generator = torch.Generator().manual_seed(1)
    return [
        Targets(
            torch.rand(n, 16, 24, generator=generator) < 0.5, torch.arange(n) % 3,
            [f"a photo with a {i}" for i in range(n)],
        )
        for n in counts
    ]


def output(images: int = 2, layers: int = 1) -> OneFormerOutput:
    """Random leaves with gradient, ``layers`` predictions in all."""
    generator = torch.Generator().manual_seed(0)

    def leaf(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator).requires_grad_()

    predictions = [Predictions(leaf(images, 6, 4), leaf(images, 6, 4, 6)) for _ in range(layers)]
    final = predictions.pop()
    return OneFormerOutput(
        final.class_logits, final.mask_logits, predictions, leaf(images, 6, 8), leaf(images, 6, 8),
        torch.tensor(2.6593, requires_grad=True),
    )


def mask_losses(out, given, assigned, config) -> tuple[torch.Tensor, torch.Tensor]:
    """Mask and dice loss of these pairs."""
    pairs = Pairs(out.predictions, given, assigned, PointSource(torch.device("cpu")), config)
    return mask_term(out, pairs, config), dice_term(out, pairs, config)


def same_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every mask is compared on one fixed set of points: nothing depends on chance."""
    fixed = torch.rand(40, 2, generator=torch.Generator().manual_seed(5))
    monkeypatch.setattr(module, "uncertain_points", lambda logits, *_: fixed.expand(len(logits), -1, -1))
    monkeypatch.setattr(torch, "rand", lambda n, *_, **__: fixed.expand(n, -1, -1))


def test_names_and_weighted_total() -> None:
    config = dataclasses.replace(
        CONFIG, class_weight=1.0, mask_weight=10.0, dice_weight=100.0, contrastive_weight=1000.0
    )
    losses = Criterion(config)(output(), targets(2, 1))
    assert tuple(losses) == (*LOSSES, "total")
    assert all(loss.shape == () and loss.isfinite() and loss > 0 for loss in losses.values())
    expected = sum(10**i * losses[name].item() for i, name in enumerate(LOSSES))
    assert losses["total"].item() == pytest.approx(expected, rel=1e-5)


def test_class_loss_by_hand() -> None:
    logits = torch.zeros(1, 6, 4)
    logits[0, 1, 2] = math.log(3.0)  # query 1 says class 2 with probability 1/2
    loss = class_loss(
        Predictions(logits, torch.zeros(1, 6, 2, 2)),
        [Targets(torch.ones(1, 2, 2, dtype=torch.bool), torch.tensor([2]), [""])],
        [torch.tensor([1])],
        CONFIG,
    )
    # five queries without a mask: -log 1/4 each, at a tenth of the weight
    expected = (math.log(2) + 5 * 0.1 * math.log(4)) / (1 + 5 * 0.1)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_class_loss_agrees_with_log_softmax_and_ignores_the_order_of_masks() -> None:
    out, (target,) = output(1), targets(3)
    query = torch.tensor([4, 0, 5])
    loss = class_loss(out.predictions[0], [target], [query], CONFIG)
    classes = torch.full((6,), 3)
    classes[query] = target.labels
    weights = torch.tensor([1.0, 1, 1, 0.1])[classes]
    log_likelihood = out.class_logits[0].log_softmax(-1)[torch.arange(6), classes]
    assert loss.item() == pytest.approx((-(weights * log_likelihood).sum() / weights.sum()).item(), rel=1e-5)
    order = torch.tensor([2, 0, 1])
    turned = Targets(target.masks[order], target.labels[order], target.texts)
    same = class_loss(out.predictions[0], [turned], [query[order]], CONFIG)
    assert same.item() == pytest.approx(loss.item())


@pytest.mark.parametrize("mask_loss", ["bce", "focal"])
def test_mask_losses_against_transformers(mask_loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    points = torch.rand(6, 40, 2, generator=torch.Generator().manual_seed(5))  # others for every mask
    monkeypatch.setattr(module, "uncertain_points", lambda *_: points)
    out, given = output(layers=2), targets(2, 1)
    assigned = [[torch.tensor([3, 1]), torch.tensor([5])], [torch.tensor([0, 2]), torch.tensor([4])]]
    mask, dice = mask_losses(out, given, assigned, dataclasses.replace(CONFIG, mask_loss=mask_loss))
    expected_bce = expected_dice = 0.0
    rows = iter(points[:, None])  # prediction by prediction, image by image, mask by mask
    for prediction, queries in zip(out.predictions, assigned):
        for b, query in enumerate(queries):
            for g, q in enumerate(query):
                at = next(rows)
                masks = prediction.mask_logits[None, None, b, q], given[b].masks[None, None, g].float()
                logits, labels = (
                    reference.sample_point(mask, at, align_corners=False)[:, 0] for mask in masks
                )
                expected_bce += reference.sigmoid_cross_entropy_loss(logits, labels, num_masks=3)
                expected_dice += reference.dice_loss(logits, labels, num_masks=3)
    assert dice.item() == pytest.approx(expected_dice.item(), rel=1e-5)
    if mask_loss == "bce":
        assert mask.item() == pytest.approx(expected_bce.item(), rel=1e-5)
    else:
        assert 0 < mask < expected_bce


def test_all_predictions_count_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    same_points(monkeypatch)
    out, given, criterion = output(layers=4), targets(3, 2), Criterion(CONFIG)
    together = criterion(out, given)
    by_prediction = dict(criterion.by_prediction)
    parts = []
    for prediction in out.predictions:
        single = dataclasses.replace(
            out, class_logits=prediction.class_logits, masks=prediction.masks, auxiliary=[]
        )
        parts.append(criterion(single, given))
    for name in ("class", "mask", "dice"):
        expected = sum(part[name].item() for part in parts)
        assert together[name].item() == pytest.approx(expected, rel=1e-5), name
        each = [part[name].item() for part in parts]
        assert by_prediction[name].tolist() == pytest.approx(each, rel=1e-5) and not by_prediction[name].requires_grad
    assert together["contrastive"].item() == pytest.approx(parts[0]["contrastive"].item())  # only once


def test_mask_losses_are_means_over_masks() -> None:
    """Twice the same image: the same loss."""
    out, given = output(1), targets(3)
    doubled = OneFormerOutput(
        *(t.detach().repeat(2, *[1] * (t.ndim - 1)) for t in (out.class_logits, out.mask_logits)),
        object_queries=out.object_queries, text_queries=out.text_queries, logit_scale=out.logit_scale,
    )
    config = dataclasses.replace(CONFIG, num_points=20000)
    assigned = [[torch.tensor([0, 1, 2])]]
    torch.manual_seed(0)
    once = mask_losses(out, given, assigned, config)
    twice = mask_losses(doubled, given * 2, [assigned[0] * 2], config)
    for a, b in zip(once, twice):
        assert b.item() == pytest.approx(a.item(), rel=0.02)


def test_a_perfect_prediction_costs_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    y, x = torch.meshgrid((torch.arange(16) + 0.5) / 16, (torch.arange(24) + 0.5) / 24, indexing="ij")
    centres = torch.stack([x, y], -1).flatten(0, 1)
    monkeypatch.setattr(module, "uncertain_points", lambda logits, *_: centres.expand(len(logits), -1, -1))
    given = targets(2, 2)
    masks, classes = torch.full((2, 6, 16, 24), -30.0), torch.zeros(2, 6, 4)
    classes[..., 3] = 30
    for b, target in enumerate(given):
        for g, q in enumerate((4, 1)):
            masks[b, q] = 60 * target.masks[g].float() - 30
            classes[b, q] = 30 * F.one_hot(target.labels[g], 4)
    queries = torch.eye(2).view(2, 1, 2)
    out = OneFormerOutput(classes, masks, [], queries, queries, torch.tensor(math.log(100)))
    losses = Criterion(CONFIG)(out, given)
    assert all(loss < 1e-3 for loss in losses.values()), losses


@pytest.mark.parametrize("counts", [(0, 0), (0, 2), (1, 0)])
def test_images_without_masks(counts: tuple[int, int]) -> None:
    out = output(layers=3)
    losses = Criterion(CONFIG)(out, targets(*counts))
    assert all(loss.isfinite() for loss in losses.values())
    losses["total"].backward()
    for prediction in out.predictions:
        assert prediction.class_logits.grad.any(-1).all()  # every query learns to say "no object"
        learned = prediction.mask_logits.grad.flatten(1).any(1)
        assert learned.tolist() == [n > 0 for n in counts]


def test_more_masks_than_queries_keeps_the_largest() -> None:
    masks = torch.zeros(8, 10, 10, dtype=torch.bool)
    for g, rows in enumerate([3, 9, 1, 5, 2, 8, 7, 6]):
        masks[g, :rows] = True
    target = Targets(masks, torch.arange(8) % 3, [str(g) for g in range(8)], "instance")
    with pytest.warns(UserWarning, match="8 segments but the model has 6 queries: the smallest 2"):
        kept = fit_to_queries(target, 6)
    assert kept.texts == ["0", "1", "3", "5", "6", "7"]
    assert kept.labels.tolist() == [0, 1, 0, 2, 0, 1]
    assert kept.masks.flatten(1).sum(1).tolist() == [30, 90, 50, 80, 70, 60]
    assert kept.task == "instance"
    assert fit_to_queries(kept, 6) is kept
    with pytest.warns(UserWarning, match="segments"):
        assert Criterion(CONFIG)(output(), targets(9, 1))["total"].isfinite()


def test_a_batch_of_one_warns_and_has_no_contrastive_loss() -> None:
    with pytest.warns(UserWarning, match="batch of one"):
        assert Criterion(CONFIG)(output(1), targets(2))["contrastive"] == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Criterion(CONFIG)(output(2), targets(2, 1))["contrastive"] > 0


def test_half_precision_predictions() -> None:
    out = output()
    classes, masks = out.class_logits.bfloat16(), out.mask_logits.bfloat16()
    half = dataclasses.replace(out, class_logits=classes, masks=masks)
    torch.manual_seed(0)
    losses = Criterion(CONFIG)(half, targets(2, 1))
    assert all(loss.dtype == torch.float32 and loss.isfinite() for loss in losses.values())


def test_autocast_does_not_reach_the_losses() -> None:
    """Matrix products of costs and cosines in half precision would tie."""
    results = []
    for enabled in (False, True):
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            results.append(Criterion(CONFIG)(output(), targets(2, 1)))
    assert results[0] == results[1]


def test_a_single_process_is_its_own_mean() -> None:
    assert mean_over_processes(0, torch.device("cpu")) == 0
    assert mean_over_processes(7, torch.device("cpu")) == 7


def test_wrong_use_is_explained() -> None:
    with pytest.raises(ValueError, match="texts=batch.texts"):
        Criterion(CONFIG)(dataclasses.replace(output(), object_queries=None), targets(1, 1))
    with pytest.raises(ValueError, match="2 images but targets for 1"):
        Criterion(CONFIG)(output(), targets(1))


def test_the_criterion_has_nothing_to_save() -> None:
    assert not Criterion(CONFIG).state_dict()
