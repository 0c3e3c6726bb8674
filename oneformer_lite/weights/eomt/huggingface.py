"""transformers' EoMT, with DINOv2 and with DINOv3: its parameter names beside ours, and our configuration of a folder.

Source: ``modeling_eomt.py`` and ``modeling_eomt_dinov3.py`` of transformers 5 (``EomtForUniversalSegmentation``,
``EomtDinov3ForUniversalSegmentation``). Query, key and value are three matrices there and one here; DINOv3's keys have
no bias. The feed-forward block of ViT-g is gated: two matrices there, in older files one as here.
"""

from __future__ import annotations

import re

import torch

from ...config import EomtConfig, from_stored
from ...config.eomt import PATCH
from ...config.stored import MEMBER
from ...errors import CheckpointError
from ..mask2former.huggingface import read_task
from ..names import State, Table, below, rename
from ..oneformer.huggingface_config import check_fixed, read_classes, read_same

_QKV = ("q", "k", "v")


def _block(attention: Table, scales: tuple[str, str], mlp: Table) -> Table:
    return below("layers.{}.", "backbone.network.blocks.{}.", [
        ("norm1", "norm1"), ("norm2", "norm2"), *attention, *mlp,
        *((f"layer_scale{i + 1}.lambda1", scale) for i, scale in enumerate(scales)),
    ])  # fmt: skip


_HEADS: Table = [
    ("query", "queries"),
    ("class_predictor", "class_head"),
    *((f"mask_head.fc{i + 1}", f"mask_head.layers.{i}") for i in range(3)),
    *below("upscale_block.block.{}.", "upscale.{}.", [
        ("conv1", "conv1"), ("conv2", "conv2"), ("layernorm2d", "norm"),
    ]),
    ("attn_mask_probs", "mask_shares"),
    *below("", "backbone.network.", [
        ("layernorm", "norm"),
        ("embeddings.cls_token", "cls_token"),
        ("embeddings.register_tokens", "reg_token"),
    ]),
]  # fmt: skip

DINOV2: Table = [
    *_HEADS,
    ("embeddings.position_embeddings.weight", "backbone.network.pos_embed"),
    ("embeddings.patch_embeddings.projection", "backbone.network.patch_embed.proj"),
    *_block(
        [(tuple(f"attention.{x}_proj" for x in _QKV), "attn.qkv"), ("attention.out_proj", "attn.proj")],
        ("ls1.gamma", "ls2.gamma"),
        [("mlp.fc1", "mlp.fc1"), ("mlp.fc2", "mlp.fc2"), ("mlp.down_proj", "mlp.fc2"),
         ("mlp.weights_in", "mlp.fc1"), ("mlp.weights_out", "mlp.fc2")],
    ),
]  # fmt: skip

DINOV3: Table = [
    *_HEADS,
    ("embeddings.patch_embeddings", "backbone.network.patch_embed.proj"),
    *_block(
        [
            (tuple(f"attention.{x}_proj.weight" for x in _QKV), "attn.qkv.weight"),
            ("attention.q_proj.bias", "attn.q_bias"), ("attention.v_proj.bias", "attn.v_bias"),
            ("attention.o_proj", "attn.proj"),
        ],
        ("gamma_1", "gamma_2"),
        [("mlp.up_proj", "mlp.fc1"), ("mlp.down_proj", "mlp.fc2")],
    ),
]  # fmt: skip


def renamed_dinov2(state: State) -> State:
    """Under our names; a table of positions gets the axis of pictures, the two gated matrices become one."""
    state = dict(state)
    for name in [name for name in state if ".mlp.gate_proj." in name]:
        up = state.pop(name.replace("gate_proj", "up_proj"), None)
        if up is None:
            raise CheckpointError(f"the file holds {name} but no {name.replace('gate_proj', 'up_proj')}")
        state[name.replace("gate_proj", "fc1")] = torch.cat([state.pop(name), up])
    state = rename(state, DINOV2)
    positions = "backbone.network.pos_embed"
    return state | ({positions: state[positions][None]} if positions in state else {})


