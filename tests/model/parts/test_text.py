"""The text mapper: causality, deduplication, truncation, and agreement with transformers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from transformers.models.oneformer.modeling_oneformer import OneFormerTextMapper

from oneformer_lite.data.targets import pad_texts
from oneformer_lite.model.parts.text import TextEncoder, TextMapper
from oneformer_lite.model.parts.tokenizer import tokenize

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


def transformers_state(ours: TextMapper) -> dict[str, Tensor]:
    """Our weights under transformers' names."""
    encoder, state = ours.encoder, {"prompt_ctx.weight": ours.context.weight}
    state["text_encoder.positional_embedding"] = encoder.positional_embedding
    pairs = {"text_encoder.token_embedding": encoder.token_embedding, "text_encoder.ln_final": encoder.norm}
    pairs |= {f"text_projector.layers.{i}.0": linear for i, linear in enumerate(ours.projector.layers)}
    for i, layer in enumerate(encoder.layers):
        at, attention = f"text_encoder.transformer.layers.{i}.", layer.attention
        names = {"norm1": "layer_norm1", "norm2": "layer_norm2", "linear1": "mlp.fc1", "linear2": "mlp.fc2"}
        pairs |= {at + name: getattr(layer, own) for own, name in names.items()}
        pairs[at + "self_attn.out_proj"] = attention.out_proj
        for kind in ("weight", "bias"):
            projections = (attention.q_proj, attention.k_proj, attention.v_proj)
            state[f"{at}self_attn.in_proj_{kind}"] = torch.cat([getattr(p, kind) for p in projections])
    return state | {f"{name}.{k}": v for name, m in pairs.items() for k, v in m.state_dict().items()}


def transformers_mapper(ours: TextMapper, width: int, layers: int) -> OneFormerTextMapper:
    """Theirs with our weights. Its layers never receive their causal mask: here they do, if ours has one."""
    settings = SimpleNamespace(
        text_encoder_context_length=77, text_encoder_width=width, text_encoder_num_layers=layers,
        text_encoder_vocab_size=49408, layer_norm_eps=1e-5, hidden_dim=12, text_encoder_proj_layers=2,
        text_encoder_n_ctx=2,
    )
    theirs = OneFormerTextMapper(settings).double()
    theirs.prompt_ctx = torch.nn.Embedding(2, 12).double()  # theirs has the encoder's width, which must be 12 then
    theirs.load_state_dict(transformers_state(ours))
    if ours.encoder.causal:
        mask = torch.full((77, 77), float("-inf"), dtype=torch.float64).triu(1)
        for layer in theirs.text_encoder.transformer.layers:
            attend = layer.self_attn.forward
            layer.self_attn.forward = lambda *x, attend=attend, **k: attend(*x, attn_mask=mask, **k)
    return theirs


LONG = "wall " * 70  # with "a photo with a", start and end: 76 tokens
LISTS = {
    "repeated": [["a photo with a car"] * 3 + ["a photo with a traffic light"], ["a photo with a car"]],
    "too many": [[f"a photo with a {n}" for n in "car dog tree sky sea man cat bus".split()], ["a photo with a dog"]],
    "nothing": [[], []],
    "around 77 tokens": [[f"a photo with a {LONG}{end}" for end in ("", "tree", "tree sky", "sky " * 40)], []],
}


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("width, layers, lists", [
    *((128, 2, name) for name in LISTS), (256, 6, "around 77 tokens"),  # the last as published
])
def test_equals_transformers_mapper(causal: bool, width: int, layers: int, lists: str) -> None:
    """Which encodes every text at full length, padding and repetitions included."""
    torch.manual_seed(0)
    ours = TextMapper(
        dim=12, num_texts=6, num_context=2, width=width, heads=width // 64, layers=layers, length=77,
        causal=causal, temperature=0.07,
    ).double()
    for name, parameter in ours.encoder.named_parameters():  # the small start would hide differences
        torch.nn.init.normal_(parameter, mean=float(name.endswith("norm.weight")), std=0.3)
    theirs = transformers_mapper(ours, width, layers)
    for tasks in (("panoptic", "semantic"), ("instance", "instance")):
        padded = [pad_texts(texts, task, 6) for texts, task in zip(LISTS[lists], tasks)]
        expected = theirs(torch.stack([tokenize(texts) for texts in padded]))
        result = ours(LISTS[lists], tasks)
        assert result.shape == (2, 8, 12) and expected.std() > 0.05
        assert (result - expected).abs().max() < 1e-12 * expected.abs().max()


def test_texts_around_the_limit_have_the_tokens_they_should() -> None:
    """One that fits with room for one more, one that just fits, and two that are cut."""
    ids = tokenize(LISTS["around 77 tokens"][0])
    assert ids.argmax(1).tolist() == [75, 76, 76, 76]
    assert (ids == 49407).sum(1).tolist() == [1] * 4
    assert ids[2].equal(ids[1]) and not ids[3].equal(ids[2])


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
