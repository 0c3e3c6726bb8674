"""DiNAT against transformers' network, whose attention is given by a gather of neighbours."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import DinatConfig
from transformers.models.dinat import modeling_dinat

from oneformer_lite.errors import ConfigError
from oneformer_lite.model.networks.dinat import DiNAT, NeighborhoodAttention
from oneformer_lite.model.networks.neighborhood_attention import neighbors

SMALL = dict(
    embed_dim=8, depths=(2, 1, 1, 1), num_heads=(1, 2, 4, 4), kernel_size=3, dilations=((1, 3), (2,), (1,), (1,))
)
LARGE = dict(
    embed_dim=192,
    depths=(3, 4, 18, 5),
    num_heads=(6, 12, 24, 48),
    kernel_size=11,
    dilations=(
        (1, 20, 1),
        (1, 5, 1, 10),
        (1, 2, 1, 3, 1, 4, 1, 5, 1, 2, 1, 3, 1, 4, 1, 5, 1, 5),
        (1, 2, 1, 2, 1),
    ),
)  # configs/coco/dinat/oneformer_dinat_large_bs16_100ep.yaml
RENAMED = {
    "patch_embed.proj": "embeddings.patch_embeddings.projection",
    "patch_embed.norm": "embeddings.norm",
    "levels.": "encoder.levels.",
    ".blocks.": ".layers.",
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "attn.rpb": "attention.self.rpb",
    "attn.proj": "attention.output.dense",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}


def network(seed: int = 0, **options) -> DiNAT:
    """A small network in double precision whose every parameter is random and matters."""
    torch.manual_seed(seed)
    dinat = DiNAT(**{**SMALL, **options}).double().eval()
    with torch.no_grad():
        for parameter in dinat.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return dinat


def near(t: Tensor, kernel: int, dilation: int) -> Tensor:
    """The neighbours [B, M, h, w, k, k, d] of every pixel of [B, M, h, w, d]."""
    rows, cols = (torch.tensor([neighbors(i, side, kernel, dilation) for i in range(side)]) for side in t.shape[2:4])
    return t[:, :, rows[:, None, :, None], cols[None, :, None, :]]


def heads_first(t: Tensor) -> Tensor:
    """[B, w, h, M, d] to [B, M, h, w, d]: what transformers 5.23 hands to natten to what natten expects.

    It swaps rows and columns where it means to bring the heads forward, and natten would refuse it.
    """
    return t.permute(0, 3, 2, 1, 4)


def scores(query: Tensor, key: Tensor, rpb: Tensor, kernel: int, dilation: int) -> Tensor:
    """Stands in for ``natten2dqkrpb``: scores [B, M, h, w, k * k] of the neighbours, with the bias."""
    query, key = heads_first(query), heads_first(key)
    steps = []
    for side in query.shape[2:4]:
        seen = torch.tensor([neighbors(i, side, kernel, dilation) for i in range(side)])
        steps.append((seen - torch.arange(side)[:, None]) // dilation + kernel - 1)
    bias = rpb[:, steps[0][:, None, :, None], steps[1][None, :, None, :]]  # [M, h, w, k, k]
    return (torch.einsum("bmhwd,bmhwijd->bmhwij", query, near(key, kernel, dilation)) + bias).flatten(4)


def mixture(weights: Tensor, value: Tensor, kernel: int, dilation: int) -> Tensor:
    """Stands in for ``natten2dav``: the weighted sum [B, M, h, w, d] of the neighbours' values."""
    values = near(heads_first(value), kernel, dilation).flatten(4, 5)
    return torch.einsum("bmhwn,bmhwnd->bmhwd", weights, values)


def theirs(ours: DiNAT, monkeypatch: pytest.MonkeyPatch, **options) -> modeling_dinat.DinatBackbone:
    """transformers' network with our weights."""
    monkeypatch.setattr(modeling_dinat, "requires_backends", lambda *_: None)
    monkeypatch.setattr(modeling_dinat, "natten2dqkrpb", scores)
    monkeypatch.setattr(modeling_dinat, "natten2dav", mixture)
    config = DinatConfig(
        **{**SMALL, **options},
        mlp_ratio=2.0,
        layer_scale_init_value=0.0,
        out_features=[f"stage{i}" for i in range(1, 5)],
    )
    network = modeling_dinat.DinatBackbone(config).double().eval()
    state = {}
    for key, tensor in ours.state_dict().items():
        for old, new in RENAMED.items():
            key = key.replace(old, new)
        if "attn.qkv" in key:
            for name, third in zip(("query", "key", "value"), tensor.chunk(3)):
                state[key.replace("attn.qkv", f"attention.self.{name}")] = third
        else:
            state[key] = tensor
    missing, unexpected = network.load_state_dict(state, strict=False)
    assert not unexpected and all(key.startswith("hidden_states_norms") for key in missing)
    return network


