"""The contrastive loss: by hand, and its edges (several processes: test_distributed.py)."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from oneformer_lite.losses.contrastive import MAX_SCALE, contrastive_loss, similarity

SCALE = torch.tensor(math.log(1 / 0.07))


def queries(batch: int = 4, seed: int = 0) -> Tensor:
    return torch.randn(batch, 3, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float32)


def test_two_images_by_hand() -> None:
    images = torch.tensor([[[3.0, 0.0]], [[0.0, 2.0]]])
    texts = torch.tensor([[[1.0, 0.0]], [[1.0, 1.0]]])
    # cosines: [[1, 1/sqrt 2], [0, 1/sqrt 2]], scaled by 2
    r = math.sqrt(2)
    rows = (math.log(1 + math.exp(r - 2)) + math.log(1 + math.exp(-r))) / 2
    columns = (math.log(1 + math.exp(-2)) + math.log(1 + 1)) / 2
    loss = contrastive_loss(images, texts, torch.tensor(math.log(2.0)))
    assert loss.item() == pytest.approx(rows + columns, abs=1e-6)


def test_every_image_is_one_vector() -> None:
    images, texts = queries(), queries(seed=1)
    result = similarity(images, texts, torch.zeros(()))
    for b in range(4):
        for d in range(4):
            expected = F.cosine_similarity(images[b].flatten(), texts[d].flatten(), dim=0)
            assert result[b, d].item() == pytest.approx(expected.item(), abs=1e-6)


def test_one_image_teaches_nothing() -> None:
    images, texts = queries(1).requires_grad_(), queries(1, seed=1).requires_grad_()
    loss = contrastive_loss(images, texts, SCALE)
    loss.backward()
    assert loss.item() == 0
    assert not images.grad.any() and not texts.grad.any()


def test_symmetric_and_blind_to_the_order_of_images() -> None:
    images, texts = queries(), queries(seed=1)
    loss = contrastive_loss(images, texts, SCALE)
    assert contrastive_loss(texts, images, SCALE).item() == pytest.approx(loss.item(), rel=1e-6)
    order = torch.tensor([2, 0, 3, 1])
    reordered = contrastive_loss(images[order], texts[order], SCALE)
    assert reordered.item() == pytest.approx(loss.item(), rel=1e-6)
    assert contrastive_loss(images, texts[order], SCALE) != loss


def test_length_of_the_vectors_does_not_count() -> None:
    loss = contrastive_loss(queries(), queries(seed=1), SCALE)
    longer = contrastive_loss(7 * queries(), queries(seed=1) / 3, SCALE)
    assert longer.item() == pytest.approx(loss.item(), rel=1e-5)


def test_scale_stops_at_100() -> None:
    images, texts = queries(), queries(seed=1)
    at_limit = similarity(images, texts, torch.tensor(math.log(MAX_SCALE)))
    assert similarity(images, texts, torch.tensor(9.0)).equal(at_limit)
    assert at_limit.abs().max() <= 100.001
    assert similarity(images, texts, torch.tensor(4.0)).abs().max() < at_limit.abs().max()


def test_gradient() -> None:
    images, texts = queries(3).requires_grad_(), queries(3, seed=1).requires_grad_()
    scale = SCALE.clone().requires_grad_()
    contrastive_loss(images, texts, scale).backward()
    step = 1e-2
    for tensor in (images, texts, scale):
        direction = torch.randn(tensor.shape, generator=torch.Generator().manual_seed(2))
        values = []
        for sign in (1, -1):
            moved = [t + sign * step * direction if t is tensor else t for t in (images, texts, scale)]
            values.append(contrastive_loss(*moved).item())
        expected = (values[0] - values[1]) / (2 * step)
        assert (tensor.grad * direction).sum().item() == pytest.approx(expected, abs=5e-3)
