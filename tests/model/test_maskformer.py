"""MaskFormer: zeros for a start, one map to look at, masks learned on all pixels, segments by its own rule."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from member_checks import lost

import oneformer_lite as ofl
from oneformer_lite import config
from oneformer_lite.data.batch import pad_to
from oneformer_lite.errors import ConfigError
from oneformer_lite.inference import RawPrediction, panoptic_inference
from oneformer_lite.model import MaskFormer, build

SMALL = {
    "image_size": 64, "test_size": 64, "pretrained": False, "hidden_dim": 48, "num_heads": 4, "num_queries": 12,
    "encoder_layers": 1, "encoder_ffn": 64, "decoder_layers": 2, "decoder_ffn": 64, "object_mask_threshold": 0.1,
}  # fmt: skip


def small(**changes) -> MaskFormer:
    torch.manual_seed(0)
    return build(dataclasses.replace(config.maskformer_toytown(), **(SMALL | changes))).eval()


@pytest.fixture(scope="module")
def model() -> MaskFormer:
    return small()


@pytest.fixture(scope="module")
def data() -> ofl.data.Toytown:
    return ofl.data.Toytown("train", 64, 4)


def test_queries_start_as_zeros_and_are_told_apart_by_their_positions(model) -> None:
    images = torch.randn(1, 3, 64, 64)
    trace = model(images, trace=True).trace
    assert trace["decoder.memory"].shape == (1, 48, 2, 2)
    assert trace["decoder.layer0.attention"].shape == (1, 4, 12, 2, 2)
    twins = small()
    with torch.no_grad():
        twins.query_positions.weight[1] = twins.query_positions.weight[0]
    out = twins(images)
    torch.testing.assert_close(out.class_logits[0, 1], out.class_logits[0, 0])
    assert not model(images).class_logits[0, 1].allclose(model(images).class_logits[0, 0], atol=1e-3)


@pytest.mark.parametrize("layers", [0, 2])
def test_the_fpn_reads_what_the_queries_read_only_with_an_encoder(layers: int) -> None:
    model, channels = small(encoder_layers=layers), small().backbone.channels
    assert model.pixel_decoder.top[0].in_channels == (48 if layers else channels[-1])
    assert len(model.encoder.layers) == layers
    before = model(torch.ones(1, 3, 64, 64)).mask_logits
    with torch.no_grad():
        model.input_projection.bias += 5
    trace = model(torch.ones(1, 3, 64, 64), trace=True).trace
    assert before.shape == (1, 12, 16, 16) and (f"encoder.layer{layers - 1}" in trace) == bool(layers)
    again = small(encoder_layers=layers)(torch.ones(1, 3, 64, 64), trace=True).trace["pixel_decoder.mask_features"]
    assert trace["pixel_decoder.mask_features"].allclose(again, atol=1e-4) == (not layers)


def test_coarse_maps_are_enlarged_by_repetition(model) -> None:
    step = model.pixel_decoder.steps[0]
    coarse = torch.randn(1, 48, 2, 3)
    with torch.no_grad():
        step.lateral[0].weight.zero_()
        for parameter in step.lateral[1].parameters():
            parameter.zero_()
        fine = torch.randn(1, step.lateral[0].in_channels, 4, 6)
        expected = step.output(coarse.repeat_interleave(2, 2).repeat_interleave(2, 3))
        assert step(fine, coarse).equal(expected)


def official_panoptic(class_logits, masks, is_thing, object_threshold, overlap_threshold):
    """``MaskFormer.panoptic_inference`` of the official code, in numpy: segment map and (class, pixels)."""
    scores = torch.softmax(class_logits, -1).numpy()
    probability = masks.sigmoid().numpy()
    labels, best = scores.argmax(-1), scores.max(-1)
    kept = [q for q in range(len(labels)) if labels[q] != len(is_thing) and best[q] > object_threshold]
    ids = np.zeros(masks.shape[1:], int)
    if not kept:
        return ids, []
    winner = np.stack([best[q] * probability[q] for q in kept]).argmax(0)
    segments, stuff = [], {}
    for place, q in enumerate(kept):
        won, own = winner == place, probability[q] >= 0.5
        if not won.any() or not own.any() or won.sum() / own.sum() < overlap_threshold:
            continue
        if not is_thing[labels[q]]:
            if labels[q] in stuff:
                ids[won] = stuff[labels[q]]
                continue
            stuff[labels[q]] = len(segments) + 1
        segments.append(labels[q])
        ids[won] = len(segments)
    return ids, [(int(label), int((ids == i + 1).sum())) for i, label in enumerate(segments)]


@pytest.mark.parametrize("object_threshold, overlap_threshold", [(0.8, 0.8), (0.7, 0.8), (0.3, 0.5), (0.0, 0.0)])
def test_segments_by_the_official_rule(object_threshold: float, overlap_threshold: float) -> None:
    """Fifty random cases of each, from sure queries to unsure ones, with stuff that is joined."""
    generator = torch.Generator().manual_seed(int(100 * object_threshold))
    differing = found_any = 0
    for case in range(50):
        queries, classes = 2 + case % 7, 2 + case % 3
        class_logits = (1 + case % 5) * torch.randn(queries, classes + 1, generator=generator)
        masks = torch.nn.functional.interpolate(
            3 * torch.randn(1, queries, 3, 4, generator=generator), (9, 12), mode="bilinear"
        )[0]
        things = tuple(bool((k + case) % 2) for k in range(classes))
        raw = RawPrediction(class_logits, masks, (9, 12), (9, 12), (9, 12))
        rule = things, object_threshold, overlap_threshold
        ids, segments = panoptic_inference(raw, *rule, within_masks=config.maskformer_coco_r50().merge_within_masks)
        expected, kept = official_panoptic(class_logits, masks, *rule)
        assert np.array_equal(ids.numpy(), expected)
        assert [(label, int((ids == i).sum())) for i, label, _ in segments] == kept
        found_any += bool(kept)
        differing += not torch.equal(panoptic_inference(raw, *rule)[0], ids)
    assert found_any > 10 and differing > 5  # its successors' rule gives something else


@pytest.mark.parametrize("height, width", [(64, 64), (50, 67), (33, 61)])
def test_pictures_need_not_be_padded(data, height: int, width: int) -> None:
    """COCO's models see a picture as it is: masks have a cell for every four pixels begun, and are enlarged to it."""
    free = small(padding_multiple=1, test_size=height, test_max_size=2 * height)
    image = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    with torch.inference_mode():
        out = free(ofl.data.normalise(image)[None])
    cells = -(-height // 4), -(-width // 4)
    assert out.mask_logits.shape[-2:] == cells
    wide = torch.nn.functional.interpolate(out.mask_logits, (height, width), mode="bilinear")[0]
    by_hand = torch.einsum("qk,qhw->khw", out.probabilities[0], wide.sigmoid()).argmax(0)
    found = ofl.predict(free, image, "semantic")
    assert (torch.from_numpy(found.label_map) == by_hand).float().mean() > 0.999
    sample = data[0].replace(image=image, segment_map=np.resize(data[0].segment_map, (height, width)))
    for inspector in ("MaskInspector", "MatchInspector", "QueryInspector", "MergeInspector", "FeatureInspector"):
        assert getattr(ofl.widgets, inspector)(free, sample).still().size[0] > 50


def test_what_padding_changes(model) -> None:
    """Nothing masks it: padded by hand or by the model gives the same, and other sizes other numbers."""
    images = torch.randn(1, 3, 50, 60)
    assert model(images).class_logits.equal(model(pad_to(images, (64, 64))).class_logits)
    free = small(padding_multiple=1)
    assert not free(images).class_logits.allclose(model(images).class_logits, atol=1e-4)


def test_a_semantic_model_refuses_the_others(data) -> None:
    one = small(trained_task="semantic")
    assert ofl.predict(one, data[0].image, "semantic").task == "semantic" and ofl.evaluate(one, data, "semantic")
    for other in ("panoptic", "instance"):
        with pytest.raises(ConfigError, match=f"trained for semantic segmentation alone.*no answer for '{other}'"):
            ofl.predict(one, data[0].image, other)


@pytest.mark.parametrize("kind", [config.MaskFormerConfig, config.Mask2FormerConfig])
def test_scores_of_a_semantic_model_are_summed_before_they_are_resized(kind, monkeypatch) -> None:
    """Official ``forward``: enlarge, sum, cut off padding, resize; a panoptic model resizes, then sums; in bands."""
    from oneformer_lite.inference import raw as raw_module
    from oneformer_lite.inference import read_prediction, semantic_inference

    generator = torch.Generator().manual_seed(0)
    class_logits, masks = 2 * torch.randn(6, 4, generator=generator), 4 * torch.randn(6, 8, 10, generator=generator)
    sizes = (32, 40), (27, 35), (41, 59)
    wide = torch.nn.functional.interpolate(masks[None], sizes[0], mode="bilinear")
    scores = torch.einsum("qk,bqhw->bkhw", class_logits.softmax(-1)[:, :-1], wide.sigmoid())[..., :27, :35]
    expected = torch.nn.functional.interpolate(scores, sizes[2], mode="bilinear")[0]
    raw = RawPrediction(class_logits, masks, *sizes)
    summed = dataclasses.replace(raw, sums_first=True)
    torch.testing.assert_close(semantic_inference(summed), expected)
    assert not semantic_inference(raw).allclose(expected, atol=1e-3)
    found = {}
    for task in ("semantic", "panoptic"):
        c = kind(num_classes=3, trained_task=task)
        prediction = read_prediction(raw, "semantic", np.zeros((41, 59, 3), np.uint8), c, c.categories)
        found[task] = torch.from_numpy(prediction.label_map)
    assert found["semantic"].equal(expected.argmax(0)) and found["panoptic"].equal(semantic_inference(raw).argmax(0))
    assert not found["semantic"].equal(found["panoptic"])
    monkeypatch.setattr(raw_module, "BAND", 6 * 59 * 10)
    torch.testing.assert_close(semantic_inference(summed), expected)


def test_losses_fall_on_toytown(data) -> None:
    """Each of the three, by a few steps on a scene; without dropout, so that it is the same each time."""
    model, batch = small(num_queries=16, pretrained=True).train(), ofl.data.collate([(data[0], "panoptic")])
    history = lost(model, batch, 40, lr=1e-3, clip_norm=1.0)
    for name in ("class", "mask", "dice", "total"):
        assert np.mean([h[name] for h in history[-3:]]) < 0.95 * history[0][name], name
