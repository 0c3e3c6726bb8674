"""transformers' OneFormer: its parameter names beside ours, and the model written as a folder that it reads.

Source: ``modeling_oneformer.py`` of transformers 5 (``OneFormerForUniversalSegmentation``). Its files
split and join differently in three places: the masked decoder's cross-attention and both attentions of
the query transformer keep query, key and value in one matrix, Swin and DiNAT keep them in three.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ...errors import ConfigError
from ...files import path_of
from ...notices import warn_user
from ..backbones.huggingface import backbone_to
from ..backbones.names import HUGGINGFACE as BACKBONES
from ..backbones.sizes import kind_of
from ..folder import check_saved, write_folder
from ..load import TEXT_MAPPER
from ..names import State, Table, attention, below, drop, rename, reverse
from ..normalisation import normalisation
from .huggingface_config import feedforward_width, misfit_of_text_mapper, to_huggingface
from .huggingface_processor import write_processor

if TYPE_CHECKING:
    from ...model import MaskModel

PIXEL_DECODER = below("model.pixel_level_module.decoder.", "pixel_decoder.", [
    ("input_projections", "input_projections"),  # both from the coarsest map to the finest
    ("level_embed", "level_embed"),
    *below("encoder.layers.{}.", "layers.{}.", [
        ("self_attn", "attention"),
        ("self_attn_layer_norm", "norm"),
        ("fc1", "feed_forward.linear1"),
        ("fc2", "feed_forward.linear2"),
        ("final_layer_norm", "feed_forward.norm"),
    ]),
    ("adapter_1", "fpn.lateral"),
    ("layer_1", "fpn.output"),
    ("mask_projection", "mask_projection"),
])  # fmt: skip

_QUERY_TRANSFORMER = below("model.transformer_module.decoder.", "query_transformer.", [
    ("query_input_projection", "feature_projection"),
    *below("query_transformer.decoder.layers.{}.", "layers.{}.", [
        *attention("self_attn", "self_attention"),
        ("norm1", "norm1"),
        *attention("multihead_attn", "cross_attention"),
        ("norm2", "norm2"),
        ("linear1", "feed_forward.linear1"),
        ("linear2", "feed_forward.linear2"),
        ("norm3", "feed_forward.norm"),
    ]),
    ("query_transformer.decoder.norm", "norm"),
])  # fmt: skip

_DECODER = below("model.transformer_module.", "", [
    ("queries_embedder", "query_positions"),
    ("level_embed", "decoder.level_embed"),
    *below("decoder.layers.{}.", "decoder.layers.{}.", [
        *attention("cross_attn.multihead_attn", "cross_attention"),
        ("cross_attn.norm", "norm1"),
        ("self_attn.self_attn", "self_attention"),
        ("self_attn.norm", "norm2"),
        ("ffn", "feed_forward"),
    ]),
    ("decoder.decoder_norm", "decoder.norm"),
    ("decoder.class_embed", "decoder.class_head"),
    ("decoder.mask_embed.layers.{}.0", "decoder.mask_head.layers.{}"),
])  # fmt: skip

_TASK_AND_TEXT = below("model.", "", [
    ("task_encoder.task_mlp.layers.{}.0", "task_encoder.mlp.layers.{}"),
    *below("text_mapper.", "text_mapper.", [
        ("text_encoder.token_embedding", "encoder.token_embedding"),
        ("text_encoder.positional_embedding", "encoder.positional_embedding"),
        *below("text_encoder.transformer.layers.{}.", "encoder.layers.{}.", [
            ("layer_norm1", "norm1"),
            *attention("self_attn", "attention"),
            ("layer_norm2", "norm2"),
            ("mlp.fc1", "linear1"),
            ("mlp.fc2", "linear2"),
        ]),
        ("text_encoder.ln_final", "encoder.norm"),
        ("text_projector.layers.{}.0", "projector.layers.{}"),
        ("prompt_ctx", "context"),
    ]),
])  # fmt: skip

# the temperature of the contrastive loss: theirs is a float64 of the criterion, ours belongs to the texts
_CRITERION: Table = [("criterion.logit_scale", "text_mapper.logit_scale")]

HEAD: Table = PIXEL_DECODER + _QUERY_TRANSFORMER + _DECODER + _TASK_AND_TEXT + _CRITERION


def save_huggingface(model: MaskModel, folder: str | Path, dtype: torch.dtype | None = None) -> Path:
    """Write the model so that ``OneFormerForUniversalSegmentation.from_pretrained(folder)`` reads all of it. Lesson 15.

    Logits of the same pixels are equal; what transformers does before (it does not pad) and afterwards is its own: the
    README of this folder says where that shows, and how to predict the same. The text mapper is written where there is
    one of transformers' sizes; it reads it only with ``is_training=True``.

    Raises :class:`ConfigError` for what transformers' OneFormer cannot express.
    """
    check_saved(model)
    config, folder = model.config, path_of(folder, "the folder of the model")
    if config.model_type != "oneformer":
        raise ConfigError(
            f"written in transformers' layout are OneFormers, not a {config.model_type}: model.save_pretrained(folder) "
            "writes it in this package's"
        )
    backbone = backbone_to(model.backbone, config)
    content = to_huggingface(config, backbone)
    content["dtype"] = str(dtype or torch.float32).removeprefix("torch.")
    state = widen(model.state_dict(), feedforward_width(config))
    if model.text_mapper is not None and (misfit := misfit_of_text_mapper(config)):
        warn_user(
            f"the text mapper is left out: transformers has none with {misfit}. What is written has the "
            "same logits, but cannot be trained further."
        )
        state = {name: tensor for name, tensor in state.items() if not name.startswith(TEXT_MAPPER)}
    if model.denoising is not None:
        warn_user("the labels of noised queries, which training alone needs, are left out")
        state = drop(state, [r"denoising\..+"])
    if model.query_class_head is not None:
        warn_user("the classes of object queries, which training alone needs, are left out")
        state = drop(state, [r"query_class_head\..+"])
    state = rename(state, reverse(BACKBONES[backbone["model_type"]] + HEAD))
    write_folder(folder, content, state | _not_ours(state, model), dtype)
    write_processor(folder, config, *normalisation(model.backbone))
    return folder


def widen(state: State, width: int) -> State:
    """``state`` with feed-forward blocks of ``width`` units in query transformer and decoder.

    The new units have zero weights on both sides, so they change nothing: 0 = relu(0 x + 0), times 0.
    """
    blocks = re.compile(r"(query_transformer|decoder)\.layers\.\d+\.feed_forward\.linear(\d)\.(weight|bias)")
    wide = {}
    for name, tensor in state.items():
        match = blocks.fullmatch(name)
        axis = {"1": 0, "2": 1}.get(match[2]) if match else None  # where the units are: rows, then columns
        if axis is not None and axis < tensor.ndim:
            shape = list(tensor.shape)
            shape[axis] = width - shape[axis]
            tensor = torch.cat([tensor, tensor.new_zeros(shape)], dim=axis)
        wide[name] = tensor
    return wide


def _not_ours(state: State, model: MaskModel) -> State:
    """What transformers' model has besides: tensors made of the configuration, and unused ones."""
    config, start = model.config, "model.pixel_level_module.encoder."
    scale = state.get("criterion.logit_scale", torch.tensor(math.log(1 / config.temperature)))
    weight = torch.ones(config.num_classes + 1)
    weight[-1] = config.no_object_weight
    extra = {"criterion.logit_scale": scale.double(), "criterion.empty_weight": weight}
    if kind_of(config.backbone) == "swin":
        width = model.backbone.channels[-1]
        extra |= {f"{start}swin.layernorm.weight": torch.ones(width), f"{start}swin.layernorm.bias": torch.zeros(width)}
    counters = (name.replace("running_mean", "num_batches_tracked") for name in state if name.endswith(".running_mean"))
    return extra | {name: torch.tensor(0) for name in counters if name not in state}
