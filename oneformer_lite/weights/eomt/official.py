"""EoMT's official files: their parameter names beside ours, and those of DINOv3, which hold differences alone.

Source: the modules of tue-mps/eomt, ``models/eomt.py`` and ``models/vit.py``. A file is the state of a Lightning
module, alone or under the entry "state_dict". With DINOv2 the transformer has timm's names, which are ours. With DINOv3
it has transformers', and of every weight of it the file holds the difference from Meta's own, which are given to those
who accept their licence.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...config import BaseConfig, EomtConfig, eomt_presets
from ...config.eomt import PATCH
from ...errors import CheckpointError
from ...notices import warn_user
from ..files import read_folder_tensors, read_tensors
from ..load import build, check_kind, check_sizes, warn_of_variants
from ..names import State, Table, below, drop, rename
from .huggingface import named_backbone

if TYPE_CHECKING:
    from ...model import MaskModel

_ENCODER = "encoder.backbone."

_HEADS: Table = [
    ("q", "queries"),
    ("class_head", "class_head"),
    *((f"mask_head.{2 * i}", f"mask_head.layers.{i}") for i in range(3)),
    ("upscale.{}", "upscale.{}"),
    ("attn_mask_probs", "mask_shares"),
]

_DINOV3: Table = [
    ("patch_embed.cls_token", "cls_token"), ("embeddings.cls_token", "cls_token"),
    ("patch_embed.register_tokens", "reg_token"), ("embeddings.register_tokens", "reg_token"),
    ("patch_embed.patch_embeddings", "patch_embed.proj"), ("embeddings.patch_embeddings", "patch_embed.proj"),
    *(
        row
        for blocks in ("blocks.{}.", "layer.{}.", "model.layer.{}.")
        for row in below(blocks, "blocks.{}.", [
            ("layer_scale1.lambda1", "gamma_1"), ("layer_scale2.lambda1", "gamma_2"),
            (tuple(f"attention.{x}_proj.weight" for x in "qkv"), "attn.qkv.weight"),
            ("attention.q_proj.bias", "attn.q_bias"), ("attention.v_proj.bias", "attn.v_bias"),
            ("attention.o_proj", "attn.proj"), ("mlp.up_proj", "mlp.fc1"), ("mlp.down_proj", "mlp.fc2"),
            ("norm1", "norm1"), ("norm2", "norm2"),
            # as Meta's own files have it
            ("ls1.gamma", "gamma_1"), ("ls2.gamma", "gamma_2"),
        ])
    ),
    ("storage_tokens", "reg_token"),
]  # fmt: skip
_UNUSED = [
    r"(.*\.)?mask_token", r"(.*\.)?rope_embed(dings)?\..*", r".*\.bias_mask", r".*criterion\.empty_weight",
    r"(.*\.)?encoder\.pixel_(mean|std)", r"(head|fc_norm)\..*",
]  # fmt: skip


def is_eomt(state: State) -> bool:
    """Whether these are the names of an official EoMT."""
    return _start(state) is not None


def from_eomt_file(
    state: State, path: Path, config: BaseConfig | None = None, base: str | Path | None = None
) -> MaskModel:
    """The model of an official file's ``state``. What shapes do not tell comes from the preset that they fit, or from
    ``config``. ``base``: Meta's DINOv3, for files of differences; else what lies beside ``path``.

    Raises :class:`CheckpointError` for what does not fit.
    """
    start = _start(state) or ""
    state = {name.replace("._orig_mod", "").removeprefix(start): value for name, value in state.items()}
    differences = "encoder.pixel_std" in state and not state["encoder.pixel_std"].any()
    dinov3 = any(name.startswith(f"{_ENCODER}patch_embed.cls_token") for name in state)
    state = rename(drop(state, _UNUSED), below("", "", _HEADS) + below(_ENCODER, "backbone.network.", _encoder(dinov3)))
    if differences:
        state = _added(state, read_base(path, base), path)
    elif base is not None:
        raise CheckpointError(f"base is for files of differences from DINOv3, and {path} holds whole weights")
    try:
        found = _measure(state, dinov3)
    except (KeyError, IndexError, ValueError) as error:
        raise CheckpointError(f"{path} is no whole EoMT: {error} is missing, or of another shape") from error
    if config is None:
        config = _config_from(found, dinov3, path)
    else:
        check_kind(config, EomtConfig, "an EoMT", path)
        check_sizes(config, _sizes(found), path)
    return build(config, state, str(path))


def read_base(path: Path, base: str | Path | None) -> State:
    """Meta's DINOv3 under our names below ``backbone.network.``, from ``base`` or from what lies beside ``path``: a
    file of Meta's, of transformers' or of timm's, or a folder with one."""
    place = _beside(path) if base is None else Path(base)
    state = read_folder_tensors(place) if os.path.isdir(place) else read_tensors(place)
    state = rename(drop(state, _UNUSED), _DINOV3)
    for name in [name for name in state if name.endswith("attn.qkv.bias")]:  # keys have none, whatever is written there
        query, _, value = state.pop(name).chunk(3)
        state |= {name.replace("qkv.bias", "q_bias"): query, name.replace("qkv.bias", "v_bias"): value}
    for name in [name for name in state if name.endswith("attn.qkv.weight")]:  # timm leaves out what is 0
        zeros = state[name].new_zeros(len(state[name]) // 3)
        for bias in ("q_bias", "v_bias"):
            state.setdefault(name.replace("qkv.weight", bias), zeros)
    return {f"backbone.network.{name}": value for name, value in state.items()}


def _start(state: State) -> str | None:
    """What stands before all names of the network, such as "network." or "model.network."; None of other models."""
    names = {name.replace("._orig_mod", "") for name in state}
    starts = {name.split(_ENCODER)[0] for name in names if _ENCODER in name}
    return next((start for start in starts if f"{start}q.weight" in names), None)


def _encoder(dinov3: bool) -> Table:
    names = ("cls_token", "reg_token", "pos_embed", "patch_embed", "blocks", "norm")
    return [*_DINOV3, ("norm", "norm")] if dinov3 else [(name, name) for name in names]


def _beside(path: Path) -> Path:
    """The one file or folder of DINOv3's beside the file; a warning says which."""
    endings = (".pth", ".pt", ".bin", ".safetensors")
    found = [
        place for place in sorted(path.parent.iterdir())
        if "dinov3" in place.name and place != path and (place.is_dir() or place.suffix in endings)
    ]  # fmt: skip
    if len(found) == 1:
        warn_user(f"{path} holds differences from DINOv3: they are added to {found[0]}")
        return found[0]
    several = f" ({', '.join(place.name for place in found)} lie beside it)" if found else ""
    raise CheckpointError(
        f"{path} holds differences from DINOv3's weights, which are not in it. Meta gives them to those who accept its "
        "licence (facebook/dinov3-vitl16-pretrain-lvd1689m on the hub, and -vits16-, -vitb16-): put the file or folder "
        f"beside this one, or name it, from_pretrained(file, base=...){several}"
    )


def _added(state: State, base: State, path: Path) -> State:
    """Differences and what they are from. The shares of masks are differences too, from 1."""
    encoder = {name for name in state if name.startswith("backbone.")}
    if differing := sorted(encoder ^ base.keys()) or [n for n in sorted(encoder) if state[n].shape != base[n].shape]:
        raise CheckpointError(
            f"{path} holds differences from another DINOv3 than the one that was found: {len(differing)} weights "
            f"differ, such as {differing[0]}"
        )
    state = state | {name: state[name] + base[name] for name in encoder}
    if (state["mask_shares"] < 0).any():
        state["mask_shares"] = (state["mask_shares"] + 1).clamp(0, 1)
    return state


def _measure(state: State, dinov3: bool) -> dict:
    """The fields of the configuration that shapes tell."""
    queries, width = state["queries.weight"].shape
    blocks = {name.split(".")[3] for name in state if name.startswith("backbone.network.blocks.")}
    gated = state["backbone.network.blocks.0.mlp.fc1.weight"].shape[0] != 4 * width
    name, options = named_backbone(width, len(blocks), dinov3, gated)
    found = {
        "num_classes": len(state["class_head.weight"]) - 1, "num_queries": queries, "hidden_dim": width,
        "query_blocks": len(state["mask_shares"]), "backbone": name, "backbone_options": tuple(options.items()),
    }  # fmt: skip
    if not dinov3:
        found["image_size"] = PATCH * round(state["backbone.network.pos_embed"].shape[1] ** 0.5)
    return found


def _sizes(found: dict) -> dict:
    """What was found, save the transformer, of which several names may be true."""
    return {name: value for name, value in found.items() if not name.startswith("backbone")}


def _config_from(found: dict, dinov3: bool, path: Path) -> EomtConfig:
    """The preset that agrees with the shapes, and among several the one whose side stands in the file's path; where
    none does, the shapes."""
    sizes = _sizes(found)
    fitting = {
        call: c for call, c in eomt_presets.published().items()
        if ("dinov3" in c.backbone) == dinov3 and all(getattr(c, name) == value for name, value in sizes.items())
        and c.backbone.split(".")[0] == found["backbone"]
    }  # fmt: skip
    if not fitting:
        warn_user(
            f"{path} is no published EoMT: its {found['num_classes']} classes get numbers for names and all count as "
            "things, and it is taken for panoptic. Say better with from_pretrained(path, config=...)."
        )
        return EomtConfig(num_heads=max(1, found["hidden_dim"] // 64), norm_eps=1e-5 if dinov3 else 1e-6, **found)
    named = {call: c for call, c in fitting.items() if str(c.image_size) in str(path)}
    call, config = next(iter((named or fitting).items()))
    others = [name for name in fitting if name != call]
    if others and len(named) != 1:
        warn_of_variants(path, call, ", ".join(others))
    return replace(config, backbone_options=found["backbone_options"])
