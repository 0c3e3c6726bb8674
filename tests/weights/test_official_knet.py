"""K-Net's official files: names of mmdetection's ResNet and Swin, both ways; sizes, classes and corners of patches."""

from __future__ import annotations

import dataclasses
import re

import pytest
import torch
import torch.nn.functional as F

import oneformer_lite as ofl
from oneformer_lite import config
from oneformer_lite.errors import CheckpointError
from oneformer_lite.model import KNet, build
from oneformer_lite.model.networks.swin import Swin
from oneformer_lite.weights.knet.official import TABLE, renamed
from oneformer_lite.weights.names import rename, reverse

SWIN = {"embed_dim": 8, "depths": (1, 2, 1, 1), "num_heads": (1, 1, 2, 2), "window_size": 4}
BACKBONES = {
    "resnet": {"backbone": "resnet50", "backbone_options": {"layers": (1, 1, 1, 1)}},
    "dcn": {"backbone": "resnet50", "backbone_options": {"layers": (1, 1, 2, 1), "deformable": (0, 1, 1, 1)}},
    "swin": {"backbone": "swin_tiny_patch4_window7_224", "backbone_options": SWIN},
}
SIZES = {"hidden_dim": 32, "stages": 2, "stage_ffn": 48, "thing_kernels": 9, "pretrained": False}


def model_of(kind: str, task: str = "panoptic") -> KNet:
    torch.manual_seed(0)
    model = build(dataclasses.replace(config.knet_coco_r50(task), **SIZES, **BACKBONES[kind])).eval()
    for name, parameter in model.named_parameters():
        if "conv_offset" in name:  # zeros at first
            torch.nn.init.normal_(parameter, std=0.1)
    return model


def official(model: KNet) -> dict[str, torch.Tensor]:
    """The weights under the official names and in their shapes."""
    state = {}
    for name, value in rename(model.state_dict(), reverse(TABLE)).items():
        if "downsample.reduction" in name or "downsample.norm" in name:
            corners = value.unflatten(-1, (4, -1))[..., [0, 2, 1, 3], :]  # to row by row
            value = corners.transpose(-1, -2).flatten(-2)
        state[name] = value[..., None, None] if name == "rpn_head.init_kernels.weight" else value
    return state


# patterns of all names of an official file
NAMES = r"""
backbone\.((conv1|bn1)\.[a-z_]+|layer\d\.\d\.((conv|bn)\d|conv2\.conv_offset|downsample\.\d)\.[a-z_]+)
backbone\.(patch_embed\.(projection|norm)|norm\d)\.(weight|bias)
backbone\.stages\.\d\.(downsample\.(norm\.(weight|bias)|reduction\.weight)|blocks\.\d\.(norm1|norm2)\.(weight|bias))
backbone\.stages\.\d\.blocks\.\d\.(attn\.w_msa\.((qkv|proj)\.(weight|bias)|relative_position_bias_table))
backbone\.stages\.\d\.blocks\.\d\.ffn\.layers\.(0\.0|1)\.(weight|bias)
neck\.(lateral_convs|fpn_convs)\.[0-3]\.conv\.(weight|bias)
rpn_head\.localization_fpn\.(convs_all_levels\.(0\.conv0|1\.conv0|2\.conv[01]|3\.conv[012])|conv_pred|aux_convs\.0)\.(conv\.weight|gn\.(weight|bias))
rpn_head\.(init_kernels\.weight|conv_seg\.(weight|bias)|(loc|seg)_convs\.0\.(conv\.weight|gn\.(weight|bias)))
roi_head\.mask_head\.\d\.attention\.attn\.(in_proj_|out_proj\.)(weight|bias)
roi_head\.mask_head\.\d\.kernel_update_conv\.(dynamic_layer|input_layer|input_gate|update_gate|fc_layer|fc_norm|(input_)?norm_(in|out))\.(weight|bias)
roi_head\.mask_head\.\d\.(attention_norm|feat_transform\.conv|ffn\.layers\.(0\.0|1)|ffn_norm|(cls|mask)_fcs\.1|fc_(cls|mask))\.(weight|bias)
roi_head\.mask_head\.\d\.(cls|mask)_fcs\.0\.weight
""".split()  # noqa: E501


@pytest.mark.parametrize("kind", BACKBONES)
def test_names_both_ways(kind) -> None:
    model = model_of(kind)
    state = official(model)
    unknown = [name for name in state if not any(re.fullmatch(pattern, name) for pattern in NAMES)]
    assert not unknown and not [name for name in state if name.startswith(("fpn", "stages", "localisation", "queries"))]
    # of the heads: 16 of the FPN, 7 + 4 convolutions with norm, kernels and classes of pixels, 44 a stage
    heads = [name for name in state if not name.startswith("backbone.")]
    assert len(heads) == 16 + 3 * 11 + 3 + 2 * 44
    back = renamed(state)
    own = model.state_dict()
    assert back.keys() == own.keys() and all(value.equal(back[name]) for name, value in own.items())


