"""DETR's parts by hand: what counts as picture, positions within it, maps of attention, masks on demand."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F

import oneformer_lite as ofl
from oneformer_lite import config
from oneformer_lite.data.batch import Batch
from oneformer_lite.data.by_name import UNUSED
from oneformer_lite.model import Detr, build
from oneformer_lite.model.detr import picture_places
from oneformer_lite.model.output import DeferredMasks
from oneformer_lite.model.parts.layers import sine_positions, sine_positions_within
from oneformer_lite.model.parts.mask_attention import MaskAttention, MaskHead

SMALL = {
    "pretrained": False, "hidden_dim": 48, "num_heads": 4, "num_queries": 8, "encoder_layers": 1, "encoder_ffn": 64,
    "decoder_layers": 3, "decoder_ffn": 64,
}  # fmt: skip


def small(**fields) -> Detr:
    torch.manual_seed(0)
    return build(dataclasses.replace(config.detr_toytown(), **SMALL | fields)).eval()


@pytest.mark.parametrize(
    "pixels, expected",
    [
        ([[1, 1, 0], [1, 1, 0], [0, 0, 0]], [[1, 1, 0], [1, 1, 0], [0, 0, 0]]),
        ([[0, 1, 0], [1, 0, 0], [0, 0, 0]], [[1, 1, 0], [1, 1, 0], [0, 0, 0]]),  # zeros inside are picture
        ([[0, 0, 0], [0, 1, 0], [0, 0, 0]], [[1, 1, 0], [1, 1, 0], [0, 0, 0]]),  # before it too
        ([[0, 0, 0], [0, 0, 0], [0, 0, 0]], [[1, 1, 1], [1, 1, 1], [1, 1, 1]]),  # nothing else: all of it
        ([[0, 0, 1], [0, 0, 0], [0, 0, 0]], [[1, 1, 1], [0, 0, 0], [0, 0, 0]]),
    ],
)
def test_which_places_are_picture(pixels, expected) -> None:
    images = torch.zeros(2, 3, 3, 3)
    images[0, 1] = torch.tensor(pixels)  # in one channel alone
    images[1] = 1
    found = picture_places(images, (3, 3))
    assert found[0].tolist() == torch.tensor(expected).bool().tolist() and found[1].all()


def test_places_of_a_smaller_map_are_nearest_pixels() -> None:
    images = torch.zeros(1, 3, 70, 100)
    images[:, :, :40, :97] = 1
    found = picture_places(images, (3, 4))
    expected = [[row * 70 // 3 < 40 and column * 25 < 97 for column in range(4)] for row in range(3)]
    assert found[0].tolist() == expected


@pytest.mark.parametrize("height, width", [(1, 1), (3, 5), (7, 2)])
def test_positions_are_those_of_the_picture_without_its_padding(height, width) -> None:
    valid = torch.zeros(1, 8, 9, dtype=torch.bool)
    valid[:, :height, :width] = True
    found = sine_positions_within(valid, 16)
    assert found.shape == (1, 16, 8, 9) and found.isfinite().all()
    assert torch.allclose(found[0, :, :height, :width], sine_positions(height, width, 16), atol=1e-5)


@torch.no_grad()
def test_one_softmax_for_all_heads_and_places() -> None:
    torch.manual_seed(0)
    attention, heads = MaskAttention(8, 2), 2
    queries, memory = torch.randn(1, 3, 8), torch.randn(1, 8, 2, 3)
    valid = torch.tensor([[[True, True, False], [True, True, False]]])
    found = attention(queries, memory, valid)
    assert found.shape == (1, 3, heads, 2, 3) and torch.allclose(found.sum((2, 3, 4)), torch.ones(1, 3))
    assert not found[..., 2].any()
    q = F.linear(queries[0], attention.q_proj.weight, attention.q_proj.bias)
    k = F.linear(memory[0].flatten(1).T, attention.k_proj.weight, attention.k_proj.bias)
    for query in range(3):
        scores = {
            (m, place): math.exp(float(q[query, 4 * m : 4 * m + 4] @ k[place, 4 * m : 4 * m + 4]) / 2)
            for m in range(heads) for place in (0, 1, 3, 4)
        }  # fmt: skip
        for (m, place), score in scores.items():
            assert float(found[0, query, m].flatten()[place]) == pytest.approx(score / sum(scores.values()), rel=1e-5)


def test_each_query_is_a_picture_of_its_own() -> None:
    """A query's mask does not depend on the others, and the maps grow to the finest one's size, whatever it is."""
    torch.manual_seed(0)
    head = MaskHead(48, 4, [7, 6, 5])
    attention, projected = torch.rand(2, 3, 4, 2, 3), torch.randn(2, 48, 2, 3)
    maps = [torch.randn(2, 7, 4, 5), torch.randn(2, 6, 7, 10), torch.randn(2, 5, 13, 19)]
    masks = head(attention, projected, maps)
    assert masks.shape == (2, 3, 13, 19)
    alone = head(attention[1:, 2:], projected[1:], [m[1:] for m in maps])
    assert torch.allclose(masks[1, 2], alone[0, 0], atol=1e-5)
    widths = [block[0].out_channels for block in head.blocks]
    assert widths == [52, 24, 12, 6, 3] and [block[1].num_groups for block in head.blocks] == [4, 8, 4, 2, 1]


def test_scaled_maps_are_other_first_weights() -> None:
    """The model with smaller maps and relative attention is the published one whose weights for these are as much
    smaller, and larger."""
    ours, published = small(map_scale=0.1, attention_maps="relative"), small()
    images, heads = torch.randn(2, 3, 96, 64), 4
    assert not torch.allclose(ours(images).mask_logits, published(images).mask_logits, atol=1e-3)
    with torch.no_grad():
        for layer in (published.input_projection, *published.mask_head.lateral):
            layer.weight *= 0.1
        published.mask_head.blocks[0][0].weight[:, -heads:] *= heads * 3 * 2  # places at stride 32
    a, b = ours(images), published(images)
    torch.testing.assert_close(a.class_logits, b.class_logits, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(a.mask_logits, b.mask_logits, rtol=1e-4, atol=1e-5)
    beside = torch.zeros(2, 3, 128, 96)  # what is even is told from the picture alone
    beside[:, :, :96, :64] = images
    seen: list = []
    ours.mask_head.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    ours(beside)
    assert seen[0].shape[2:] == (heads, 4, 3)
    torch.testing.assert_close(seen[0].sum((2, 3, 4)), torch.full((2, 8), heads * 3.0 * 2))


@torch.no_grad()
def test_queries_drown_in_large_maps() -> None:
    """How much the mask logits of a picture differ from query to query, in shares of all they differ: in the published
    form, with the maps of the Toytown models' network, as little as float32 can tell."""
    scene = ofl.data.Toytown("val", 64)[0]
    images = ofl.data.collate([(scene, "panoptic")]).images
    found = {}
    for name, fields in {"published": {}, "scaled": {"map_scale": 0.1, "attention_maps": "relative"}}.items():
        torch.manual_seed(0)
        masks = build(dataclasses.replace(config.detr_toytown(), **fields)).eval()(images).mask_logits
        found[name] = float(masks.std(1).square().mean().sqrt() / masks.std())
    assert found["published"] < 1e-6 and found["scaled"] > 5e-4, found


