"""The task token: raw ids through a two-layer MLP."""

from __future__ import annotations

import pytest
import torch
from transformers import OneFormerConfig
from transformers.models.oneformer.modeling_oneformer import OneFormerTaskModel

from oneformer_lite.errors import ConfigError
from oneformer_lite.model.parts.task import TaskEncoder


def test_token_is_the_mlp_of_the_raw_ids() -> None:
    torch.manual_seed(0)
    encoder = TaskEncoder(length=77, dim=8)
    first, second = encoder.mlp.layers
    ids = torch.zeros(77)
    ids[:7] = torch.tensor([49406, 518, 10549, 533, 1072, 24755, 49407])
    expected = second.weight @ (first.weight @ ids + first.bias).clamp(min=0) + second.bias
    tokens = encoder(["semantic", "panoptic", "panoptic"])
    assert tokens.shape == (3, 8)
    assert torch.allclose(tokens[1], expected, rtol=1e-4)
    assert torch.allclose(tokens[1], tokens[2]) and not torch.allclose(tokens[0], tokens[1])


def test_equals_transformers() -> None:
    ours = TaskEncoder(length=77, dim=256).double()
    theirs = OneFormerTaskModel(OneFormerConfig()).double()  # 77 and 256, as published
    for mine, layer in zip(ours.mlp.layers, theirs.task_mlp.layers):
        layer.layers[0].load_state_dict(mine.state_dict())
    ids = torch.zeros(3, 77, dtype=torch.float64)
    ids[0, :7] = torch.tensor([49406, 518, 10549, 533, 29119, 1550, 49407])
    ids[1, :6] = torch.tensor([49406, 518, 10549, 533, 34572, 49407])
    ids[2, :7] = torch.tensor([49406, 518, 10549, 533, 1072, 24755, 49407])
    tokens = ours(["semantic", "instance", "panoptic"])
    assert torch.allclose(tokens, theirs(ids), rtol=1e-12, atol=0)


def test_double_precision_and_short_context() -> None:
    assert TaskEncoder(length=8, dim=4).double()(["instance"]).dtype == torch.float64


def test_unknown_task() -> None:
    with pytest.raises(ConfigError, match="unknown task 'depth'"):
        TaskEncoder(77, 4)(["depth"])
