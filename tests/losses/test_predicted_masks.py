"""Masks read from the product of embeddings and features: what whole masks give, without making them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from oneformer_lite.config import ModelConfig
from oneformer_lite.data.targets import Targets
from oneformer_lite.losses import LOSSES, Criterion
from oneformer_lite.losses.points import sample_points
from oneformer_lite.losses.predicted_masks import masks_at, matched_masks
from oneformer_lite.model.output import MaskProduct, OneFormerOutput, Predictions

QUERIES, DIM, CLASSES = 5, 4, 3


def leaf(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()


def products(images: int = 2, layers: int = 3) -> tuple[list[Predictions], list[Tensor]]:
    """Predictions with shared features, and the leaves of their gradients."""
    features = leaf(0, images, DIM, 6, 9)
    embeddings = [leaf(1 + i, images, QUERIES, DIM) for i in range(layers)]
    classes = [leaf(11 + i, images, QUERIES, CLASSES + 1) for i in range(layers)]
    predictions = [Predictions(c, MaskProduct(e, features)) for c, e in zip(classes, embeddings)]
    return predictions, [features, *embeddings, *classes]


def whole(predictions: list[Predictions]) -> list[Predictions]:
    return [Predictions(p.class_logits, p.masks.whole()) for p in predictions]


def targets(*counts: int) -> list[Targets]:
    generator = torch.Generator().manual_seed(4)
    return [
        Targets(torch.rand(n, 12, 18, generator=generator) < 0.5, torch.arange(n) % CLASSES, [""] * n) for n in counts
    ]


def test_all_masks_at_points() -> None:
    predictions, _ = products()
    points = torch.rand(2, 7, 2, dtype=torch.float64) * 1.2 - 0.1  # some outside
    for found, prediction in zip(masks_at(points, predictions), whole(predictions), strict=True):
        torch.testing.assert_close(found, sample_points(prediction.mask_logits, points), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("counts", [(2, 3), (0, 2), (2, 0), (0, 0)])
def test_matched_masks(counts: tuple[int, int]) -> None:
    """Image by image within each prediction, whether an image has masks or not."""
    predictions, _ = products()
    assigned = [[torch.randperm(QUERIES)[:n] for n in counts] for _ in predictions]
    expected = [p.masks.whole()[b, query] for p, row in zip(predictions, assigned) for b, query in enumerate(row)]
    found = matched_masks(predictions, assigned)
    torch.testing.assert_close(found, torch.cat(expected), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(matched_masks(whole(predictions), assigned), found, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("counts", [(2, 3), (0, 2), (0, 0)])
def test_losses_and_gradients_are_those_of_whole_masks(counts: tuple[int, int]) -> None:
    config = ModelConfig(num_classes=CLASSES, num_queries=QUERIES, text_context=1, num_points=8)
    predictions, leaves = products()
    queries = leaf(30, 2, QUERIES, DIM), leaf(31, 2, QUERIES, DIM), torch.tensor(2.0, dtype=torch.float64)
    results = []
    for given in (predictions, whole(predictions)):
        *auxiliary, last = given
        output = OneFormerOutput(last.class_logits, last.masks, auxiliary, *queries)
        losses = Criterion(config)(output, targets(*counts), seeds=[(0,), (1,)])
        results.append(([losses[name] for name in LOSSES], torch.autograd.grad(losses["total"], leaves)))
    torch.testing.assert_close(*results, rtol=1e-10, atol=1e-12)


def test_the_criterion_makes_no_whole_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(MaskProduct, "whole")
    predictions, _ = products()
    *auxiliary, last = predictions
    output = OneFormerOutput(last.class_logits, last.masks, auxiliary, *(leaf(n, 2, QUERIES, DIM) for n in (30, 31)))
    output.logit_scale = torch.tensor(2.0)
    config = ModelConfig(num_classes=CLASSES, num_queries=QUERIES, text_context=1, num_points=8)
    assert Criterion(config)(output, targets(2, 3))["total"].isfinite()


def total_and_gradients(predictions: list[Predictions], leaves: list[Tensor]) -> tuple[Tensor, tuple[Tensor, ...]]:
    *auxiliary, last = predictions
    queries = leaf(30, 2, QUERIES, DIM), leaf(31, 2, QUERIES, DIM), torch.tensor(2.0, dtype=torch.float64)
    config = ModelConfig(num_classes=CLASSES, num_queries=QUERIES, text_context=1, num_points=8)
    output = OneFormerOutput(last.class_logits, last.masks, auxiliary, *queries)
    total = Criterion(config)(output, targets(2, 3), seeds=[(0,), (1,)])["total"]
    return total, torch.autograd.grad(total, leaves)


@pytest.mark.parametrize("looked_at", [(0,), (2,), (0, 1, 2)])
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_a_look_before_the_loss_changes_no_gradient(looked_at: tuple[int, ...], mode) -> None:
    expected = total_and_gradients(*products())
    predictions, leaves = products()
    with mode():
        for i in looked_at:
            assert predictions[i].mask_logits.shape == (2, QUERIES, 6, 9)
    torch.testing.assert_close(total_and_gradients(predictions, leaves), expected, rtol=1e-10, atol=1e-12)


def test_predictions_of_different_features() -> None:
    """As of two models side by side."""
    one, leaves = products(layers=1)
    other = Predictions(
        leaf(50, 2, QUERIES, CLASSES + 1), MaskProduct(leaf(51, 2, QUERIES, DIM), leaf(52, 2, DIM, 6, 9))
    )
    both = [*one, other]
    found = total_and_gradients(both, [*leaves, other.masks.features])
    torch.testing.assert_close(
        found, total_and_gradients(whole(both), [*leaves, other.masks.features]), rtol=1e-10, atol=1e-12
    )


def test_half_precision_is_multiplied_in_float32() -> None:
    predictions, _ = products(layers=2)
    half = [
        Predictions(p.class_logits, MaskProduct(p.masks.embeddings.bfloat16(), p.masks.features.bfloat16()))
        for p in predictions
    ]
    assigned = [[torch.tensor([1, 3]), torch.tensor([0])]] * 2
    exact = [
        Predictions(p.class_logits, MaskProduct(p.masks.embeddings.float(), p.masks.features.float())) for p in half
    ]
    torch.testing.assert_close(matched_masks(half, assigned), matched_masks(exact, assigned), rtol=1e-6, atol=1e-6)


def test_whole_masks_have_a_gradient_of_their_own() -> None:
    """Whoever wants the gradient of the masks themselves gives the losses whole ones."""
    (prediction,), leaves = products(layers=1)
    masks = prediction.mask_logits
    assert prediction.mask_logits is masks and isinstance(prediction.masks, MaskProduct)
    (gradient,) = torch.autograd.grad(sample_points(masks, torch.rand(2, 3, 2, dtype=torch.float64)).sum(), masks)
    assert gradient.abs().sum() > 0
    with torch.no_grad():
        detached = Predictions(prediction.class_logits, MaskProduct(*(x.detach() for x in leaves[1::-1])))
        assert detached.mask_logits is detached.mask_logits
    prediction.masks = masks
    found = matched_masks([prediction], [[torch.tensor([1]), torch.tensor([4])]])
    (gradient,) = torch.autograd.grad(found.sum(), masks)
    assert [row.any(-1).any(-1).nonzero().flatten().tolist() for row in gradient] == [[1], [4]]