def test_masks_of_earlier_layers_are_made_when_somebody_looks() -> None:
    model = small()
    images = torch.randn(1, 3, 64, 80)
    with torch.no_grad():
        first, second, last = model.read(model.encode(images), every=True)
        assert isinstance(first.masks, DeferredMasks) and isinstance(last.masks, torch.Tensor)
        assert first.mask_logits.shape == last.mask_logits.shape == (1, 8, 16, 20)
        assert first.mask_logits is first.mask_logits and not first.mask_logits.equal(second.mask_logits)
        (only,) = model.read(model.encode(images))
        assert only.mask_logits.equal(last.mask_logits) and only.boxes.equal(last.boxes)
    assert first.boxes.shape == (1, 8, 4) and first.boxes.ge(0).all() and first.boxes.le(1).all()
    features = model.encode(images)
    first = model.read(features, every=True)[0]
    with torch.no_grad():
        assert not first.mask_logits.requires_grad
    assert first.mask_logits.requires_grad  # made again, for now somebody may learn from them


def test_in_the_first_stage_no_mask_is_made() -> None:
    model = small(stage="boxes")
    batch = Batch(torch.randn(1, 3, 64, 64), ["panoptic"], [], [], [(64, 64)], [0])
    batch.texts = None
    output = model.learn(batch)
    assert isinstance(output.masks, DeferredMasks) and output.masks._whole is None
    assert model(batch.images).mask_logits.shape == (1, 8, 16, 16)


def test_nobody_looks_at_padding() -> None:
    """Of a picture that is padded, attention lies within it: in the encoder as in the decoder."""
    model = small()
    images = torch.randn(2, 3, 128, 160)
    images[0, :, :, 64:] = 0
    trace = model(images, trace=True).trace
    for i in range(3):
        weights = trace[f"decoder.layer{i}.attention"]
        assert not weights[0][..., 2:].any() and weights[1].all()
        assert torch.allclose(weights.sum((-1, -2)), torch.ones(2, 4, 8))
    with torch.no_grad():
        memory = model.encode(images).maps[0]
        images[0, :, :, 96:] = 0
        again = model.encode(images).maps[0]
    assert torch.equal(memory, again)


def test_the_trace_holds_boxes_and_masks_of_every_layer() -> None:
    out = small()(torch.randn(1, 3, 50, 70), trace=True)
    for i, prediction in enumerate(out.predictions):
        assert out.trace[f"prediction{i}.boxes"].equal(prediction.boxes)
        assert out.trace[f"prediction{i}.mask_logits"].shape == (1, 8, 13, 18)
    assert out.trace["encoder.memory"].shape == (1, 48, 2, 3) and len(out.predictions) == 3


def test_classes_that_no_data_have_are_judged_around() -> None:
    """A model that numbers its classes with gaps, as the published one does, is evaluated by their names."""
    data = ofl.data.Toytown("train", 64, 2)
    gaps = [ofl.data.Category(9000 + i, f"{UNUSED}{i}", True) for i in range(3)]
    classes = [gaps[0], *data.categories[:5], gaps[1], *data.categories[5:], gaps[2]]
    c = config.for_classes(dataclasses.replace(config.detr_toytown(), **SMALL, test_size=64), classes)
    torch.manual_seed(0)
    found = ofl.evaluate(build(c).eval(), data)
    assert {"PQ", "AP", "mIoU"} <= found.keys()
