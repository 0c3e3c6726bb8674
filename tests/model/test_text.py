"""The text mapper: causality, deduplication, truncation, and agreement with transformers' encoder."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from transformers.models.oneformer.modeling_oneformer import OneFormerTextEncoder

from oneformer_lite.data.targets import pad_texts
from oneformer_lite.model.text import TextEncoder, TextMapper
from oneformer_lite.model.tokenizer import tokenize

TEXTS = ["a photo with a car", "a photo with a traffic light", "a semantic photo", "sky"]


def encoder(causal: bool = True, width: int = 16, heads: int = 4) -> TextEncoder:
    torch.manual_seed(0)
    module = TextEncoder(width, heads, layers=2, length=77, causal=causal)
    for parameter in module.parameters():  # the small start would hide differences
        torch.nn.init.normal_(parameter, std=0.3)
    return module


def mapper(causal: bool = True) -> TextMapper:
    torch.manual_seed(0)
    module = TextMapper(
        dim=12, num_texts=6, num_context=2, width=16, heads=4, layers=2, length=77, causal=causal,
        temperature=0.07,
    )
    torch.nn.init.normal_(module.encoder.token_embedding.weight)
    return module


def with_other_padding(ids: Tensor) -> Tensor:
    """The same texts with random tokens behind their end."""
    end = ids.argmax(1)
    behind = torch.arange(ids.shape[1])[None] > end[:, None]
    return torch.where(behind, torch.randint(1, 49406, ids.shape), ids)


def test_a_causal_encoder_does_not_see_the_padding() -> None:
    module, ids = encoder(), tokenize(TEXTS)
    assert torch.allclose(module(with_other_padding(ids)), module(ids), atol=1e-6)


def test_an_encoder_that_is_not_causal_does() -> None:
    module, ids = encoder(causal=False), tokenize(TEXTS)
    assert not torch.allclose(module(with_other_padding(ids)), module(ids), atol=1e-2)


def test_no_token_sees_a_later_one() -> None:
    module = encoder()
    short = torch.tensor([[49406, 320, 49407]])
    longer = torch.tensor([[49406, 320, 49407, 11, 12], [49406, 320, 11, 12, 49407]])
    same, other = module(longer)
    assert torch.allclose(same, module(short)[0], atol=1e-6)
    assert not torch.allclose(other, same, atol=1e-2)


def test_every_token_before_the_end_counts() -> None:
    module, ids = encoder(), tokenize(["a photo with a car"])
    before = module(ids)
    for position in range(1, 6):
        changed = ids.clone()
        changed[0, position] += 7
        assert not torch.allclose(module(changed), before, atol=1e-3), position


@pytest.mark.parametrize("causal", [True, False])
def test_equals_transformers_encoder(causal: bool) -> None:
    """transformers' layers never receive their causal mask; the causal case hands it to them."""
    ours = encoder(causal, width=128, heads=2)  # transformers fixes 64 channels a head
    theirs = OneFormerTextEncoder(77, 128, 2, 49408)
    state = {
        "positional_embedding": ours.positional_embedding,
        "token_embedding.weight": ours.token_embedding.weight,
        "ln_final.weight": ours.norm.weight, "ln_final.bias": ours.norm.bias,
    }
    names = {"norm1": "layer_norm1", "norm2": "layer_norm2", "linear1": "mlp.fc1", "linear2": "mlp.fc2"}
    for i, layer in enumerate(ours.layers):
        at, attention = f"transformer.layers.{i}.", layer.attention
        for kind in ("weight", "bias"):
            for own, name in names.items():
                state[f"{at}{name}.{kind}"] = getattr(getattr(layer, own), kind)
            projections = (attention.q_proj, attention.k_proj, attention.v_proj)
            fused = torch.cat([getattr(p, kind) for p in projections])
            state[f"{at}self_attn.in_proj_{kind}"] = fused
            state[f"{at}self_attn.out_proj.{kind}"] = getattr(attention.out_proj, kind)
    theirs.load_state_dict(state)
    if causal:
        mask = torch.ones(77, 77, dtype=torch.bool).triu(1)
        for layer in theirs.transformer.layers:
            attend = layer.self_attn.forward
            layer.self_attn.forward = lambda *x, attend=attend, **k: attend(*x, attn_mask=mask, **k)
    ids = tokenize(TEXTS)
    expected = theirs(ids)
    assert expected.std() > 0.1
    assert torch.allclose(ours(ids), expected, atol=1e-5)


@pytest.mark.parametrize("causal", [True, False])
def test_texts_encoded_once_and_cut_equal_encoding_everything(causal: bool) -> None:
    module = mapper(causal)
    texts = [["a photo with a car", "a photo with a car", "a photo with a dog"], []]
    tasks = ["panoptic", "semantic"]
    result = module(texts, tasks)
    assert result.shape == (2, 8, 12)
    for b, task in enumerate(tasks):
        for slot, text in enumerate(pad_texts(texts[b], task, 6)):
            ids = tokenize([text, "word " * 90])  # the second one forbids every cut
            expected = module.projector(module.encoder(ids))[0]
            assert torch.allclose(result[b, slot], expected, atol=1e-6)
        assert result[b, 6:].equal(module.context.weight)
    assert result[0, 0].equal(result[0, 1]) and not torch.allclose(result[0, 0], result[0, 2])


def test_more_texts_than_slots_are_cut() -> None:
    module = mapper()
    names = [f"a photo with a {n}" for n in ("car", "dog", "tree", "sky", "sea", "man", "cat", "bus")]
    assert module([names], ["panoptic"]).equal(module([names[:6]], ["panoptic"]))


def test_lists_and_tasks_must_have_the_same_number() -> None:
    with pytest.raises(ValueError, match="argument"):
        mapper()([["a photo with a car"]], ["panoptic", "semantic"])


def test_initial_temperature() -> None:
    assert mapper().logit_scale.item() == pytest.approx(2.6593, abs=1e-4)
