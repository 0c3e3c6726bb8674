"""Seq2Seg's queries by hand: their place in the sequence, and three ways to a mask."""

from __future__ import annotations

import math

import pytest
import torch
from small_roots import small_query_seq2seg
from test_unet import parameters

from oneformer_lite import config
from oneformer_lite.model import build
from oneformer_lite.model.query_seq2seg import AttentionMasks, ProductMasks, WholeMasks


@pytest.mark.parametrize("side", [16, 32, 64])
def test_it_weighs_what_its_layers_say(side: int) -> None:
    layer = 4 * (512**2 + 512) + 2 * 512 * 2048 + 2048 + 512 + 4 * 512
    embedded = 3 * 8 * 8 * 512 + 512 + 512 * 512 + 2 * 512 + 2 * 512 + 6 * 512
    heads = 512 * 11 + 11 + 512 * side**2 + side**2
    c = config.query_seq2seg_digits()
    assert parameters(type(c)(**{**vars(c), "mask_size": side})) == 4 * layer + embedded + heads


@torch.no_grad()
@pytest.mark.parametrize("masks", ["linear", "attention", "product"])
def test_without_positions_queries_may_come_first_or_last(masks: str) -> None:
    torch.manual_seed(0)
    model = build(small_query_seq2seg(masks=masks, mask_size=16)).eval()
    images = torch.randn(2, 3, 64, 64)
    found = model(images)
    patches, grid = model.encode(images)
    queries = model.start().expand(2, -1, -1)
    states, _ = model.encoder.hidden_states(torch.cat([patches, queries], dim=1))
    last, cells = states[-1][:, -12:], states[-1][:, :-12].transpose(1, 2).unflatten(-1, grid)
    torch.testing.assert_close(model.class_head(last), found.class_logits, atol=1e-5, rtol=1e-4)
    whole = model.mask_head(last, cells)
    whole = whole if isinstance(whole, torch.Tensor) else whole.whole()
    torch.testing.assert_close(whole, found.mask_logits, atol=1e-5, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("positioned", [False, True])
def test_their_place_counts_with_positions_alone(positioned: bool) -> None:
    torch.manual_seed(0)
    model, images = build(small_query_seq2seg(query_positions=positioned)).eval(), torch.randn(1, 3, 64, 64)
    before = model(images).class_logits
    model.queries.weight.copy_(model.queries.weight.flip(0))
    same = model(images).class_logits.flip(1).allclose(before, atol=1e-5)
    assert same != positioned
    first = 12 if positioned else 0
    assert model.encoder.places((8, 8), first).equal(model.encoder.positions.weight[first : first + 64])


@torch.no_grad()
def test_three_ways_to_a_mask() -> None:
    torch.manual_seed(0)
    c = small_query_seq2seg(mask_size=16, mask_dim=4)
    queries, cells = torch.randn(1, 12, 32), torch.randn(1, 32, 2, 3)
    whole = WholeMasks(c)
    row = whole.linear.weight[3 * 16 + 5] @ queries[0, 2] + whole.linear.bias[3 * 16 + 5]
    torch.testing.assert_close(whole(queries, cells)[0, 2, 3, 5], row)
    looks = AttentionMasks(c)
    q, k = looks.q_proj(queries[0, 2]).view(2, 16), looks.k_proj(cells[0, :, 1, 2]).view(2, 16)
    score = looks.mix.weight[0] @ (q * k).sum(1) / math.sqrt(16) + looks.mix.bias[0]
    torch.testing.assert_close(looks(queries, cells)[0, 2, 1, 2], score)
    product = ProductMasks(c)
    found = product(queries, cells).whole()
    pixel = cells[0, :, 1, 2] @ product.pixels.weight[:, :, 7, 1] + product.pixels.bias
    torch.testing.assert_close(found[0, 2, 15, 17], product.embed(queries)[0, 2] @ pixel)
    assert found.shape == (1, 12, 16, 24)


def test_attention_is_recorded() -> None:
    out = build(small_query_seq2seg()).eval()(torch.randn(1, 3, 64, 96), trace=True)
    for i in range(2):
        weights = out.trace[f"decoder.layer{i}.attention"]
        assert weights.shape == (1, 2, 12, 8, 12) and (weights.sum((-1, -2)) < 1).all()  # the rest is of other queries
    assert len(out.predictions) == 1 and out.trace["encoder.layer2"].shape == (1, 32, 8, 12)
