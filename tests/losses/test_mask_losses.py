"""BCE, focal and dice: values by hand, agreement with transformers, gradients."""

from __future__ import annotations

import math

import pytest
import torch
from torchvision.ops import sigmoid_focal_loss
from transformers.models.oneformer import modeling_oneformer as reference

from oneformer_lite.losses.masks import bce_loss, dice_loss, focal_loss


@pytest.fixture
def masks() -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and labels of 5 masks on 40 points, in double precision."""
    torch.manual_seed(0)
    return 3 * torch.randn(5, 40, dtype=torch.float64), (torch.rand(5, 40) < 0.4).double()


def test_values_by_hand() -> None:
    # p = 1/2 and 3/4; y = 1 and 0
    logits = torch.tensor([[0.0, math.log(3.0)]], dtype=torch.float64)
    labels = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    ln2, ln4 = math.log(2), math.log(4)
    assert bce_loss(logits, labels).item() == pytest.approx((ln2 + ln4) / 2, abs=1e-9)
    assert dice_loss(logits, labels).item() == pytest.approx(1 - (2 * 0.5 + 1) / (1.25 + 1 + 1), abs=1e-9)
    focal = (0.25 * 0.5**2 * ln2 + 0.75 * 0.75**2 * ln4) / 2
    assert focal_loss(logits, labels).item() == pytest.approx(focal, abs=1e-9)


def test_agrees_with_transformers_and_torchvision(masks) -> None:
    logits, labels = masks
    expected = reference.sigmoid_cross_entropy_loss(logits, labels, num_masks=1)
    assert bce_loss(logits, labels).sum().item() == pytest.approx(expected.item(), abs=1e-9)
    expected = reference.dice_loss(logits, labels, num_masks=1)
    assert dice_loss(logits, labels).sum().item() == pytest.approx(expected.item(), abs=1e-9)
    expected = sigmoid_focal_loss(logits, labels, alpha=0.25, gamma=2).mean(1)
    assert torch.allclose(focal_loss(logits, labels), expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("loss", [bce_loss, focal_loss, dice_loss])
def test_gradients(loss, masks) -> None:
    logits, labels = (m[:2, :6] for m in masks)
    assert torch.autograd.gradcheck(lambda x: loss(x, labels), logits.requires_grad_())


@pytest.mark.parametrize("loss", [bce_loss, focal_loss, dice_loss])
def test_one_value_per_mask_and_zero_for_a_perfect_one(loss, masks) -> None:
    logits, labels = masks
    assert loss(logits, labels).shape == (5,)
    perfect = loss(100 * (2 * labels - 1), labels)
    assert perfect.abs().max() < 1e-9
    assert (loss(-100 * (2 * labels - 1), labels) > 0.5).all()


def test_huge_logits_stay_finite() -> None:
    logits = torch.tensor([[1e4, -1e4]])
    labels = torch.tensor([[0.0, 1.0]])
    for loss in (bce_loss, focal_loss, dice_loss):
        assert loss(logits, labels).isfinite().all()


def test_an_empty_mask_has_a_dice_loss() -> None:
    assert dice_loss(torch.full((1, 9), -50.0), torch.zeros(1, 9)).item() == pytest.approx(0, abs=1e-6)
