"""Attention, MLP, position maps and blocks against PyTorch's own modules and plain formulas."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch_modules import torch_attention
from transformers.models.oneformer.modeling_oneformer import OneFormerSinePositionEmbedding

from oneformer_lite.model.parts.layers import MLP, Attention, ConvNorm, FeedForward, sine_positions


@pytest.mark.parametrize("masked", [False, True])
def test_attention_equals_torch(masked: bool) -> None:
    torch.manual_seed(0)
    ours = Attention(12, 3)
    theirs = torch_attention(ours)
    query, key, value = torch.randn(2, 5, 12), torch.randn(2, 7, 12), torch.randn(2, 7, 12)
    allowed = None
    blocked = None
    if masked:
        allowed = torch.rand(2, 5, 7) < 0.5
        allowed[..., 0] = True
        blocked = ~allowed.repeat_interleave(3, dim=0)
    expected, weights = theirs(query, key, value, attn_mask=blocked, average_attn_weights=False)
    fused, none = ours(query, key, value, allowed)
    explicit, own_weights = ours(query, key, value, allowed, need_weights=True)
    assert none is None
    assert torch.allclose(fused, expected, atol=1e-6)
    assert torch.allclose(explicit, expected, atol=1e-6)
    assert torch.allclose(own_weights, weights, atol=1e-6)


@pytest.mark.parametrize("need_weights", [False, True])
def test_attention_drops_only_in_training(need_weights: bool) -> None:
    torch.manual_seed(0)
    attention, x = Attention(8, 2, dropout=0.5), torch.randn(1, 6, 8)
    attention.eval()
    first = attention(x, x, x, need_weights=need_weights)[0]
    assert first.equal(attention(x, x, x, need_weights=need_weights)[0])
    attention.train()
    assert not torch.allclose(attention(x, x, x, need_weights=need_weights)[0], first)


def test_mlp_has_relu_between_but_not_after() -> None:
    mlp = MLP(1, 1, 1, num_layers=2)
    for layer in mlp.layers:
        nn.init.constant_(layer.weight, -1.0)
        nn.init.zeros_(layer.bias)
    assert mlp(torch.tensor([[-2.0], [3.0]])).tolist() == [[-2.0], [0.0]]
    assert [tuple(layer.weight.shape) for layer in MLP(77, 8, 5, 3).layers] == [(8, 77), (8, 8), (5, 8)]


def test_feed_forward_is_post_norm() -> None:
    torch.manual_seed(0)
    block, x = FeedForward(4, 6), torch.randn(3, 4)
    hidden = F.linear(x, block.linear1.weight, block.linear1.bias).clamp(min=0)
    update = F.linear(hidden, block.linear2.weight)
    expected = F.layer_norm(x + update + block.linear2.bias, (4,))
    assert torch.allclose(block(x), expected, atol=1e-6)


@pytest.mark.parametrize("height, width", [(3, 5), (4, 4), (1, 6)])
def test_sine_positions_follow_the_formula(height: int, width: int) -> None:
    dim = 12
    half = dim // 2
    map_ = sine_positions(height, width, dim)
    assert map_.shape == (dim, height, width)
    for y in range(height):
        for x in range(width):
            for channel in range(dim):
                at, side = (y, height) if channel < half else (x, width)  # first y, then x
                i = channel % half
                angle = (at + 1) / side * 2 * math.pi / 10000 ** (2 * (i // 2) / half)
                expected = math.sin(angle) if i % 2 == 0 else math.cos(angle)
                assert float(map_[channel, y, x]) == pytest.approx(expected, abs=1e-5)


def test_sine_positions_equal_transformers() -> None:
    theirs = OneFormerSinePositionEmbedding(num_position_features=16, normalize=True)
    expected = theirs(torch.Size((1, 32, 6, 9)), "cpu", torch.float32)[0]
    assert torch.allclose(sine_positions(6, 9, 32), expected, atol=1e-6)


def test_cached_positions_may_be_trained_on_after_inference() -> None:
    sine_positions.cache_clear()
    with torch.inference_mode():
        sine_positions(3, 4, 8)
    assert not sine_positions(3, 4, 8).is_inference()


def test_conv_norm_has_a_bias_only_when_asked() -> None:
    block = ConvNorm(3, 48, kernel=3, relu=True)
    assert block[0].bias is None and block[1].num_groups == 16  # the largest divisor of 32 and 48
    assert block(torch.randn(2, 3, 5, 7)).shape == (2, 48, 5, 7)
    assert block(torch.randn(1, 3, 4, 4)).min() >= 0
    assert not ConvNorm(3, 32, kernel=1, bias=True)[0].bias.any()