@pytest.mark.parametrize("height, width", [(96, 128), (72, 104), (64, 32)], ids=str)
def test_transformers_agrees(height, width, monkeypatch):
    """At 96 x 128 every window has room; at 64 x 32 all but one need padding; 72 and 104 divide by 8 alone."""
    ours = network()
    images = torch.randn(2, 3, height, width, dtype=torch.float64)
    with torch.no_grad():
        expected = theirs(ours, monkeypatch)(images).feature_maps
        maps = ours(images)
    assert [m.shape[1] for m in maps] == ours.channels
    for one, other in zip(maps, expected, strict=True):
        closed = F.layer_norm(one.permute(0, 2, 3, 1), one.shape[1:2]).permute(0, 3, 1, 2)
        torch.testing.assert_close(closed, other, rtol=0, atol=1e-10)


def test_strides():
    maps = network()(torch.randn(1, 3, 64, 96, dtype=torch.float64))
    assert [tuple(m.shape) for m in maps] == [(1, 8, 16, 24), (1, 16, 8, 12), (1, 32, 4, 6), (1, 64, 2, 3)]


def test_padding_is_zeros_before_the_projection():
    """A map that is too small computes what the same map with zeros around it computes."""
    torch.manual_seed(0)
    attention = NeighborhoodAttention(8, 2, kernel_size=3, dilation=2).double()
    torch.nn.init.normal_(attention.qkv.bias)
    x = torch.randn(2, 4, 7, 8, dtype=torch.float64)
    zeros = F.pad(x, (0, 0, 0, 0, 0, 2))  # to 6 x 7: two rows at the bottom
    torch.testing.assert_close(attention(x), attention(zeros)[:, :4], rtol=0, atol=1e-12)


def test_every_parameter_gets_a_gradient():
    dinat = network()
    sum((m**2).sum() for m in dinat(torch.randn(1, 3, 96, 96, dtype=torch.float64))).backward()
    assert [name for name, p in dinat.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_drop_path_grows_linearly_and_only_acts_in_training():
    dinat = network(drop_path_rate=0.8)
    rates = [block.drop_path.drop_prob for level in dinat.levels for block in level.blocks]
    assert rates == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8])
    images = torch.randn(1, 3, 32, 32, dtype=torch.float64)
    assert torch.equal(dinat(images)[-1], network()(images)[-1])
    assert not torch.equal(dinat.train()(images)[-1], network()(images)[-1])


def test_the_published_size():
    """The paper's OneFormer with DiNAT-L has 223 M parameters, and what is not backbone has 23 to 24 M."""
    with torch.device("meta"):
        dinat = DiNAT(**LARGE)
    assert sum(p.numel() for p in dinat.parameters()) == 199_604_178
    assert dinat.levels[2].blocks[17].attn.rpb.shape == (24, 21, 21)
    names = [f"patch_embed.proj.{i}.{kind}" for i in (0, 1) for kind in ("weight", "bias")]
    names += ["patch_embed.norm.weight", "levels.0.blocks.0.attn.qkv.bias", "levels.2.downsample.reduction.weight"]
    assert set(names) <= set(dinat.state_dict()) and "levels.3.downsample.norm.bias" not in dinat.state_dict()


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"dilations": ((1,), (2,), (1,), (1,))}, "one dilation per block"),
        ({"num_heads": (1, 2, 4)}, "num_heads for each of its 4 levels"),
        ({"num_heads": (3, 2, 4, 4)}, "do not divide 8"),
        ({"kernel_size": 4}, "kernel_size must be odd"),
    ],
)
def test_contradictions_are_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        DiNAT(**{**SMALL, **wrong})
