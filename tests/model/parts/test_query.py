"""The query transformer: which query is the token, and what keys and values carry."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from transformers.models.oneformer.modeling_oneformer import OneFormerTransformerDecoderQueryTransformer

from oneformer_lite.model.output import Trace
from oneformer_lite.model.parts.layers import sine_positions
from oneformer_lite.model.parts.query import QueryTransformer

DIM = 8


def transformer(values: str = "positions", layers: int = 2, dropout: float = 0.0) -> QueryTransformer:
    torch.manual_seed(0)
    return QueryTransformer(DIM, heads=2, layers=layers, ffn=16, dropout=dropout, values=values)


def arguments() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Task tokens of two images, positions of five queries, mask features of 3 x 4."""
    torch.manual_seed(1)
    return torch.randn(2, DIM), torch.randn(5, DIM), torch.randn(2, DIM, 3, 4)


def make_attention_uniform(module: QueryTransformer) -> None:
    """With zero keys all look-ups weigh the same: what comes out shows the values alone."""
    for layer in module.layers:
        torch.nn.init.zeros_(layer.cross_attention.k_proj.weight)
        torch.nn.init.zeros_(layer.cross_attention.k_proj.bias)


def test_the_token_is_the_last_query_untouched() -> None:
    token, positions, features = arguments()
    queries = transformer()(token, positions, features)
    assert queries.shape == (2, 5, DIM)
    assert queries[:, -1].equal(token)
    assert not torch.allclose(queries[:, 0], queries[:, 1])  # told apart by their positions


def test_the_last_position_is_not_used() -> None:
    token, positions, features = arguments()
    module = transformer()
    before = module(token, positions, features)
    positions[-1] += 10
    assert module(token, positions, features).equal(before)
    positions[0] += 10
    assert not torch.allclose(module(token, positions, features)[:, 0], before[:, 0], atol=1e-3)


@pytest.mark.parametrize("values, sees", [("positions", False), ("positions+features", True)])
def test_what_the_values_carry(values: str, sees: bool) -> None:
    token, positions, features = arguments()
    module = transformer(values)
    make_attention_uniform(module)
    other = module(token, positions, features + 3 * torch.rand_like(features))
    assert torch.allclose(module(token, positions, features), other, atol=1e-6) is not sees


def test_the_released_form_sees_the_picture_through_its_keys() -> None:
    token, positions, features = arguments()
    module = transformer()
    other = module(token, positions, 5 * torch.randn_like(features))
    assert not torch.allclose(module(token, positions, features), other, atol=1e-4)


@pytest.mark.parametrize("values", ["positions", "positions+features"])
def test_one_layer_step_by_step(values: str) -> None:
    token, positions, features = arguments()
    module = transformer(values, layers=1)
    layer = module.layers[0]
    projection = module.feature_projection
    picture = F.conv2d(features, projection.weight, projection.bias).flatten(2).transpose(1, 2)
    map_ = sine_positions(3, 4, DIM).flatten(1).T.expand_as(picture)
    x, where = token[:, None].repeat(1, 4, 1), positions[:4]
    x = layer.norm1(x + layer.self_attention(x + where, x + where, x)[0])
    carried = map_ + picture if values == "positions+features" else map_.clone()
    x = layer.norm2(x + layer.cross_attention(x + where, map_ + picture, carried)[0])
    expected = module.norm(layer.feed_forward(x))
    assert torch.allclose(module(token, positions, features)[:, :4], expected, atol=1e-5)


def transformers_module(ours: QueryTransformer) -> OneFormerTransformerDecoderQueryTransformer:
    """Theirs with our weights; built on nn.MultiheadAttention."""
    theirs = OneFormerTransformerDecoderQueryTransformer(DIM, 2, len(ours.layers), 16, dropout=0.0).double()
    state = {f"decoder.norm.{k}": v for k, v in ours.norm.state_dict().items()}
    for i, layer in enumerate(ours.layers):
        feed_forward = layer.feed_forward
        modules = {
            "norm1": layer.norm1, "norm2": layer.norm2, "norm3": feed_forward.norm,
            "linear1": feed_forward.linear1, "linear2": feed_forward.linear2,
        }
        for name, attention in (("self_attn", layer.self_attention), ("multihead_attn", layer.cross_attention)):
            modules[f"{name}.out_proj"] = attention.out_proj
            for kind in ("weight", "bias"):
                projections = (attention.q_proj, attention.k_proj, attention.v_proj)
                fused = torch.cat([getattr(p, kind) for p in projections])
                state[f"decoder.layers.{i}.{name}.in_proj_{kind}"] = fused
        for name, module in modules.items():
            state |= {f"decoder.layers.{i}.{name}.{k}": v for k, v in module.state_dict().items()}
    theirs.load_state_dict(state)
    return theirs


@pytest.mark.parametrize("values", ["positions", "positions+features"])
def test_equals_transformers_module(values: str) -> None:
    """As released, the position map is the memory and the picture is what is added to make keys."""
    module = transformer(values).double()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    token, positions, features = (x.double() for x in arguments())
    picture = module.feature_projection(features)
    map_ = sine_positions(3, 4, DIM).double().expand_as(picture)
    memory, added = (map_, picture) if values == "positions" else (map_ + picture, torch.zeros_like(picture))
    expected = transformers_module(module)(memory, None, positions[:-1], added, task_token=token[None])
    result = module(token, positions, features)
    assert (result[:, :-1] - expected[0]).abs().max() < 1e-12
    assert expected.std() > 0.1


def test_trace_shows_attention_over_the_picture() -> None:
    token, positions, features = arguments()
    module, trace = transformer(), Trace()
    traced = module(token, positions, features, trace)
    assert torch.allclose(traced, module(token, positions, features), atol=1e-6)
    weights = trace["query.layer1.attention"]
    assert weights.shape == (2, 2, 4, 3, 4)  # B, heads, Q - 1, h, w
    assert torch.allclose(weights.sum((-1, -2)), torch.ones(2, 2, 4), atol=1e-5)


def test_dropout_in_training_only() -> None:
    module = transformer(dropout=0.5)
    given = arguments()
    module.eval()
    assert module(*given).equal(module(*given))
    module.train()
    assert not torch.allclose(module(*given), module(*given))


def test_a_single_query_is_the_token() -> None:
    token, positions, features = arguments()
    assert transformer()(token, positions[:1], features)[:, 0].equal(token)
