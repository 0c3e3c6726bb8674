"""The ``backbone_config`` of a transformers model beside our backbone's name and options, both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...config import BaseConfig
from ...errors import CheckpointError, ConfigError
from ..shapes import Shapes, measure_backbone
from .sizes import kind_of, nearest

if TYPE_CHECKING:
    from ...model.networks.backbone import Backbone

_STAGES = ["stage1", "stage2", "stage3", "stage4"]

# their name of a size -> ours, by their type of backbone
_SIZES = {
    "swin": {name: name for name in ("embed_dim", "depths", "num_heads", "window_size", "mlp_ratio")},
    "dinat": {name: name for name in ("embed_dim", "depths", "num_heads", "kernel_size", "dilations", "mlp_ratio")},
    "convnext": {"depths": "depths", "hidden_sizes": "dims"},
    "resnet": {"depths": "layers", "hidden_sizes": "channels"},
}

# their choices that the published backbones do not take
_FIXED = {
    "swin": {
        "patch_size": 4, "num_channels": 3, "qkv_bias": True, "hidden_act": "gelu", "layer_norm_eps": 1e-5,
        "use_absolute_embeddings": False,
    },
    "dinat": {
        "patch_size": 4, "num_channels": 3, "qkv_bias": True, "hidden_act": "gelu", "layer_norm_eps": 1e-5,
        "layer_scale_init_value": 0.0,
    },
    "convnext": {"patch_size": 4, "num_channels": 3, "hidden_act": "gelu"},
    "resnet": {
        "num_channels": 3, "embedding_size": 64, "hidden_act": "relu", "downsample_in_first_stage": False,
        "downsample_in_bottleneck": False,
    },
}  # fmt: skip

# what transformers builds where the file says nothing
_DEFAULTS = {
    "swin": {
        "embed_dim": 96, "depths": (2, 2, 6, 2), "num_heads": (3, 6, 12, 24), "window_size": 7, "mlp_ratio": 4.0,
    },
    "dinat": {
        "embed_dim": 64, "depths": (3, 4, 6, 5), "num_heads": (2, 4, 8, 16), "kernel_size": 7, "mlp_ratio": 3.0,
        "dilations": ((1, 8, 1), (1, 4, 1, 4), (1, 2, 1, 2, 1, 2), (1, 1, 1, 1, 1)),
    },
    "convnext": {"depths": (3, 3, 9, 3), "hidden_sizes": (96, 192, 384, 768)},
    "resnet": {"depths": (3, 4, 6, 3), "hidden_sizes": (256, 512, 1024, 2048)},
}  # fmt: skip


def backbone_from(theirs: dict | None, source: str) -> tuple[str, dict]:
    """Our name and options of a ``backbone_config``; without one transformers builds Swin-Tiny."""
    theirs = {"model_type": "swin", "drop_path_rate": 0.3} if theirs is None else theirs
    kind = theirs.get("model_type")
    if kind == "timm_backbone":
        return theirs["backbone"], {}
    if kind not in _SIZES:
        raise CheckpointError(f"{source} has a backbone of type {kind!r}; known are {', '.join(_SIZES)}, timm_backbone")
    for field, value in _FIXED[kind].items():
        if theirs.get(field, value) != value:
            raise CheckpointError(f"{source}: the backbone has {field} = {theirs[field]}; here it is {value} only")
    sizes = {ours: _tuple(theirs.get(name, _DEFAULTS[kind].get(name))) for name, ours in _SIZES[kind].items()}
    if kind == "resnet":
        block = theirs.get("layer_type", "bottleneck")
        kind = f"resnet {block}"
        if block == "bottleneck":  # theirs counts what leaves a block, ours the channels inside it
            sizes["channels"] = tuple(c // 4 for c in sizes["channels"])
    name, options = nearest(kind, sizes)
    drop_path = theirs.get("drop_path_rate", 0.0)
    return name, options | ({"drop_path_rate": drop_path} if drop_path else {})


def backbone_to(backbone: Backbone, config: BaseConfig) -> dict:
    """The ``backbone_config`` that makes transformers build our backbone.

    Raises :class:`ConfigError` where it has no such network.
    """
    kind, options = kind_of(config.backbone), dict(config.backbone_options)
    drop_path = options.pop("drop_path_rate", 0.0)
    if kind in ("timm", "resnet with a deep stem"):
        if options or backbone.norms:
            reason = f"with {sorted(options)}" if options else "with its stages closed by LayerNorms"
            raise ConfigError(f"transformers builds timm's {config.backbone}, but not {reason}")
        indices = list(backbone.network.feature_info.out_indices)
        # transformers 5.0 downloads ImageNet weights first, unless told not to
        return {
            "model_type": "timm_backbone", "backbone": config.backbone, "out_indices": indices,
            "use_pretrained_backbone": False,
        }  # fmt: skip
    state = {f"backbone.{name}": tensor for name, tensor in backbone.state_dict().items()}
    sizes = measure_backbone(kind, Shapes(state, config.backbone))
    if kind == "dinat":
        sizes["dilations"] = tuple(tuple(b.attn.dilation for b in level.blocks) for level in backbone.network.levels)
    if unknown := sorted(options.keys() - sizes.keys()):
        raise ConfigError(f"transformers' {kind} cannot be told {', '.join(unknown)}")
    if kind == "resnet bottleneck":
        sizes["channels"] = tuple(4 * c for c in sizes["channels"])
    kind, _, block = kind.partition(" ")
    theirs = {name: _list(sizes[ours]) for name, ours in _SIZES[kind].items()}
    theirs |= {"layer_type": block} if kind == "resnet" else {"drop_path_rate": drop_path}
    return {"model_type": kind, "out_features": _STAGES, **_FIXED[kind], **theirs}


def _tuple(value):
    return tuple(_tuple(v) for v in value) if isinstance(value, (list, tuple)) else value


def _list(value):
    return [_list(v) for v in value] if isinstance(value, tuple) else value
