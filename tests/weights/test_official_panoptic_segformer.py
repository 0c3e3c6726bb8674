"""Official files of Panoptic SegFormer: every name both ways, branches that are left out, sizes read from shapes."""

from __future__ import annotations

import warnings
from dataclasses import replace

import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite import config
from oneformer_lite.errors import CheckpointError
from oneformer_lite.model import build
from oneformer_lite.weights.names import rename, reverse
from oneformer_lite.weights.panoptic_segformer.official import HEAD, NETWORKS

SIZES = {
    "hidden_dim": 32, "num_heads": 4, "thing_queries": 6, "encoder_layers": 2, "encoder_ffn": 48, "decoder_layers": 2,
    "decoder_ffn": 40, "thing_blocks": 1, "stuff_blocks": 2, "sampling_points": 2, "pretrained": False,
}  # fmt: skip


def small(**changes) -> config.PanopticSegFormerConfig:
    return replace(config.panoptic_segformer_coco_r50(), backbone="resnet18", **{**SIZES, **changes})


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    torch.manual_seed(0)
    return build(small()).eval()


@pytest.fixture(scope="module")
def file(model, tmp_path_factory):
    """As mmcv writes it: with what nobody asks, and counters of batches."""
    state = rename(model.state_dict(), reverse(NETWORKS["resnet"] + HEAD))
    state["bbox_head.cls_thing_branches.0.weight"] = torch.ones(80, 32)
    state["bbox_head.reg_branches2.0.4.bias"] = torch.ones(4)
    path = tmp_path_factory.mktemp("official") / "panoptic_segformer_r50_2x.pth"
    torch.save({"meta": {"epoch": 24}, "state_dict": state, "optimizer": {}}, path)
    return path


def test_a_file_gives_the_model_back(model, file) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = ofl.from_pretrained(file, config=small())
    for name, value in model.state_dict().items():
        assert value.equal(loaded.state_dict()[name]), name


def test_sizes_come_from_the_shapes(model, file) -> None:
    loaded = ofl.from_pretrained(file)
    c = loaded.config
    assert {name: getattr(c, name) for name in SIZES if name != "pretrained"} == {
        name: value for name, value in SIZES.items() if name != "pretrained"
    }
    assert (c.backbone, c.num_classes, len(c.things), c.mask_stride, c.data_set) == ("resnet18", 133, 80, 8, "coco")


@pytest.mark.parametrize(
    "wrong, words",
    [
        ({"thing_queries": 7}, "thing_queries is 6 in the file, 7 in config"),
        ({"stuff_blocks": 3}, "stuff_blocks is 2 in the file, 3 in config"),
        ({"is_thing": (True,) * 79 + (False,) * 54}, "things and stuff are 80 and 53 in the file, 79 and 54 in config"),
    ],
)
def test_a_config_that_is_not_the_files_is_refused(file, wrong, words) -> None:
    with pytest.raises(CheckpointError, match=words):
        ofl.from_pretrained(file, config=small(**wrong))


def test_a_config_of_another_member_is_refused(file) -> None:
    with pytest.raises(CheckpointError, match="holds a Panoptic SegFormer, but config is that of a detr"):
        ofl.from_pretrained(file, config=config.detr_coco_r50())


