"""OneFormer's official names beside ours; with the text mapper, which transformers' files do not have.

Source: the modules of SHI-Labs/OneFormer, ``oneformer/oneformer_model.py`` and below it.
"""

from __future__ import annotations

from ..backbones.names import OFFICIAL as BACKBONES
from ..names import DECODER_LAYER, Table, attention, below

# Mask DINO's as well, save the order of its maps
PIXEL_DECODER = below("sem_seg_head.pixel_decoder.", "pixel_decoder.", [
    ("input_proj", "input_projections"),  # res5, res4, res3: both from the coarsest map to the finest
    ("transformer.level_embed", "level_embed"),
    *below("transformer.encoder.layers.{}.", "layers.{}.", [
        ("self_attn", "attention"),
        ("norm1", "norm"),
        ("linear1", "feed_forward.linear1"),
        ("linear2", "feed_forward.linear2"),
        ("norm2", "feed_forward.norm"),
    ]),
    # detectron2's convolutions own the norm that follows them
    ("adapter_1.norm", "fpn.lateral.1"),
    ("adapter_1", "fpn.lateral.0"),
    ("layer_1.norm", "fpn.output.1"),
    ("layer_1", "fpn.output.0"),
    ("mask_features", "mask_projection"),
])  # fmt: skip

_QUERY_TRANSFORMER = below("sem_seg_head.predictor.", "query_transformer.", [
    ("class_input_proj", "feature_projection"),
    *below("class_transformer.decoder.layers.{}.", "layers.{}.", DECODER_LAYER),
    ("class_transformer.decoder.norm", "norm"),
])  # fmt: skip

_DECODER = below("sem_seg_head.predictor.", "", [
    ("query_embed", "query_positions"),
    *attention("transformer_cross_attention_layers.{}.multihead_attn", "decoder.layers.{}.cross_attention"),
    *attention("transformer_self_attention_layers.{}.self_attn", "decoder.layers.{}.self_attention"),
    ("transformer_cross_attention_layers.{}.norm", "decoder.layers.{}.norm1"),
    ("transformer_self_attention_layers.{}.norm", "decoder.layers.{}.norm2"),
    ("transformer_ffn_layers.{}", "decoder.layers.{}.feed_forward"),
    ("level_embed", "decoder.level_embed"),
    ("decoder_norm", "decoder.norm"),
    ("class_embed", "decoder.class_head"),
    ("mask_embed", "decoder.mask_head"),
])  # fmt: skip

_TASK_AND_TEXT: Table = [
    ("task_mlp", "task_encoder.mlp"),
    ("text_encoder.token_embedding", "text_mapper.encoder.token_embedding"),
    ("text_encoder.positional_embedding", "text_mapper.encoder.positional_embedding"),
    *below("text_encoder.transformer.resblocks.{}.", "text_mapper.encoder.layers.{}.", [
        ("ln_1", "norm1"),
        *attention("attn", "attention"),
        ("ln_2", "norm2"),
        ("mlp.c_fc", "linear1"),
        ("mlp.c_proj", "linear2"),
    ]),
    ("text_encoder.ln_final", "text_mapper.encoder.norm"),
    ("text_projector", "text_mapper.projector"),
    ("prompt_ctx", "text_mapper.context"),
    ("criterion.logit_scale", "text_mapper.logit_scale"),
]  # fmt: skip

TABLE: Table = BACKBONES + PIXEL_DECODER + _QUERY_TRANSFORMER + _DECODER + _TASK_AND_TEXT