def renamed_dinov3(state: State) -> State:
    """Under our names; what is learned for masked patches alone is left out."""
    return rename({name: value for name, value in state.items() if name != "embeddings.mask_token"}, DINOV3)


# theirs, ours, theirs if the file does not say (transformers' defaults)
_SAME = [
    ("hidden_size", "hidden_dim", 1024), ("num_attention_heads", "num_heads", 16), ("num_queries", "num_queries", 200),
    ("num_blocks", "query_blocks", 4), ("layer_norm_eps", "norm_eps", 1e-6), ("image_size", "image_size", 640),
    ("class_weight", "class_weight", 2.0), ("mask_weight", "mask_weight", 5.0), ("dice_weight", "dice_weight", 5.0),
    ("no_object_weight", "no_object_weight", 0.1), ("train_num_points", "num_points", 12544),
    ("oversample_ratio", "oversample_ratio", 3.0), ("importance_sample_ratio", "importance_ratio", 0.75),
]  # fmt: skip

# choices of theirs that the published models do not take
_FIXED = {
    "patch_size": PATCH, "num_channels": 3, "hidden_act": "gelu", "num_upscale_blocks": 2, "num_register_tokens": 4,
    "attention_dropout": 0.0, "hidden_dropout_prob": 0.0,
}  # fmt: skip
_FIXED_DINOV3 = {
    "query_bias": True, "key_bias": False, "value_bias": True, "proj_bias": True, "mlp_bias": True,
    "use_gated_mlp": False, "pos_embed_shift": None, "pos_embed_jitter": None,
}  # fmt: skip
_TASK = re.compile(r"(panoptic|instance|semantic)")
# width and depth of the named transformers
NAMED = {(384, 12): "small", (768, 12): "base", (1024, 24): "large", (1536, 40): "giant"}


def from_huggingface_eomt(content: dict, processor: dict, source: str) -> EomtConfig:
    """Our configuration of an EoMT in transformers' layout, from its two JSON files.

    Raises :class:`CheckpointError` for a variant that this package does not have. Warns where the files do not say
    something and a value is assumed.
    """
    dinov3 = content.get("model_type") == "eomt_dinov3"
    check_fixed(content, _FIXED | (_FIXED_DINOV3 if dinov3 else {}), source)
    fields = read_same(content, _SAME, source) | read_classes(content, processor, source)
    fields["trained_task"] = read_task(content, fields, source, _named_task)
    width, depth = fields["hidden_dim"], content.get("num_hidden_layers", 24)
    ratio = content.get("intermediate_size", 4096) / width if dinov3 else content.get("mlp_ratio", 4)
    fields["backbone"], options = named_backbone(width, depth, dinov3, gated=content.get("use_swiglu_ffn", False))
    if rate := content.get("drop_path_rate", 0.0):
        options["drop_path_rate"] = rate
    if ratio != 4:
        if content.get("use_swiglu_ffn"):
            raise CheckpointError(f"{source} has mlp_ratio = {ratio} with a gated block; this package has only 4")
        options["mlp_ratio"] = ratio
    if dinov3:
        theta = (content.get("rope_parameters") or {}).get("rope_theta", content.get("rope_theta", 100.0))
        if theta != 100:
            raise CheckpointError(f"{source} has rope_theta = {theta}; this package has only 100")
        fields["rope_rescale"] = content.get("pos_embed_rescale", 2.0) or 1.0
    fields["backbone_options"] = options
    return from_stored({MEMBER: EomtConfig.model_type} | fields)


def named_backbone(width: int, depth: int, dinov3: bool, gated: bool = False) -> tuple[str, dict]:
    """The transformer of these sizes by timm's name, without one of its own the small or giant one, and what differs
    from it besides the width."""
    size = NAMED.get((width, depth), "giant" if gated else "small")
    own = next(d for (w, d), name in NAMED.items() if name == size)
    name = f"vit_{size}_patch16_dinov3_qkvb" if dinov3 else f"vit_{size}_patch14_reg4_dinov2"
    return name, {} if own == depth else {"depth": depth}


def _named_task(name: str) -> str | None:
    match = _TASK.search(name.replace("\\", "/").split("/")[-1])
    return match and match[1]