# one name of each kind, and its shape, as the authors' code has them at the published sizes
PUBLISHED = {
    "neck.convs.0.conv.weight": [256, 512, 1, 1],
    "neck.extra_convs.0.conv.weight": [256, 2048, 3, 3],
    "neck.convs.2.gn.bias": [256],
    "bbox_head.transformer.level_embeds": [4, 256],
    "bbox_head.transformer.reference_points.weight": [2, 256],
    "bbox_head.transformer.encoder.layers.5.attentions.0.sampling_offsets.weight": [256, 256],
    "bbox_head.transformer.encoder.layers.0.ffns.0.layers.0.0.weight": [1024, 256],
    "bbox_head.transformer.encoder.layers.0.ffns.0.layers.1.bias": [256],
    "bbox_head.transformer.encoder.layers.0.norms.1.weight": [256],
    "bbox_head.transformer.decoder.layers.5.attentions.0.attn.in_proj_weight": [768, 256],
    "bbox_head.transformer.decoder.layers.5.attentions.0.attn.out_proj.weight": [256, 256],
    "bbox_head.transformer.decoder.layers.0.attentions.1.attention_weights.weight": [128, 256],
    "bbox_head.transformer.decoder.layers.0.norms.2.bias": [256],
    "bbox_head.query_embedding.weight": [300, 512],
    "bbox_head.stuff_query.weight": [53, 512],
    "bbox_head.cls_branches.5.weight": [80, 256],
    "bbox_head.reg_branches.5.4.weight": [4, 256],
    "bbox_head.cls_stuff_branches.5.weight": [1, 256],
    "bbox_head.things_mask_head.blocks.3.head_norm1.weight": [256],
    "bbox_head.things_mask_head.blocks.3.attn.linear_l3.0.weight": [8, 8],
    "bbox_head.things_mask_head.blocks.0.attn.linear.0.weight": [1, 24],
    "bbox_head.things_mask_head.attnen.k.bias": [256],
    "bbox_head.things_mask_head.attnen.linear.0.bias": [1],
    "bbox_head.stuff_mask_head.blocks.5.self_attention.qkv.weight": [768, 256],
    "bbox_head.stuff_mask_head.blocks.5.self_attention.proj.bias": [256],
    "bbox_head.stuff_mask_head.blocks.0.norm3.weight": [256],
    "bbox_head.stuff_mask_head.blocks.0.mlp.fc1.weight": [1024, 256],
}
BACKBONES = {
    "r50": ("resnet", "backbone.layer4.2.conv3.weight", [2048, 512, 1, 1]),
    "swin_l": ("swin", "backbone.layers.3.blocks.1.attn.relative_position_bias_table", [169, 48]),
    "pvtv2_b5": ("pvt", "backbone.block3.39.mlp.dwconv.dwconv.weight", [1280, 1, 3, 3]),
}


@pytest.mark.parametrize("name", BACKBONES)
def test_names_are_complete_both_ways(name) -> None:
    with torch.device("meta"):
        state = build(getattr(config, f"panoptic_segformer_coco_{name}")()).state_dict()
    kind, *of_backbone = BACKBONES[name]
    table = NETWORKS[kind] + HEAD
    theirs = rename(state, reverse(table))
    assert all(key.startswith(("backbone.", "neck.", "bbox_head.")) for key in theirs)
    assert not [key for key in theirs if key in state and key.startswith(("neck.levels", "backbone.network"))]
    shapes = {key: list(theirs[key].shape) for key in (*PUBLISHED, of_backbone[0]) if key in theirs}
    first = {"neck.convs.0.conv.weight": state["neck.levels.0.0.weight"],
             "neck.extra_convs.0.conv.weight": state["neck.extra.0.weight"]}  # fmt: skip
    expected = PUBLISHED | {key: list(value.shape) for key, value in first.items()} | {of_backbone[0]: of_backbone[1]}
    assert shapes == expected
    back = rename(theirs, table)
    assert {key: value.shape for key, value in back.items()} == {key: value.shape for key, value in state.items()}


@pytest.mark.parametrize("name", ["r50", "swin_l", "pvtv2_b5"])
def test_the_preset_is_found_by_its_shapes(name) -> None:
    from oneformer_lite.weights.panoptic_segformer.official import config_from_shapes, measure
    from oneformer_lite.weights.shapes import Shapes

    c = getattr(config, f"panoptic_segformer_coco_{name}")()
    with torch.device("meta"):
        shapes = Shapes(build(c).state_dict(), "file", "Panoptic SegFormer")
    assert config_from_shapes(shapes, measure(shapes)) == c
