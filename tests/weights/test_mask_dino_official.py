"""Mask DINO's official files: names both ways, order of the maps, sizes as published, what files do not say."""

from __future__ import annotations

import dataclasses
import re

import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite import config
from oneformer_lite.config import mask_dino_presets
from oneformer_lite.errors import CheckpointError
from oneformer_lite.model import MaskDino, build
from oneformer_lite.weights.mask_dino.official import is_mask_dino, measure, to_official, to_ours
from oneformer_lite.weights.shapes import Shapes

PUBLISHED = [call for call in mask_dino_presets.published() if "toytown" not in call]
TINY = {
    "num_classes": 5, "num_queries": 300, "hidden_dim": 32, "encoder_layers": 1, "encoder_ffn": 24, "decoder_layers": 2,
    "decoder_ffn": 24, "pretrained": False, "class_names": (), "is_thing": (), "class_colors": (), "category_ids": (),
    "backbone_options": {"layers": (1, 1, 1, 1), "channels": (8, 12, 16, 20)},
}  # fmt: skip
KINDS = {
    "released": {}, "narrow": {"extra_maps": 0, "proposal_sizes": "dino"}, "five": {"encoder_maps": 4, "extra_maps": 1},
    "semantic": {"extra_maps": 0, "proposal_sizes": "dino", "two_stage": False, "class_loss": "softmax"},
}  # fmt: skip


def tiny(kind: str, **fields) -> MaskDino:
    torch.manual_seed(0)
    c = dataclasses.replace(config.mask_dino_coco_r50(), **TINY | KINDS[kind] | fields)
    model = build(c).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


def repeated(state: dict, layers: int) -> dict:
    """With what files hold several times."""
    start, found = "sem_seg_head.predictor.", dict(state)
    for name, value in state.items():
        if rest := re.fullmatch(re.escape(start) + r"_bbox_embed\.(.+)", name):
            for where in ("bbox_embed", "decoder.bbox_embed"):
                found |= {f"{start}{where}.{i}.{rest[1]}": value for i in range(layers)}
        if rest := re.fullmatch(re.escape(start) + r"decoder_norm\.(.+)", name):
            found[f"{start}decoder.norm.{rest[1]}"] = value
    return found


def official(model: MaskDino) -> dict:
    c = model.config
    state = to_official(model.state_dict(), fine_first=c.proposal_sizes == "released", heads=c.num_heads)
    state = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    return repeated(state, c.decoder_layers) | {"criterion.empty_weight": torch.ones(c.num_classes + 1)}


@pytest.mark.parametrize("kind", KINDS)
def test_both_ways(kind: str) -> None:
    model = tiny(kind)
    state, theirs = model.state_dict(), official(model)
    assert is_mask_dino(theirs)
    ours, fine_first = to_ours({n: v for n, v in theirs.items() if not n.startswith("criterion")})
    assert fine_first == (model.config.proposal_sizes == "released")
    left = {name for name in state if not name.endswith("num_batches_tracked")}
    assert ours.keys() == left and all(value.equal(state[name]) for name, value in ours.items())
    widths = [theirs[f"sem_seg_head.pixel_decoder.input_proj.{i}.0.weight"].shape[1] for i in range(3)]
    assert widths == sorted(widths, reverse=not fine_first)


@pytest.mark.parametrize("call", PUBLISHED)
def test_sizes_are_those_of_the_published_models(call: str) -> None:
    """From the shapes of a whole file, on the meta device."""
    c = mask_dino_presets.published()[call]
    with torch.device("meta"):
        state = build(dataclasses.replace(c, pretrained=False)).state_dict()
    theirs = to_official(state, fine_first=c.proposal_sizes == "released")
    assert theirs["sem_seg_head.predictor.label_enc.weight"].shape == (c.num_classes, 256)
    levels = c.encoder_maps + c.extra_maps
    weights = theirs["sem_seg_head.predictor.decoder.layers.8.cross_attn.sampling_offsets.weight"]
    assert weights.shape == (8 * levels * 4 * 2, 256)
    assert theirs[f"sem_seg_head.pixel_decoder.input_proj.{levels - 1}.0.weight"].shape[0] == 256
    ours, fine_first = to_ours(theirs)
    found = measure(Shapes(ours, "file", "Mask DINO"), fine_first)
    assert all(getattr(c, name) == value for name, value in found.items())


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_read_and_predicts_the_same(kind: str, tmp_path) -> None:
    model = tiny(kind, num_queries=20)
    torch.save({"model": official(model)}, tmp_path / "model.pth")
    loaded = ofl.from_pretrained(tmp_path / "model.pth", config=model.config)
    images = torch.randn(1, 3, 96, 64)
    with torch.no_grad():
        assert torch.equal(loaded(images).mask_logits, model(images).mask_logits)
    with pytest.warns(UserWarning, match="is no published Mask DINO: its 5 classes get numbers"):
        guessed = ofl.from_pretrained(tmp_path / "model.pth").config
    sizes = ("num_classes", "encoder_maps", "extra_maps", "proposal_sizes", "two_stage", "class_loss", "decoder_ffn")
    assert all(getattr(guessed, name) == getattr(model.config, name) for name in sizes)
    assert guessed.num_queries == (20 if kind == "semantic" else 300)


def test_the_order_of_levels_alone_makes_another_file_of_the_same_model() -> None:
    state = tiny("released").state_dict()
    one, other = (to_official(state, fine_first) for fine_first in (True, False))
    assert not one["sem_seg_head.pixel_decoder.transformer.level_embed"].equal(
        other["sem_seg_head.pixel_decoder.transformer.level_embed"]
    )
    for theirs in (one, other):
        ours, _ = to_ours(theirs)
        assert all(value.equal(state[name]) for name, value in ours.items())


@pytest.mark.parametrize(
    "change, words",
    [
        ({"sem_seg_head.predictor.bbox_embed.1.layers.0.weight": torch.zeros(32, 32)}, "should be its .*_bbox_embed"),
        ({"sem_seg_head.pixel_decoder.input_proj.0.0.weight": None}, "should be 1x1 convolutions"),
        ({"sem_seg_head.predictor.class_embed.weight": None}, "missing: decoder.class_head.weight"),
        ({"sem_seg_head.predictor.strange.weight": torch.zeros(2)}, "unknown: .*strange"),
    ],
)
def test_damaged_files_are_refused(change: dict, words: str, tmp_path) -> None:
    model = tiny("released")
    state = official(model) | change
    torch.save({"model": {n: v for n, v in state.items() if v is not None}}, tmp_path / "damaged.pth")
    with pytest.raises(CheckpointError, match=words):
        ofl.from_pretrained(tmp_path / "damaged.pth", config=model.config)


def test_another_members_configuration_is_refused(tmp_path) -> None:
    torch.save({"model": official(tiny("narrow"))}, tmp_path / "model.pth")
    with pytest.raises(CheckpointError, match="holds a Mask DINO, but config is that of a detr"):
        ofl.from_pretrained(tmp_path / "model.pth", config=config.detr_toytown())
