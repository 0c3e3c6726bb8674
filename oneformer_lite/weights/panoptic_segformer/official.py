"""The official ``.pth`` of Panoptic SegFormer: its parameter names beside ours, and reading one.

Source: zhiqi-li/Panoptic-SegFormer, ``easymd/models/panformer/`` (mmcv's layers of a transformer); a file is a
dictionary whose entry "state_dict" holds the weights.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...config import BaseConfig, PanopticSegFormerConfig
from ...config.panoptic_segformer import (
    panoptic_segformer_coco_pvtv2_b5,
    panoptic_segformer_coco_r50,
    panoptic_segformer_coco_swin_l,
)
from ...errors import CheckpointError
from ...notices import warn_user
from ..backbones.names import OFFICIAL as BACKBONES
from ..backbones.sizes import nearest
from ..detr.huggingface import NETWORK
from ..load import build, check_kind, check_sizes
from ..names import State, Table, attention, below, drop, rename
from ..shapes import Shapes, backbone_kind, measure_backbone

if TYPE_CHECKING:
    from ...model import MaskModel

# the branches whose losses are multiplied by 0: random numbers that nobody asks
DEAD = [r"bbox_head\.(cls_thing_branches|reg_branches2)\..*"]

_PVT: Table = [
    ("patch_embed1", "network.patch_embed"),
    *((f"patch_embed{i}", f"network.stages_{i - 1}.downsample") for i in (2, 3, 4)),
    *(
        row
        for i in range(4)
        for row in [
            (f"block{i + 1}.{{}}.mlp.dwconv.dwconv", f"network.stages_{i}.blocks.{{}}.mlp.dwconv"),
            (f"block{i + 1}.{{}}", f"network.stages_{i}.blocks.{{}}"),
            (f"norm{i + 1}", f"network.stages_{i}.norm"),
        ]
    ),
]
_MASK: Table = [
    ("q", "q_proj"),
    ("k", "k_proj"),
    *((f"linear_l{i}.0", f"levels.{i - 1}") for i in (1, 2, 3)),
    ("linear.0", "together"),
]
_FEED_FORWARD: Table = [("ffns.0.layers.0.0", "feed_forward.linear1"), ("ffns.0.layers.1", "feed_forward.linear2")]


def _mask_decoder(theirs: str, ours: str) -> Table:
    q, k, v = (f"self_attention.{x}_proj." for x in "qkv")
    return below(f"bbox_head.{theirs}.", f"{ours}.", [
        *below("blocks.{}.", "blocks.{}.", [
            ("self_attention.qkv.", (q, k, v)),
            ("self_attention.proj", "self_attention.out_proj"),
            ("norm3", "self_norm"),
            ("attn.v", "v_proj"),
            ("attn.proj", "out_proj"),
            *below("attn.", "mask.", _MASK),
            ("head_norm1", "norm1"),
            ("mlp.fc1", "mlp.layers.0"),
            ("mlp.fc2", "mlp.layers.1"),
            ("head_norm2", "norm2"),
        ]),
        *below("attnen.", "last.", _MASK),
    ])  # fmt: skip


NETWORKS: dict[str, Table] = {
    "resnet": below("backbone.", "backbone.", NETWORK),
    "pvt": below("backbone.", "backbone.", _PVT),
    "swin": BACKBONES,
}
HEAD: Table = [
    *below("neck.convs.{}.", "neck.levels.{}.", [("conv", "0"), ("gn", "1")]),
    *below("neck.extra_convs.0.", "neck.extra.", [("conv", "0"), ("gn", "1")]),
    *below("bbox_head.transformer.", "", [
        ("level_embeds", "encoder.level_embed"),
        ("reference_points", "location.reference_points"),
        *below("encoder.layers.{}.", "encoder.layers.{}.", [
            ("attentions.0", "attention"), ("norms.0", "norm"), *_FEED_FORWARD, ("norms.1", "feed_forward.norm"),
        ]),
        *below("decoder.layers.{}.", "location.layers.{}.", [
            *attention("attentions.0.attn", "self_attention"),
            ("norms.0", "norm1"),
            ("attentions.1", "cross_attention"),
            ("norms.1", "norm2"),
            *_FEED_FORWARD,
            ("norms.2", "feed_forward.norm"),
        ]),
    ]),
    *below("bbox_head.", "", [
        ("query_embedding", "queries"),
        ("stuff_query", "stuff_queries"),
        ("cls_branches.{}", "location.layers.{}.class_head"),
        *((f"reg_branches.{{}}.{2 * i}", f"location.layers.{{}}.box_head.layers.{i}") for i in range(3)),
        ("cls_stuff_branches.{}", "presence_heads.{}"),
    ]),
    *_mask_decoder("things_mask_head", "thing_masks"),
    *_mask_decoder("stuff_mask_head", "stuff_masks"),
]  # fmt: skip


def is_panoptic_segformer(state: State) -> bool:
    """Whether these are the names of the authors' files."""
    return "bbox_head.stuff_query.weight" in state


def backbone_of(state: State) -> str:
    """Which of :data:`NETWORKS` the backbone is."""
    kinds = {"backbone.conv1.weight": "resnet", "backbone.patch_embed1.proj.weight": "pvt"}
    return next((kind for name, kind in kinds.items() if name in state), "swin")


