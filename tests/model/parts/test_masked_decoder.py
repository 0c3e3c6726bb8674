"""The masked decoder: regions, the linear shortcut, and what is predicted when."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_modules import torch_attention

from oneformer_lite.model.output import Predictions, Trace
from oneformer_lite.model.parts.layers import sine_positions
from oneformer_lite.model.parts.masked_decoder import DecoderLayer, MaskedDecoder, attention_region

DIM = 16


def decoder(layers: int = 4) -> MaskedDecoder:
    torch.manual_seed(0)
    return MaskedDecoder(DIM, heads=4, layers=layers, ffn=24, num_classes=5)


def arguments() -> dict:
    """Six queries; maps at strides 32, 16, 8 and mask features of a 64 x 96 picture."""
    torch.manual_seed(1)
    return {
        "queries": torch.randn(2, 6, DIM),
        "query_positions": torch.randn(6, DIM),
        "maps": [torch.randn(2, DIM, 64 // s, 96 // s) for s in (32, 16, 8)],
        "mask_features": torch.randn(2, DIM, 16, 24),
    }


def resize_masks_layer_by_layer(module: MaskedDecoder, given: dict) -> list[Predictions]:
    """The published order of work: full masks before every layer, resized, thresholded by sigmoid."""
    x, predictions = given["queries"], []
    where = given["query_positions"]
    for i in range(len(module.layers) + 1):
        normed = F.layer_norm(x, (DIM,), module.norm.weight, module.norm.bias)
        masks = torch.einsum("bqc,bchw->bqhw", module.mask_head(normed), given["mask_features"])
        predictions.append(Predictions(module.class_head(normed), masks))
        if i == len(module.layers):
            return predictions
        layer, level = module.layers[i], i % 3
        map_ = given["maps"][level]
        small = F.interpolate(masks, map_.shape[-2:], mode="bilinear", align_corners=False)
        allowed = small.sigmoid().flatten(2) >= 0.5
        allowed[~allowed.any(-1)] = True
        values = map_.flatten(2).transpose(1, 2) + module.level_embed.weight[level]
        keys = values + sine_positions(*map_.shape[-2:], DIM).flatten(1).T
        x = layer.norm1(x + layer.cross_attention(x + where, keys, values, allowed)[0])
        x = layer.norm2(x + layer.self_attention(x + where, x + where, x)[0])
        x = layer.feed_forward(x)


def test_region_by_hand() -> None:
    logits = torch.tensor([[[-1.0, 0.0, 2.0], [-1.0, -2.0, -0.1], [1.0, 1.0, 1.0]]])
    assert attention_region(logits).tolist() == [[[False, True, True], [True, True, True], [True] * 3]]


def test_region_is_sigmoid_at_least_half_and_never_empty() -> None:
    torch.manual_seed(0)
    logits = torch.randn(3, 7, 40)
    logits[1, 2] = -1
    region = attention_region(logits)
    assert region.any(-1).all()
    expected = logits.sigmoid() >= 0.5
    expected[1, 2] = True
    assert region.equal(expected)


def test_the_shortcut_equals_resizing_full_masks() -> None:
    module, given = decoder(), arguments()
    expected = resize_masks_layer_by_layer(module, given)
    result = module(**given, all_predictions=True)
    assert len(result) == len(expected) == 5
    for ours, theirs in zip(result, expected):
        assert torch.allclose(ours.class_logits, theirs.class_logits, atol=1e-5)
        assert torch.allclose(ours.mask_logits, theirs.mask_logits, atol=1e-5)


@pytest.mark.parametrize("need_weights", [False, True])
def test_one_layer_equals_torch_modules(need_weights: bool) -> None:
    """Masked look at the picture, talk among the queries, feed-forward: each added, then normalised."""
    torch.manual_seed(0)
    layer = DecoderLayer(DIM, 4, 24).double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.5)
    x, where, keys, values = (torch.randn(s, dtype=torch.float64) for s in (
        (2, 5, DIM), (5, DIM), (2, 12, DIM), (2, 12, DIM),
    ))
    allowed = torch.rand(2, 5, 12) < 0.3
    allowed |= ~allowed.any(-1, keepdim=True)

    def normed(norm: nn.LayerNorm, y: Tensor) -> Tensor:
        return F.layer_norm(y, (DIM,), norm.weight, norm.bias)

    cross, own, feed = torch_attention(layer.cross_attention), torch_attention(layer.self_attention), layer.feed_forward
    blocked = ~allowed.repeat_interleave(4, dim=0)  # True = may not look, for every head
    update, weights = cross(x + where, keys, values, attn_mask=blocked, average_attn_weights=False)
    y = normed(layer.norm1, x + update)
    y = normed(layer.norm2, y + own(y + where, y + where, y)[0])
    hidden = F.linear(y, feed.linear1.weight, feed.linear1.bias).relu()
    y = normed(feed.norm, y + F.linear(hidden, feed.linear2.weight, feed.linear2.bias))
    result, own_weights = layer(x, where, keys, values, allowed, need_weights)
    assert (result - y).abs().max() < 1e-12
    if need_weights:
        assert (own_weights - weights).abs().max() < 1e-12


def test_shapes() -> None:
    final = decoder()(**arguments(), all_predictions=False)[-1]
    assert final.class_logits.shape == (2, 6, 6)
    assert final.mask_logits.shape == (2, 6, 16, 24)


def test_inference_returns_the_last_prediction_alone_and_the_same() -> None:
    module, given = decoder(), arguments()
    everything = module(**given, all_predictions=True)
    final = module(**given, all_predictions=False)
    assert len(everything) == 5 and len(final) == 1
    assert final[0].class_logits.equal(everything[-1].class_logits)
    assert final[0].mask_logits.equal(everything[-1].mask_logits)


def test_trace_changes_nothing() -> None:
    module, given, trace = decoder(), arguments(), Trace()
    traced = module(**given, all_predictions=True, trace=trace)
    for ours, theirs in zip(traced, module(**given, all_predictions=True)):
        assert torch.allclose(ours.mask_logits, theirs.mask_logits, atol=1e-4)
    sizes = [(2, 3), (4, 6), (8, 12), (2, 3)]  # the levels in turn
    for i, size in enumerate(sizes):
        region, attention = (
            trace[f"decoder.layer{i}.{what}"] for what in ("attention_region", "attention")
        )
        assert region.shape == (2, 6, *size) and attention.shape == (2, 4, 6, *size)
        assert not attention[~region[:, None].expand_as(attention)].any()  # nobody looks outside
        assert torch.allclose(attention.sum((-1, -2)), torch.ones(2, 4, 6), atol=1e-5)


def test_a_query_without_mask_sees_everything() -> None:
    module, given, trace = decoder(layers=1), arguments(), Trace()
    given["mask_features"] = torch.zeros_like(given["mask_features"])
    given["mask_features"][:, 0] = 1
    for layer in module.mask_head.layers[:-1]:
        torch.nn.init.zeros_(layer.weight)
    last = module.mask_head.layers[-1]
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.constant_(last.bias, -1.0)
    module(**given, all_predictions=False, trace=trace)
    assert trace["decoder.layer0.attention_region"].all()


def test_no_gradient_through_the_regions_but_every_parameter_learns() -> None:
    module, given = decoder(), arguments()
    predictions = module(**given, all_predictions=True)
    sum(p.class_logits.square().sum() + p.mask_logits.square().sum() for p in predictions).backward()
    assert [n for n, p in module.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_levels_carry_embedding_in_values_and_positions_in_keys_only() -> None:
    module, given = decoder(), arguments()
    keys, values, small = module._level(1, given["maps"][1], given["mask_features"])
    flat = given["maps"][1].flatten(2).transpose(1, 2)
    assert torch.allclose(values, flat + module.level_embed.weight[1])
    assert (keys - values).std(0).max() < 1e-6  # the position map: the same for every image
    assert (keys - values).abs().max() <= 1.00001
    assert small.shape == (2, DIM, 24)


@pytest.mark.parametrize("layers", [1, 9])
def test_number_of_predictions(layers: int) -> None:
    assert len(decoder(layers)(**arguments(), all_predictions=True)) == layers + 1
