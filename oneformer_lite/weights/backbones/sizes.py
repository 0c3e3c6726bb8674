"""From the sizes of a backbone to its name.

A checkpoint holds a backbone of some width and depth; ``ModelConfig`` says a name and what differs from it.
"""

from __future__ import annotations

from ...config import BaseConfig
from ...model.networks.by_name import DINAT, SWIN, is_dinat, is_swin

_SWIN_NAMES = (
    ("tiny", "swin_tiny_patch4_window7_224", 7),
    ("small", "swin_small_patch4_window7_224", 7),
    ("base", "swin_base_patch4_window12_384", 12),
    ("large", "swin_large_patch4_window12_384", 12),
    ("large", "swin_large_patch4_window7_224", 7),  # K-Net's
)
_CHANNELS = (64, 128, 256, 512)

# kind of network -> name -> sizes, by the names of the constructor's arguments
NETWORKS: dict[str, dict[str, dict]] = {
    "swin": {
        name: {**SWIN[size], "window_size": window, "mlp_ratio": 4.0} for size, name, window in _SWIN_NAMES
    },
    "dinat": {
        name: {**{key: value for key, value in sizes.items() if key != "dilations"}, "mlp_ratio": 2.0}
        for name, sizes in DINAT.items()  # dilations leave no trace in the weights
    },
    "convnext": {
        "convnext_tiny": {"depths": (3, 3, 9, 3), "dims": (96, 192, 384, 768)},
        "convnext_small": {"depths": (3, 3, 27, 3), "dims": (96, 192, 384, 768)},
        "convnext_base": {"depths": (3, 3, 27, 3), "dims": (128, 256, 512, 1024)},
        "convnext_large": {"depths": (3, 3, 27, 3), "dims": (192, 384, 768, 1536)},
        "convnext_xlarge": {"depths": (3, 3, 27, 3), "dims": (256, 512, 1024, 2048)},
    },
    "resnet bottleneck": {
        "resnet50": {"layers": (3, 4, 6, 3), "channels": _CHANNELS},
        "resnet101": {"layers": (3, 4, 23, 3), "channels": _CHANNELS},
        "resnet152": {"layers": (3, 8, 36, 3), "channels": _CHANNELS},
    },
    # three small convolutions for the first large one; that its last stage is dilated leaves no trace in the weights
    "resnet with a deep stem": {"resnet101s": {"layers": (3, 4, 23, 3), "channels": _CHANNELS, "stem_width": 64}},
    "resnet basic": {
        "resnet18": {"layers": (2, 2, 2, 2), "channels": _CHANNELS},
        "resnet34": {"layers": (3, 4, 6, 3), "channels": _CHANNELS},
    },
}  # fmt: skip


def plain(name: str) -> str:
    """A timm name without the tag that says which ImageNet weights belong to it."""
    return name.split(".")[0]


def nearest(kind: str, sizes: dict) -> tuple[str, dict]:
    """The network of ``kind`` that shares most of ``sizes``, and the sizes in which it differs."""
    names = NETWORKS[kind]
    name = max(names, key=lambda n: sum(names[n].get(key) == value for key, value in sizes.items()))
    return name, {key: value for key, value in sizes.items() if names[name].get(key) != value}


def kind_of(name: str) -> str:
    """The kind of a named network: a key of ``NETWORKS``, or "timm" for every other network of timm's."""
    if is_swin(name) or is_dinat(name):
        return "swin" if is_swin(name) else "dinat"
    return next((kind for kind, names in NETWORKS.items() if plain(name) in names), "timm")


def has_sizes(config: BaseConfig, kind: str, sizes: dict) -> bool:
    """Whether the configuration's backbone is of that kind and of these sizes."""
    if kind_of(config.backbone) != kind:
        return False
    own = NETWORKS[kind][plain(config.backbone)] | dict(config.backbone_options)
    return all(own.get(name) == value for name, value in ({"deformable": None} | sizes).items())