def from_official_panoptic_segformer(state: State, path: Path, config: BaseConfig | None) -> MaskModel:
    """The model of an official ``.pth``, in evaluation mode. Sizes come from the shapes; ``config`` says what they do
    not tell, and must agree with them."""
    table = NETWORKS[backbone_of(state)] + HEAD
    state = rename(drop(state, DEAD), table)
    shapes = Shapes(state, str(path), "Panoptic SegFormer")
    found = measure(shapes)
    if config is None:
        config = config_from_shapes(shapes, found)
    else:
        check_kind(config, PanopticSegFormerConfig, "a Panoptic SegFormer", path)
        check_sizes(config, found, path)
        check_sizes_of_classes(config, shapes)
    return build(config, state, str(path))


def measure(shapes: Shapes) -> dict:
    """The fields of the configuration that shapes tell, save the backbone's and the classes'."""
    heads = shapes["thing_masks.last.levels.0.weight"][0]
    levels, width = shapes["encoder.level_embed"]
    maps = shapes.count("neck.levels.{}.0.weight")
    return {
        "thing_queries": shapes["queries.weight"][0],
        "hidden_dim": width,
        "num_heads": heads,
        "mask_stride": 32 >> (maps - 1),
        "sampling_points": shapes["location.layers.0.cross_attention.attention_weights.weight"][0] // (heads * levels),
        "encoder_layers": shapes.count("encoder.layers.{}.norm.weight"),
        "encoder_ffn": shapes["encoder.layers.0.feed_forward.linear1.weight"][0],
        "decoder_layers": shapes.count("location.layers.{}.norm1.weight"),
        "decoder_ffn": shapes["location.layers.0.feed_forward.linear1.weight"][0],
        "thing_blocks": shapes.count("thing_masks.blocks.{}.norm1.weight"),
        "stuff_blocks": shapes.count("stuff_masks.blocks.{}.norm1.weight"),
    }


def check_sizes_of_classes(config: PanopticSegFormerConfig, shapes: Shapes) -> None:
    """A file holds rows for things, and others for stuff."""
    things, stuff = classes_in(shapes)
    if (things, stuff) != (len(config.things), len(config.stuff)):
        raise CheckpointError(
            f"{shapes.source} does not fit the given config: things and stuff are {things} and {stuff} in the file, "
            f"{len(config.things)} and {len(config.stuff)} in config"
        )


def classes_in(shapes: Shapes) -> tuple[int, int]:
    """How many things there are, and how many classes of stuff."""
    return shapes["location.layers.0.class_head.weight"][0], shapes["stuff_queries.weight"][0]


def config_from_shapes(shapes: Shapes, found: dict) -> PanopticSegFormerConfig:
    """The published configuration of that backbone with the shapes' fields; of other classes than COCO's, things come
    first and have numbers for names."""
    things, stuff = classes_in(shapes)
    base = replace(_published(shapes), **found)
    if (things, stuff) == (len(base.things), len(base.stuff)):
        return base
    warn_user(
        f"{shapes.source} has {things} things and {stuff} classes of stuff, which are not COCO's: they get numbers for "
        "names. Say better with from_pretrained(path, config=...)."
    )
    plain = {"class_names": (), "class_colors": (), "category_ids": (), "data_set": ""}
    is_thing = (True,) * things + (False,) * stuff
    return replace(base, num_classes=things + stuff, is_thing=is_thing, **plain)


def _published(shapes: Shapes) -> PanopticSegFormerConfig:
    """That of the backbone in the file, or of the nearest one with its sizes."""
    if "backbone.network.stages_0.norm.weight" in shapes:
        blocks = tuple(shapes.count(f"backbone.network.stages_{i}.blocks.{{}}.norm1.weight") for i in range(4))
        width = shapes["backbone.network.patch_embed.proj.weight"][0]
        return replace(panoptic_segformer_coco_pvtv2_b5(), backbone=_pvt(blocks, width, shapes.source))
    kind = backbone_kind(shapes)
    network, options = nearest(kind, measure_backbone(kind, shapes))
    base = panoptic_segformer_coco_swin_l() if kind == "swin" else panoptic_segformer_coco_r50()
    if (network, options) == ("swin_large_patch4_window7_224", {}):
        return base
    if network in ("resnet50", "resnet101") and not options:
        return replace(base, backbone=f"{network}.tv_in1k")
    return replace(base, backbone=network, backbone_options=dict(base.backbone_options) | options)


def _pvt(blocks: tuple[int, ...], width: int, source: str) -> str:
    """The timm name of a PVTv2 with so many blocks in its stages."""
    if (blocks, width) not in _PVT_NAMES:
        raise CheckpointError(f"{source} holds a PVTv2 with {blocks} blocks of width {width}: none of B0 to B5")
    return _PVT_NAMES[blocks, width]


_PVT_NAMES = {
    ((2, 2, 2, 2), 32): "pvt_v2_b0", ((2, 2, 2, 2), 64): "pvt_v2_b1", ((3, 4, 6, 3), 64): "pvt_v2_b2",
    ((3, 4, 18, 3), 64): "pvt_v2_b3", ((3, 8, 27, 3), 64): "pvt_v2_b4", ((3, 6, 40, 3), 64): "pvt_v2_b5.in1k",
}  # fmt: skip
