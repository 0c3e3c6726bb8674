"""The official ``.pth`` of K-Net: its parameter names beside ours, and reading one.

Source: ZwwWayne/K-Net, ``knet/det/*.py``, in mmdetection 2.17. A file is a dictionary whose entry "state_dict" holds
the weights. Backbones are mmdetection's: a ResNet of torchvision's names; a Swin that lists the four corners of merged
patches channel by channel, and in another order.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from ...config import BaseConfig, KNetConfig, knet_presets
from ...errors import CheckpointError
from ...notices import warn_user
from ..backbones.sizes import has_sizes, nearest
from ..load import build, check_kind, check_sizes
from ..names import State, Table, attention, below, rename
from ..shapes import Shapes, backbone_kind, measure_backbone

if TYPE_CHECKING:
    from ...model import MaskModel

_CONV_NORM: Table = [("conv", "0"), ("gn", "1")]
_SWIN: Table = [
    ("patch_embed.projection", "network.patch_embed.proj"),
    ("patch_embed.norm", "network.patch_embed.norm"),
    *below("stages.{}.", "network.layers.{}.", [
        ("downsample", "downsample"),
        *below("blocks.{}.", "blocks.{}.", [
            ("norm1", "norm1"), ("attn.w_msa", "attn"), ("norm2", "norm2"),
            ("ffn.layers.0.0", "mlp.fc1"), ("ffn.layers.1", "mlp.fc2"),
        ]),
    ]),
    ("norm{}", "norms.{}"),
]  # fmt: skip
_RESNET: Table = [("conv1", "network.conv1"), ("bn1", "network.bn1"), ("layer{}", "network.layer{}")]

STAGE: Table = [
    ("feat_transform.conv", "features"),
    *below("kernel_update_conv.", "update.", [
        ("dynamic_layer", "from_features"), ("input_layer", "from_kernel"),
        ("update_gate", "feature_gate"), ("norm_in", "feature_gate_norm"), ("norm_out", "feature_norm"),
        ("input_gate", "kernel_gate"), ("input_norm_in", "kernel_gate_norm"), ("input_norm_out", "kernel_norm"),
        ("fc_layer", "output"), ("fc_norm", "norm"),
    ]),
    *attention("attention.attn", "attention"),
    ("attention_norm", "norm"),
    ("ffn.layers.0.0", "feed_forward.linear1"), ("ffn.layers.1", "feed_forward.linear2"),
    ("ffn_norm", "feed_forward.norm"),
    ("cls_fcs.{}", "class_hidden.{}"), ("fc_cls", "class_head"),
    ("mask_fcs.{}", "mask_hidden.{}"), ("fc_mask", "mask_head"),
]  # fmt: skip

TABLE: Table = [
    *below("backbone.", "backbone.", _SWIN + _RESNET),
    ("neck.lateral_convs.{}.conv", "fpn.laterals.{}"),
    ("neck.fpn_convs.{}.conv", "fpn.outputs.{}"),
    *below("rpn_head.", "", [
        *below("localization_fpn.convs_all_levels.{}.conv{}.", "localisation.levels.{}.{}.", _CONV_NORM),
        *below("localization_fpn.conv_pred.", "localisation.location.0.", _CONV_NORM),
        *below("localization_fpn.aux_convs.0.", "localisation.semantic.0.", _CONV_NORM),
        *below("loc_convs.0.", "localisation.location.1.", _CONV_NORM),
        *below("seg_convs.0.", "localisation.semantic.1.", _CONV_NORM),
        ("init_kernels", "queries"),
        ("conv_seg", "class_head"),
    ]),
    *below("roi_head.mask_head.{}.", "stages.{}.", STAGE),
]  # fmt: skip

_MERGED = re.compile(r"backbone\.network\.layers\.\d+\.downsample\.(reduction|norm)\.")


def is_official_knet(state: State) -> bool:
    """Whether these are the names of the authors' files for COCO."""
    return "rpn_head.init_kernels.weight" in state


def renamed(state: State) -> State:
    """Under our names and in our shapes."""
    state = rename(state, TABLE)
    if state["queries.weight"].ndim < 2:
        raise CheckpointError("rpn_head.init_kernels.weight should be [kernels, channels, 1, 1]: it is no K-Net's")
    ours = {name: _corners_first(value, name) if _MERGED.match(name) else value for name, value in state.items()}
    return ours | {"queries.weight": state["queries.weight"].flatten(1)}


def _corners_first(weight: Tensor, name: str) -> Tensor:
    """Four corners of C channels each [..., 4C], upper left, lower left, upper right, lower right; out of mmdetection's
    C channels of four corners each, row by row."""
    if not weight.ndim or weight.shape[-1] % 4:
        raise CheckpointError(f"{name} is {list(weight.shape)}: it should hold four corners of as many channels each")
    return weight.unflatten(-1, (-1, 4)).transpose(-1, -2)[..., [0, 2, 1, 3], :].flatten(-2)


def from_official_knet(state: State, path: Path, config: BaseConfig | None) -> MaskModel:
    """The model of an official ``.pth``, in evaluation mode. Sizes come from the shapes; ``config`` says what they do
    not tell, and must agree with them."""
    state = renamed(state)
    shapes = Shapes(state, str(path), "K-Net")
    try:
        found = measure(shapes)
    except (IndexError, ValueError) as error:  # weights of other ranks
        raise CheckpointError(f"the shapes of the weights in {path} are no K-Net's: {error}") from error
    if config is None:
        config = config_from_shapes(shapes, found)
    else:
        check_kind(config, KNetConfig, "a K-Net", path)
        check_sizes(config, found, path)
    return build(config, state, str(path))


def measure(shapes: Shapes) -> dict:
    """The fields of the configuration that shapes tell, save the backbone's."""
    kernels, width = shapes["queries.weight"]
    return {
        "num_classes": shapes["class_head.weight"][0],
        "thing_kernels": kernels,
        "hidden_dim": width,
        "stages": shapes.count("stages.{}.norm.weight"),
        "stage_ffn": shapes["stages.0.feed_forward.linear1.weight"][0],
    }


def config_from_shapes(shapes: Shapes, found: dict) -> KNetConfig:
    """The published model with as many classes and a backbone of that kind, in the shapes' sizes. Classes of another
    number get numbers for names and count as things, with a warning."""
    kind = backbone_kind(shapes)
    sizes = measure_backbone(kind, shapes)
    network, options = nearest(kind, sizes)
    if fitting := [c for c in knet_presets.published().values() if c.num_classes == found["num_classes"]]:
        own = {"backbone": network, "backbone_options": options}
        config = next((c for c in fitting if has_sizes(c, kind, sizes)), replace(fitting[0], **own))
        return replace(config, **found)
    warn_user(
        f"{shapes.source} has {found['num_classes']} classes, which is no published K-Net: they get numbers for names "
        "and all count as things. Say better with from_pretrained(path, config=...)."
    )
    return KNetConfig(trained_task="instance", backbone=network, backbone_options=options, **found)