@pytest.mark.parametrize("task", ["panoptic", "instance"])
@pytest.mark.parametrize("kind", BACKBONES)
def test_a_file_is_the_model(kind, task, tmp_path) -> None:
    model = model_of(kind, task)
    counters = {f"backbone.stages.0.blocks.{i}.attn.w_msa.relative_position_index": torch.zeros(1) for i in range(2)}
    state = official(model) | (counters if kind == "swin" else {})
    torch.save({"meta": {"epoch": 12}, "state_dict": state}, tmp_path / "knet.pth")
    found = ofl.from_pretrained(tmp_path / "knet.pth")
    assert type(found) is KNet and found.config.trained_task == task
    wanted = model.config
    for field in ("num_classes", "is_thing", "class_names", "num_queries", "thing_kernels", "stages", "stage_ffn",
                  "hidden_dim", "test_size", "rank_weight", "overlap_threshold"):  # fmt: skip
        assert getattr(found.config, field) == getattr(wanted, field), field
    assert all(value.equal(found.state_dict()[name]) for name, value in model.state_dict().items())
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert found(image).mask_logits.equal(model(image).mask_logits)
    given = ofl.from_pretrained(tmp_path / "knet.pth", config=wanted)
    assert given.config.backbone_options == wanted.backbone_options


class Unfolded(torch.nn.Module):
    """mmdetection's merging of patches: ``nn.Unfold``, norm, reduction."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm, self.reduction = torch.nn.LayerNorm(4 * dim), torch.nn.Linear(4 * dim, 2 * dim, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, h, w, C]"""
        patches = F.unfold(x.permute(0, 3, 1, 2), 2, stride=2).transpose(1, 2)
        return self.reduction(self.norm(patches)).unflatten(1, (x.shape[1] // 2, x.shape[2] // 2))


@torch.no_grad()
def test_patches_merge_as_in_mmdetection() -> None:
    theirs, ours = Unfolded(8), Swin(**SWIN).layers[0].downsample
    for parameter in theirs.parameters():
        parameter.copy_(torch.randn_like(parameter))
    start = "backbone.stages.0.downsample."
    state = {f"{start}{name}": value for name, value in theirs.state_dict().items()}
    found = renamed(state | {"rpn_head.init_kernels.weight": torch.zeros(2, 8, 1, 1)})
    ours.load_state_dict({
        name.removeprefix("backbone.network.layers.0.downsample."): value
        for name, value in found.items() if "downsample" in name
    })  # fmt: skip
    x = torch.randn(2, 6, 4, 8)
    torch.testing.assert_close(ours(x), theirs(x))


def test_the_published_ones_are_told_apart(tmp_path) -> None:
    """Whether the last three stages choose where they look; the second kind of DCN, which weighs places, is refused."""
    state = official(model_of("dcn"))
    found = {
        name: ofl.from_pretrained(written(state, tmp_path / name)).config.backbone_options
        for name, state in {"dcn": state, "plain": official(model_of("resnet"))}.items()
    }
    assert dict(found["dcn"])["deformable"] == (0, 1, 1, 1) and "deformable" not in dict(found["plain"])
    offsets = "backbone.layer2.0.conv2.conv_offset"
    second = {f"{offsets}.weight": torch.zeros(27, 128, 3, 3), f"{offsets}.bias": torch.zeros(27)}
    with pytest.raises(CheckpointError, match="conv_offset.*27"):
        ofl.from_pretrained(written(state | second, tmp_path / "second"))


def written(state: dict[str, torch.Tensor], path) -> object:
    torch.save({"state_dict": state}, path.with_suffix(".pth"))
    return path.with_suffix(".pth")


def test_other_classes_are_said_and_wrong_files_named(tmp_path) -> None:
    model = model_of("resnet")
    fewer = build(config.for_classes(model.config, model.config.categories[:5])).eval()
    torch.save({"state_dict": official(fewer)}, tmp_path / "five.pth")
    with pytest.warns(UserWarning, match="has 5 classes, which is no published K-Net"):
        found = ofl.from_pretrained(tmp_path / "five.pth")
    assert found.config.num_classes == 5 and not found.config.fixed_queries
    state = official(model)
    broken = {
        "missing": {name: value for name, value in state.items() if "mask_head.1.fc_cls" not in name},
        "no K-Net's": state | {"rpn_head.init_kernels.weight": torch.zeros(9)},
        "no whole K-Net": {name: value for name, value in state.items() if "conv_seg" not in name},
        "shapes of the weights": state | {"rpn_head.conv_seg.weight": torch.zeros(())},
    }
    for message, content in broken.items():
        torch.save({"state_dict": content}, tmp_path / "broken.pth")
        with pytest.raises(CheckpointError, match=message):
            ofl.from_pretrained(tmp_path / "broken.pth")
    torch.save({"state_dict": state}, tmp_path / "whole.pth")
    with pytest.raises(CheckpointError, match="holds a K-Net"):
        ofl.from_pretrained(tmp_path / "whole.pth", config=config.detr_toytown())
