"""Seq2Seg by hand and beside transformers' BERT: hidden states, their sum, patches."""

from __future__ import annotations

import pytest
import torch
from small_roots import small_seq2seg
from test_unet import in_all_classes, parameters

from oneformer_lite import config
from oneformer_lite.errors import ConfigError
from oneformer_lite.model import build
from oneformer_lite.model.networks.bert import Bert, as_map
from oneformer_lite.model.parts.class_maps import PatchHead, odds


def test_it_weighs_what_the_report_says_without_the_pooler() -> None:
    layer = 4 * (768 * 768 + 768) + 768 * 3072 + 3072 + 3072 * 768 + 768 + 2 * 2 * 768
    embedded = 3 * 16 * 16 * 768 + 768 + 512 * 768 + 2 * 768 + 2 * 768
    head, pooler = 768 * 34 * 16 * 16 + 34, 768 * 768 + 768
    assert 6 * layer + embedded + head + pooler == 50_789_410
    assert parameters(in_all_classes(config.seq2seg_cityscapes(), 34)) == 50_789_410 - pooler
    assert parameters(in_all_classes(config.seq2seg_last_cityscapes(), 34)) == 50_198_818


@torch.no_grad()
@pytest.mark.parametrize("layers", [1, 3])
def test_hidden_states_are_those_of_bert(layers: int) -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(layers)
    theirs = transformers.BertModel(
        transformers.BertConfig(
            hidden_size=32, num_hidden_layers=layers, num_attention_heads=4, intermediate_size=48,
            max_position_embeddings=20, vocab_size=1,
        ),
        add_pooling_layer=False,
    ).eval()  # fmt: skip
    for p in theirs.parameters():
        p.add_(torch.randn_like(p) / 5)
    ours = Bert(32, 4, layers, 48, 0.1, 8, (3, 4), 20).eval()
    ours.load_state_dict({**renamed(theirs.state_dict(), layers), **{
        name: value for name, value in ours.state_dict().items() if name.startswith("patches")
    }})  # fmt: skip
    images = torch.randn(2, 3, 24, 32)
    embedded = ours.patches(images).flatten(2).transpose(1, 2)
    expected = theirs(inputs_embeds=embedded, output_hidden_states=True).hidden_states
    x, grid = ours(images)
    states, weights = ours.hidden_states(x, need_weights=True)
    assert grid == (3, 4) and len(states) == len(expected) == layers + 1
    for state, theirs_ in zip(states, expected):
        torch.testing.assert_close(state, theirs_, atol=1e-5, rtol=1e-5)
    assert all(torch.allclose(w.sum(-1), torch.ones(2, 4, 12)) for w in weights) and len(weights) == layers


def renamed(state: dict, layers: int) -> dict:
    """BERT's weights under our names."""
    names = {
        "embeddings.position_embeddings": "positions", "embeddings.token_type_embeddings": "token_types",
        "embeddings.LayerNorm": "norm",
    }  # fmt: skip
    for i in range(layers):
        theirs, ours = f"encoder.layer.{i}", f"layers.{i}"
        names |= {f"{theirs}.attention.self.{a}": f"{ours}.attention.{b}_proj" for a, b in
                  (("query", "q"), ("key", "k"), ("value", "v"))}  # fmt: skip
        names |= {
            f"{theirs}.attention.output.dense": f"{ours}.attention.out_proj",
            f"{theirs}.attention.output.LayerNorm": f"{ours}.norm1", f"{theirs}.intermediate.dense": f"{ours}.linear1",
            f"{theirs}.output.dense": f"{ours}.linear2", f"{theirs}.output.LayerNorm": f"{ours}.norm2",
        }  # fmt: skip
    parts = (name.rpartition(".") for name in state)
    return {f"{names[module]}.{kind}": state[f"{module}.{kind}"] for module, _, kind in parts if module in names}


