"""Dropout on a CPU: how much is dropped, what remains, the gradient, and where PyTorch's own is used."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from oneformer_lite.model.fast import dropout
from oneformer_lite.model.fast.dropout import Dropout, attend_with_dropout, draw_kept
from oneformer_lite.model.parts.layers import Attention


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_as_many_are_dropped_as_asked_for(p: float) -> None:
    torch.manual_seed(0)
    kept = draw_kept((1000, 1001), p)
    assert kept.shape == (1000, 1001) and kept.dtype == torch.bool
    deviation = math.sqrt(p * (1 - p) / kept.numel())
    assert abs(kept.double().mean() - (1 - p)) < 4 * deviation + 2**-17
    # neighbours come from one 64-bit number: they must not know of each other
    flat = kept.flatten().double() - (1 - p)
    for step in (1, 2, 3, 4):
        assert abs((flat[:-step] * flat[step:]).mean()) < 4 * p * (1 - p) / 1000


def test_what_remains_is_scaled_and_has_its_gradient() -> None:
    torch.manual_seed(0)
    x = torch.randn(50, 40, requires_grad=True)
    y = Dropout(0.25).train()(x)
    gone = y == 0
    assert 0.2 < gone.float().mean() < 0.3
    assert torch.allclose(y[~gone], x[~gone] / 0.75)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(gradient, torch.where(gone, 0.0, 1 / 0.75))


def test_a_seed_decides_and_evaluation_drops_nothing() -> None:
    x, layer = torch.randn(30), Dropout(0.5)
    first, second = (torch.manual_seed(3) and layer(x) for _ in range(2))
    assert torch.equal(first, second) and not torch.equal(first, layer(x))
    assert layer.eval()(x) is x and Dropout(0.0).train()(x) is x and isinstance(layer, nn.Dropout)


def test_attention_with_dropout_is_as_exact_in_bfloat16_as_the_numbers_are(monkeypatch) -> None:
    monkeypatch.setattr(dropout, "draw_kept", lambda shape, p: torch.ones(shape, dtype=torch.bool))
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 2, length, 8).bfloat16().requires_grad_() for length in (3, 20_000, 20_000))
    v = (v.detach() + 1).requires_grad_()  # a mean that does not vanish
    exact = F.scaled_dot_product_attention(*(x.float() for x in (q, k, v)))
    found, upstream = attend_with_dropout(q, k, v, 0.5) / 2, torch.randn_like(exact)
    assert found.dtype == torch.bfloat16
    assert (found - exact).abs().max() < 0.01 * exact.abs().max()
    gradients = [torch.autograd.grad(out, v, upstream.to(out))[0].float().sum() for out in (found, exact)]
    assert gradients[0] == pytest.approx(gradients[1].item(), rel=0.02)


def test_attention_without_queries() -> None:
    """A model of one query: its task token alone, and nothing to refine."""
    k = torch.randn(2, 3, 5, 4)
    assert attend_with_dropout(torch.randn(2, 3, 0, 4), k, k, 0.1).shape == (2, 3, 0, 4)


@pytest.mark.parametrize("at_once", [1, 2 * 4 * 7, 10**6])  # one head in a turn, two, all six
def test_attention_with_dropout_and_its_gradient(at_once: int, monkeypatch) -> None:
    """Against the formula written out, with the same weights dropped; S is no multiple of 4."""
    torch.manual_seed(0)
    monkeypatch.setattr(dropout, "_AT_ONCE", at_once)
    kept = torch.rand(2, 3, 4, 7) > 0.3
    monkeypatch.setattr(dropout, "draw_kept", lambda shape, p: kept.view(shape))
    q, k, v = (torch.randn(2, 3, length, 5, dtype=torch.float64, requires_grad=True) for length in (4, 7, 7))
    expected = ((q @ k.transpose(-2, -1) / math.sqrt(5)).softmax(-1) * kept / 0.7) @ v
    found, upstream = attend_with_dropout(q, k, v, 0.3), torch.randn_like(expected)
    assert torch.allclose(found, expected, atol=1e-14)
    gradients = [torch.autograd.grad(result, (q, k, v), upstream) for result in (found, expected)]
    assert all(torch.allclose(mine, theirs, atol=1e-14) for mine, theirs in zip(*gradients))


def test_attention_in_training_is_that_of_pytorch_on_average() -> None:
    torch.manual_seed(0)
    attention = Attention(8, 2, dropout=0.2).train()
    query, key = torch.randn(1, 3, 8), torch.randn(1, 50, 8)
    with torch.no_grad():
        mean = torch.stack([attention(query, key, key)[0] for _ in range(4000)]).mean(0)
        expected = attention.eval()(query, key, key)[0]
        assert (mean - expected).abs().max() < 0.02
        q, k, v = (p(x).view(1, -1, 2, 4).transpose(1, 2) for p, x in
                   zip((attention.q_proj, attention.k_proj, attention.v_proj), (query, key, key)))  # fmt: skip
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        assert torch.allclose(attention.out_proj(mixed), expected, atol=1e-6)
