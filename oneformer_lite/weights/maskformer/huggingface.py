"""transformers' MaskFormer: its parameter names beside ours, and our configuration of one of its folders.

Source: ``modeling_maskformer.py`` and ``modeling_maskformer_swin.py`` of transformers 5
(``MaskFormerForInstanceSegmentation``). It has no encoder: the panoptic models with a ResNet exist as the authors'
files only. Its files on the hub are older than its names in memory; both are read.
"""

from __future__ import annotations

import re

from ...config import MaskFormerConfig, from_stored
from ...config.stored import MEMBER
from ...data.classes import data_set_of
from ...errors import CheckpointError
from ..backbones.huggingface import backbone_from
from ..backbones.names import HUGGINGFACE as BACKBONES
from ..backbones.names import MASKFORMER_SWIN
from ..detr.huggingface import DECODER_LAYER
from ..mask2former.huggingface import read_task
from ..names import Table, below
from ..oneformer.huggingface_config import check_fixed, read_classes, read_same, read_sizes

HEAD: Table = [
    *below("model.pixel_level_module.decoder.", "pixel_decoder.", [
        ("fpn.stem", "top"),
        ("fpn.layers.{}.proj", "steps.{}.lateral"),
        ("fpn.layers.{}.block", "steps.{}.output"),
        ("mask_projection", "mask_projection"),
    ]),
    *below("model.transformer_module.", "", [
        ("queries_embedder", "query_positions"),
        ("input_projection", "input_projection"),
        *below("decoder.layers.{}.", "decoder.layers.{}.", DECODER_LAYER),
        ("decoder.layernorm", "decoder.norm"),
    ]),
    ("class_predictor", "decoder.class_head"),
    ("mask_embedder.{}.0", "decoder.mask_head.layers.{}"),
]  # fmt: skip

TABLE: Table = [*MASKFORMER_SWIN, *(row for table in BACKBONES.values() for row in table), *HEAD]

# theirs, ours, theirs if the file does not say (transformers' defaults)
_SAME = [
    ("no_object_weight", "no_object_weight", 0.1),
    ("cross_entropy_weight", "class_weight", 1.0),
    ("mask_weight", "mask_weight", 20.0),
    ("dice_weight", "dice_weight", 1.0),
]
_SAME_IN_DECODER = [
    ("num_queries", "num_queries", 100),
    ("d_model", "hidden_dim", 256),
    ("decoder_attention_heads", "num_heads", 8),
    ("decoder_layers", "decoder_layers", 6),
    ("decoder_ffn_dim", "decoder_ffn", 2048),
    ("dropout", "dropout", 0.1),
]

# choices of theirs that the published model does not take
_FIXED_IN_DECODER = {
    "model_type": "detr", "activation_function": "relu", "position_embedding_type": "sine", "auxiliary_loss": False,
}  # fmt: skip

# what transformers builds where the file names no backbone: Swin-Base
_BACKBONE = {
    "model_type": "swin", "embed_dim": 128, "depths": [2, 2, 18, 2], "num_heads": [4, 8, 16, 32], "window_size": 12,
    "drop_path_rate": 0.3,
}  # fmt: skip
_DATA_SET = re.compile(r"maskformer-[\w-]*-(coco|coco-stuff|ade|ade20k-full|cityscapes|vistas)")


def from_huggingface_maskformer(content: dict, processor: dict, source: str) -> MaskFormerConfig:
    """Our configuration of a MaskFormer in transformers' layout, from its two JSON files.

    Raises :class:`CheckpointError` for a variant that this package does not have. Warns where the files do not say
    something and a value is assumed.
    """
    decoder = content.get("decoder_config") or {}
    check_fixed(decoder, _FIXED_IN_DECODER, f"the decoder of {source}")
    fields = read_same(content, _SAME, source) | read_same(decoder, _SAME_IN_DECODER, source)
    for width in ("fpn_feature_size", "mask_feature_size"):
        if (value := content.get(width, 256)) != fields["hidden_dim"]:
            raise CheckpointError(f"{source} has {width} {value}, not the decoder's d_model {fields['hidden_dim']}")
    backbone = content.get("backbone_config") or _BACKBONE
    if backbone.get("model_type") == "maskformer-swin":
        backbone = backbone | {"model_type": "swin"}
    fields["backbone"], fields["backbone_options"] = backbone_from(backbone, source)
    fields |= read_classes(content, processor, source) | read_sizes(processor, crop=800)
    fields["trained_task"] = read_task(content, fields, source, _named_task)
    if fields["trained_task"] == "panoptic" and data_set_of(fields["class_names"]) == "coco":
        fields["padding_multiple"] = 1  # as its authors have it; transformers' processor pads to 32
    return from_stored({MEMBER: MaskFormerConfig.model_type} | fields)


def _named_task(name: str) -> str | None:
    """What a name on the hub tells: of COCO panoptic, of all other data sets semantic."""
    match = _DATA_SET.search(name)
    return match and ("panoptic" if match[1] == "coco" and "stuff" not in name else "semantic")