@torch.no_grad()
def test_the_sum_of_hidden_states_and_the_last_alone() -> None:
    images = torch.randn(1, 3, 64, 64)
    found = {}
    for name, changes in {
        "sum": {}, "layers": {"sum_embeddings": False}, "last": {"hidden_states": "last"},
    }.items():  # fmt: skip
        torch.manual_seed(0)
        model = build(small_seq2seg(mask_loss="bce", **changes)).eval()
        found[name] = model(images, trace=True)
    states = [found["sum"].trace[f"encoder.layer{i}"] for i in range(3)]
    for name, wanted in (("sum", sum(states)), ("layers", states[1] + states[2]), ("last", states[2])):
        torch.testing.assert_close(found[name].mask_logits, model.class_head(wanted))
    torch.manual_seed(0)
    skipping = build(small_seq2seg(mask_loss="bce")).eval()
    zeroed = [torch.zeros_like(states[0])] * 2 + [states[2]]
    summed = skipping.summed([state.flatten(2).transpose(1, 2) for state in zeroed])
    torch.testing.assert_close(skipping.class_head(as_map(summed, (8, 8))), found["last"].mask_logits)


@torch.no_grad()
def test_each_patch_is_written_without_a_look_at_its_neighbours() -> None:
    torch.manual_seed(0)
    head, x = PatchHead(6, 2, 4), torch.randn(1, 6, 2, 3)
    before = head(x)
    patch = torch.einsum("c,kcyx->kyx", x[0, :, 1, 2], head.weight) + head.bias[:, None, None]
    torch.testing.assert_close(before[0, :, 4:8, 8:12], patch)
    x[0, :, 0, 1] += 1
    changed = (head(x) != before).any(1)[0]
    assert changed[:4, 4:8].all() and changed.sum() == 16


@torch.no_grad()
def test_positions_are_those_of_rows_and_columns() -> None:
    bert = Bert(8, 2, 1, 8, 0.0, 4, (2, 3), 10)
    bert.positions.weight.copy_(torch.arange(10.0)[:, None].expand(-1, 8))
    assert bert.places((2, 3))[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert as_map(bert.places((2, 3))[None], (2, 3))[0, 0].tolist() == [[0, 1, 2], [3, 4, 5]]
    larger = as_map(bert.places((4, 6))[None], (4, 6))[0, 0]
    assert larger[0].tolist() == [0, 0.25, 0.75, 1.25, 1.75, 2] and larger[:, 0].tolist() == [0, 0.75, 2.25, 3]


@torch.no_grad()
@pytest.mark.parametrize("scale", [1.0, 30.0, 1000.0])
def test_odds_are_those_of_a_softmax(scale: float) -> None:
    torch.manual_seed(0)
    maps = scale * torch.randn(2, 5, 3, 4, dtype=torch.float64)
    maps[0, :, 0, 0] = 3.0  # all alike
    maps[0, 1:, 0, 1] = -1000.0
    found = odds(maps)
    torch.testing.assert_close(found.sigmoid(), maps.softmax(1))
    others = torch.stack([maps[:, [j for j in range(5) if j != k]].logsumexp(1) for k in range(5)], 1)
    sure = (maps - others).abs() < 600  # beyond, exp ends
    torch.testing.assert_close(found[sure], (maps - others)[sure])
    assert found.isfinite().all() and (found > 0).sum(1).max() == 1


def test_odds_of_half_precision_are_no_worse_than_float32() -> None:
    maps = torch.tensor([30.0, 0.0, -5.0]).view(1, 3, 1, 1)
    for dtype in (torch.float16, torch.bfloat16):
        assert odds(maps.to(dtype)).dtype == torch.float32
        torch.testing.assert_close(odds(maps.to(dtype)), odds(maps))


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"patch_size": 12}, "patch_size 12 must divide 32"),
        ({"grid_rows": 40}, "40 x 8 patches need as many positions, but max_positions is 300"),
        ({"hidden_states": "all"}, "hidden_states is 'all'"),
        ({"encoder_layers": 0}, "encoder_layers must be at least 1"),
        ({"hidden_dim": 30}, "hidden_dim 30 must be divisible"),
    ],
)
def test_contradictions_are_refused(changes, words) -> None:
    with pytest.raises(ConfigError, match=words):
        small_seq2seg(max_positions=300, **changes)
