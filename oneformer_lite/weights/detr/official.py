"""The official panoptic ``.pth`` of DETR: its parameter names beside ours, and reading one.

Source: facebookresearch/detr, ``models/`` and ``hubconf.py``. A file is a dictionary whose entry "model" holds the
weights.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...config import BaseConfig, DetrConfig
from ...config.detr import detr_coco_r50
from ...notices import warn_user
from ..backbones.sizes import nearest
from ..load import build, check_kind, check_sizes
from ..names import DECODER_LAYER, ENCODER_LAYER, State, Table, below, rename
from ..shapes import Shapes, backbone_kind, measure_backbone
from .huggingface import MASKS, NETWORK

if TYPE_CHECKING:
    from ...model import MaskModel

TABLE: Table = [
    *below("detr.backbone.0.body.", "backbone.", NETWORK),
    ("detr.input_proj", "input_projection"),
    ("detr.query_embed", "query_positions"),
    *below("detr.transformer.encoder.layers.{}.", "encoder.{}.", ENCODER_LAYER),
    *below("detr.transformer.decoder.layers.{}.", "layers.{}.", DECODER_LAYER),
    ("detr.transformer.decoder.norm", "norm"),
    ("detr.class_embed", "class_head"),
    ("detr.bbox_embed", "box_head"),
    *MASKS,
]


def is_official_detr(state: State) -> bool:
    """Whether these are the names of the authors' panoptic files."""
    return "detr.class_embed.weight" in state


def from_official_detr(state: State, path: Path, config: BaseConfig | None) -> MaskModel:
    """The model of an official panoptic ``.pth``, in evaluation mode. Sizes come from the shapes; ``config`` says what
    they do not tell, and must agree with them."""
    state = rename(state, TABLE)
    shapes = Shapes(state, str(path), "DETR")
    found = measure(shapes)
    if config is None:
        config = config_from_shapes(shapes, found, path.name)
    else:
        check_kind(config, DetrConfig, "a DETR", path)
        check_sizes(config, found, path)
    return build(config, state, str(path))


def measure(shapes: Shapes) -> dict:
    """The fields of the configuration that shapes tell, save the backbone's and the number of heads, which is the
    number of channels that the masks' convolutions have more than the transformer."""
    width = shapes["query_positions.weight"][1]
    return {
        "num_classes": shapes["class_head.weight"][0] - 1,
        "num_queries": shapes["query_positions.weight"][0],
        "hidden_dim": width,
        "num_heads": shapes["mask_head.blocks.0.0.weight"][1] - width,
        "encoder_layers": shapes.count("encoder.{}.norm.weight"),
        "encoder_ffn": shapes["encoder.0.feed_forward.linear1.weight"][0],
        "decoder_layers": shapes.count("layers.{}.norm1.weight"),
        "decoder_ffn": shapes["layers.0.feed_forward.linear1.weight"][0],
    }


def config_from_shapes(shapes: Shapes, found: dict, name: str) -> DetrConfig:
    """The shapes' fields with the published values of all others."""
    kind = backbone_kind(shapes)
    network, options = nearest(kind, measure_backbone(kind, shapes))
    if "dc5" in name.lower():
        options["output_stride"] = 16
    elif network == "resnet50" and "r50-panoptic" not in name:
        warn_user(
            f"{shapes.source} is taken for a DETR whose last stage is not dilated, which leaves no trace in the "
            "weights: if it is a DC5, say so with from_pretrained(path, config=ofl.config.detr_coco_r50_dc5())."
        )
    known = {field: value for field, value in found.items() if field != "num_classes"}
    base = replace(detr_coco_r50(), backbone=network, backbone_options=options, **known)
    if found["num_classes"] == base.num_classes:
        return replace(base, backbone=f"{network}.tv_in1k" if network in _PUBLISHED else network)
    warn_user(
        f"{shapes.source} has {found['num_classes']} classes, which is not COCO's {base.num_classes}: they get numbers "
        "for names and all count as things. Say better with from_pretrained(path, config=...)."
    )
    plain = {"class_names": (), "is_thing": (), "class_colors": (), "category_ids": (), "data_set": ""}
    return replace(base, num_classes=found["num_classes"], **plain)


_PUBLISHED = ("resnet50", "resnet101")
