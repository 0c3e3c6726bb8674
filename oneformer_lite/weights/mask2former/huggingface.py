"""transformers' Mask2Former: its parameter names beside ours, and our configuration of one of its folders.

Source: ``modeling_mask2former.py`` of transformers 5 (``Mask2FormerForUniversalSegmentation``). Backbone and pixel
decoder have the names of OneFormer's; the decoder's cross-attention keeps query, key and value in one matrix.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ...config import Mask2FormerConfig, from_stored
from ...config.stored import MEMBER
from ...data.classes import data_set_of
from ...notices import warn_user
from ..names import Table, attention, below
from ..oneformer.huggingface_config import read_classes, read_fields, read_sizes

DECODER: Table = [
    *below("model.transformer_module.", "", [
        ("queries_features", "queries"),
        ("queries_embedder", "query_positions"),
        ("level_embed", "decoder.level_embed"),
        *below("decoder.layers.{}.", "decoder.layers.{}.", [
            *attention("cross_attn", "cross_attention"),
            ("cross_attn_layer_norm", "norm1"),
            ("self_attn", "self_attention"),
            ("self_attn_layer_norm", "norm2"),
            ("fc1", "feed_forward.linear1"),
            ("fc2", "feed_forward.linear2"),
            ("final_layer_norm", "feed_forward.norm"),
        ]),
        ("decoder.layernorm", "decoder.norm"),
        ("decoder.mask_predictor.mask_embedder.{}.0", "decoder.mask_head.layers.{}"),
    ]),
    ("class_predictor", "decoder.class_head"),
]  # fmt: skip

# theirs, ours, theirs if the file does not say (transformers' defaults)
_SAME = [
    ("num_queries", "num_queries", 100),
    ("hidden_dim", "hidden_dim", 256),
    ("num_attention_heads", "num_heads", 8),
    ("encoder_layers", "encoder_layers", 6),
    ("encoder_feedforward_dim", "encoder_ffn", 1024),
    ("dropout", "encoder_dropout", 0.0),
    ("dim_feedforward", "decoder_ffn", 2048),
    ("class_weight", "class_weight", 2.0),
    ("mask_weight", "mask_weight", 5.0),
    ("dice_weight", "dice_weight", 5.0),
    ("no_object_weight", "no_object_weight", 0.1),
    ("train_num_points", "num_points", 12544),
    ("oversample_ratio", "oversample_ratio", 3.0),
    ("importance_sample_ratio", "importance_ratio", 0.75),
]

# choices of theirs that the published model does not take
_FIXED = {
    "pre_norm": False,
    "enforce_input_projection": False,
    "activation_function": "relu",
    "feature_strides": [4, 8, 16, 32],
    "common_stride": 4,
}

# what transformers builds where the file names no backbone: Swin-Small
_BACKBONE = {"model_type": "swin", "depths": [2, 2, 18, 2], "drop_path_rate": 0.3}
_TASK = re.compile(r"mask2former[\w-]*-(panoptic|instance|semantic)\b")


def from_huggingface_mask2former(content: dict, processor: dict, source: str) -> Mask2FormerConfig:
    """Our configuration of a Mask2Former in transformers' layout, from its two JSON files.

    Raises :class:`CheckpointError` for a variant that this package does not have. Warns where the files do not say
    something and a value is assumed.
    """
    content = {"backbone_config": _BACKBONE, **content}
    fields = read_fields(content, _SAME, _FIXED, ("feature_size", "mask_feature_size"), source)
    fields |= read_classes(content, processor, source) | read_sizes(processor)
    fields["trained_task"] = read_task(content, fields, source, _named_task)
    fields["object_mask_threshold"] = 0.0 if data_set_of(fields["class_names"]) == "mapillary" else 0.8
    return from_stored({MEMBER: Mask2FormerConfig.model_type} | fields)


def _named_task(name: str) -> str | None:
    match = _TASK.search(name)
    return match and match[1]


def read_task(content: dict, fields: dict, source: str, named: Callable[[str], str | None]) -> str:
    """The task that the name tells; else instances where all classes are things, panoptic where there is stuff.

    ``named`` reads it from a name. A MaskFormer has no instances of its own: all-things are panoptic there.
    """
    for name in (content.get("_name_or_path"), source):
        if isinstance(name, str) and (task := named(name)):
            return task
    things = fields.get("is_thing")
    task = "instance" if things and all(things) and content.get("model_type") != "maskformer" else "panoptic"
    warn_user(
        f"{source} does not say for which task it was trained, which such a model is not told: it is taken for "
        f"{task}'s. If it is another's: model.config = dataclasses.replace(model.config, trained_task=...)."
    )
    return task
