"""FPN and both pixel decoders: shapes, gradients, and what is computed where."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from oneformer_lite.model.output import Trace
from oneformer_lite.model.parts.fpn import FPNPixelDecoder, FPNStep
from oneformer_lite.model.parts.pixel_decoder import DeformablePixelDecoder, reference_points

CHANNELS = [3, 4, 5, 6]


def decoder(kind: str, dropout: float = 0.0) -> nn.Module:
    torch.manual_seed(0)
    if kind == "fpn":
        return FPNPixelDecoder(CHANNELS, dim=16)
    return DeformablePixelDecoder(CHANNELS, dim=16, heads=4, layers=2, points=2, ffn=24, dropout=dropout)


def features(height: int, width: int) -> list[torch.Tensor]:
    """Random maps at strides 4 to 32 of a picture of this size."""
    torch.manual_seed(1)
    return [torch.randn(2, c, height // s, width // s) for c, s in zip(CHANNELS, (4, 8, 16, 32))]


@pytest.mark.parametrize("kind", ["fpn", "deformable"])
@pytest.mark.parametrize("size", [(64, 64), (64, 128), (96, 32)])
def test_shapes(kind: str, size: tuple[int, int]) -> None:
    mask_features, maps = decoder(kind)(features(*size))
    assert mask_features.shape == (2, 16, size[0] // 4, size[1] // 4)
    expected = [(2, 16, size[0] // s, size[1] // s) for s in (32, 16, 8)]
    assert [tuple(m.shape) for m in maps] == expected


@pytest.mark.parametrize("kind", ["fpn", "deformable"])
def test_every_parameter_learns(kind: str) -> None:
    module = decoder(kind)
    for name, parameter in module.named_parameters():  # at their zero start the look-ups learn nothing
        if "attention" in name:
            nn.init.normal_(parameter, std=0.1)
    mask_features, maps = module(features(64, 96))
    sum((m * torch.randn_like(m)).sum() for m in [mask_features, *maps]).backward()
    idle = [name for name, p in module.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


def test_fpn_step_adds_the_enlarged_map() -> None:
    torch.manual_seed(0)
    step, fine, coarse = FPNStep(3, 8), torch.randn(1, 3, 4, 6), torch.randn(1, 8, 2, 3)
    lateral = F.group_norm(F.conv2d(fine, step.lateral[0].weight), 8)
    summed = lateral + F.interpolate(coarse, scale_factor=2, mode="bilinear")
    expected = F.group_norm(F.conv2d(summed, step.output[0].weight, padding=1), 8).relu()
    assert torch.allclose(step(fine, coarse), expected, atol=1e-5)


def test_reference_points_are_pixel_centres_level_by_level() -> None:
    points = reference_points(((1, 2), (2, 1)))
    assert points.tolist() == [[0.25, 0.5], [0.75, 0.5], [0.5, 0.25], [0.5, 0.75]]
    reference_points.cache_clear()
    with torch.inference_mode():
        reference_points(((1, 2),))
    assert not reference_points(((1, 2),)).is_inference()


def test_one_layer_is_attention_then_feed_forward_post_norm() -> None:
    layer = decoder("deformable").layers[0]
    shapes = [(2, 3), (1, 2), (1, 1)]
    x, positions, reference = torch.randn(2, 9, 16), torch.randn(9, 16), torch.rand(9, 2)
    update = layer.attention(x + positions, reference, x, shapes)
    expected = layer.feed_forward(F.layer_norm(x + update, (16,)))
    assert torch.allclose(layer(x, positions, reference, shapes), expected, atol=1e-6)


def test_dropout_in_training_only() -> None:
    module, maps = decoder("deformable", dropout=0.5), features(64, 64)
    module.eval()
    assert module(maps)[0].equal(module(maps)[0])
    module.train()
    assert not torch.allclose(module(maps)[0], module(maps)[0])


def test_trace_changes_nothing_and_shows_where_each_layer_looks() -> None:
    module, maps, trace = decoder("deformable"), features(64, 96), Trace()
    assert module(maps, trace)[0].equal(module(maps)[0])
    positions = 2 * 3 + 4 * 6 + 8 * 12
    looks = [f"pixel_decoder.layer{i}.sampling_{what}" for i in (0, 1) for what in ("locations", "weights")]
    handed_on = [f"pixel_decoder.{what}" for what in ("stride32", "stride16", "stride8", "mask_features")]
    assert list(trace) == [*looks, *handed_on]
    assert trace["pixel_decoder.layer1.sampling_locations"].shape == (2, positions, 4, 3, 2, 2)
    assert not trace["pixel_decoder.layer1.sampling_locations"].requires_grad
    assert "[2, 126, 4, 3, 2]" in trace.shapes()


def test_levels_are_told_apart_by_an_embedding_of_unit_variance() -> None:
    module = DeformablePixelDecoder(CHANNELS, 64, 4, 1, 2, 24, 0.0)
    assert 0.8 < module.level_embed.std() < 1.2
    maps = features(64, 64)
    with torch.no_grad():
        before = module(maps)[1][0]
        module.level_embed[0] += torch.linspace(-3, 3, 64)
        for layer in module.layers:
            nn.init.normal_(layer.attention.attention_weights.weight)
        assert not torch.allclose(module(maps)[1][0], before, atol=1e-3)
