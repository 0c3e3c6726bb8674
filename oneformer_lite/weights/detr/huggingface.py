"""transformers' DETR: its parameter names beside ours, and our configuration of one of its folders.

Source: ``modeling_detr.py`` of transformers 5 (``DetrForSegmentation``). Its files keep names that its models in memory
have no more; both are read.
"""

from __future__ import annotations

from ...config import DetrConfig, from_stored
from ...config.detr import coco_by_number, coco_classes
from ...config.stored import MEMBER
from ..backbones.huggingface import backbone_from
from ..backbones.names import RESNET
from ..names import Table, below
from ..oneformer.huggingface_config import check_fixed, read_classes, read_same, read_sizes

NETWORK: Table = [("conv1", "network.conv1"), ("bn1", "network.bn1"), ("layer{}", "network.layer{}")]  # timm's


def _attention(theirs: str, ours: str) -> Table:
    """transformers' attention, whose last projection is called "out_proj" in files and "o_proj" in memory."""
    return [(f"{theirs}.o_proj", f"{ours}.out_proj"), (theirs, ours)]


_FEED_FORWARD: Table = [
    ("fc{}", "feed_forward.linear{}"),  # in files
    ("mlp.fc{}", "feed_forward.linear{}"),
    ("final_layer_norm", "feed_forward.norm"),
]

DECODER_LAYER: Table = [
    *_attention("self_attn", "self_attention"),
    ("self_attn_layer_norm", "norm1"),
    *_attention("encoder_attn", "cross_attention"),
    ("encoder_attn_layer_norm", "norm2"),
    *_FEED_FORWARD,
]

TABLE: Table = [
    *below("detr.model.backbone.conv_encoder.model.", "backbone.", NETWORK + RESNET),
    *below("detr.model.backbone.model.", "backbone.", NETWORK + RESNET),
    *below("detr.model.", "", [
        ("input_projection", "input_projection"),
        ("query_position_embeddings", "query_positions"),
        *below("encoder.layers.{}.", "encoder.{}.", [
            *_attention("self_attn", "attention"),
            ("self_attn_layer_norm", "norm"),
            *_FEED_FORWARD,
        ]),
        *below("decoder.layers.{}.", "layers.{}.", DECODER_LAYER),
        ("decoder.layernorm", "norm"),
    ]),
    ("detr.class_labels_classifier", "class_head"),
    ("detr.bbox_predictor", "box_head"),
    *below("mask_head.", "mask_head.", [
        *((f"conv{i}.{name}", f"blocks.{i - 1}.{j}") for i in (1, 2) for j, name in enumerate(("conv", "norm"))),
        *(row for i in range(3) for row in below(f"fpn_stages.{i}.", "", [
            ("fpn_adapter", f"lateral.{i}"),
            ("refine.conv", f"blocks.{i + 2}.0"),
            ("refine.norm", f"blocks.{i + 2}.1"),
        ])),
        ("output_conv", "out"),
    ]),
]  # fmt: skip

# in transformers' files and in the authors'
MASKS: Table = [
    ("bbox_attention.q_linear", "mask_attention.q_proj"),
    ("bbox_attention.k_linear", "mask_attention.k_proj"),
    ("bbox_attention", "mask_attention"),
    *below("mask_head.", "mask_head.", [
        *((f"{name}{i + 1}", f"blocks.{i}.{j}") for i in range(5) for j, name in enumerate(("lay", "gn"))),
        *((f"adapter{i + 1}", f"lateral.{i}") for i in range(3)),
        ("out_lay", "out"),
    ]),
]  # fmt: skip
TABLE += MASKS

# theirs, ours, theirs if the file does not say (transformers' defaults)
_SAME = [
    ("num_queries", "num_queries", 100),
    ("d_model", "hidden_dim", 256),
    ("encoder_attention_heads", "num_heads", 8),
    ("decoder_attention_heads", "num_heads", 8),
    ("encoder_layers", "encoder_layers", 6),
    ("decoder_layers", "decoder_layers", 6),
    ("encoder_ffn_dim", "encoder_ffn", 2048),
    ("decoder_ffn_dim", "decoder_ffn", 2048),
    ("dropout", "dropout", 0.1),
    ("class_cost", "class_weight", 1),
    ("bbox_cost", "box_weight", 5),
    ("bbox_loss_coefficient", "box_weight", 5),
    ("giou_cost", "giou_weight", 2),
    ("giou_loss_coefficient", "giou_weight", 2),
    ("mask_loss_coefficient", "mask_weight", 1),
    ("dice_loss_coefficient", "dice_weight", 1),
    ("eos_coefficient", "no_object_weight", 0.1),
]
_FLOATS = ("dropout", "class_weight", "box_weight", "giou_weight", "mask_weight", "dice_weight", "no_object_weight")

# choices of theirs that the published model does not take
_FIXED = {
    "position_embedding_type": "sine", "activation_function": "relu", "encoder_layerdrop": 0.0,
    "decoder_layerdrop": 0.0,
}  # fmt: skip


def from_huggingface_detr(content: dict, processor: dict, source: str) -> DetrConfig:
    """Our configuration of a DETR in transformers' layout, from its two JSON files.

    Raises :class:`CheckpointError` for a variant that this package does not have. Their dropout is not in all places
    where the published model has it (attention weights, after ReLU); ours, of that rate, is.
    """
    name = content.get("backbone") or "resnet50"  # as files of 2021 say it
    network = content.get("backbone_config") or {"model_type": "timm_backbone", "backbone": name}
    dilated = bool(content.get("dilation")) or network.get("output_stride") == 16
    check_fixed(content, _FIXED, source)
    fields = read_same(content, _SAME, source)
    fields |= {name: float(fields[name]) for name in _FLOATS}  # theirs are written as whole numbers
    fields["backbone"], options = backbone_from(network, source)
    fields["backbone_options"] = options | ({"output_stride": 16} if dilated else {})
    fields |= _coco_classes(content) or read_classes(content, processor, source)
    return from_stored({MEMBER: DetrConfig.model_type} | fields | read_sizes(processor, crop=800))


def _coco_classes(content: dict) -> dict | None:
    """Those of COCO by number, where the labels are those or have no names."""
    labels = content.get("id2label") or {}
    classes = coco_by_number()
    if len(labels) != len(classes):
        return None
    named = {int(i): name for i, name in labels.items() if not str(name).startswith(("LABEL_", "N/A"))}
    return coco_classes() if all(classes[i].name == name for i, name in named.items()) else None
