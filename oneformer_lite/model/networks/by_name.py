"""The networks a backbone can be, by name: Swin and DiNAT as published, everything else from timm."""

from __future__ import annotations

import re
from dataclasses import dataclass

import timm
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import nn

from ...config.backbone import check_backbone
from ...errors import ConfigError
from .deformable_convolution import deform
from .swin import Swin

STRIDES = (4, 8, 16, 32)

# Sizes of the paper's networks, by the names of their constructors' arguments (official configs/*/swin and
# configs/coco/dinat). Swin's window stands in its name.
_SWIN_NAME = re.compile(r"swin_(tiny|small|base|large)_patch4_window(\d+)_\d+([._].+)?")
SWIN = {
    "tiny": {"embed_dim": 96, "depths": (2, 2, 6, 2), "num_heads": (3, 6, 12, 24)},
    "small": {"embed_dim": 96, "depths": (2, 2, 18, 2), "num_heads": (3, 6, 12, 24)},
    "base": {"embed_dim": 128, "depths": (2, 2, 18, 2), "num_heads": (4, 8, 16, 32)},
    "large": {"embed_dim": 192, "depths": (2, 2, 18, 2), "num_heads": (6, 12, 24, 48)},
}
DINAT = {
    "dinat_large": {
        "embed_dim": 192,
        "depths": (3, 4, 18, 5),
        "num_heads": (6, 12, 24, 48),
        "kernel_size": 11,
        "dilations": (
            (1, 20, 1),
            (1, 5, 1, 10),
            (1, 2, 1, 3, 1, 4, 1, 5, 1, 2, 1, 3, 1, 4, 1, 5, 1, 5),
            (1, 2, 1, 2, 1),
        ),
    }
}


@dataclass(frozen=True)
class Network:
    """A network with four feature maps, finest first, and what one must know to use it."""

    module: nn.Module
    channels: list[int]
    # of the LayerNorm with which the official backbones close each stage; None where stages end normalised
    norm_eps: float | None
    outputs_nhwc: bool = False  # timm's transformers give [B, h, w, C]
    mean: tuple[float, ...] = IMAGENET_DEFAULT_MEAN  # of the pixels it was trained with, 0 to 1
    std: tuple[float, ...] = IMAGENET_DEFAULT_STD


def build_network(name: str, options: dict[str, object]) -> Network:
    """The network ``name`` without weights; ``options`` override the sizes among its constructor's arguments.

    Raises :class:`ConfigError` for names and options that do not exist, or are no sizes.
    """
    options = dict(check_backbone(name, options))
    if is_swin(name):
        size, window = _SWIN_NAME.fullmatch(name).group(1, 2)
        module = Swin(**{**SWIN[size], "window_size": int(window), **options})
        return Network(module, module.channels, norm_eps=1e-5)
    if is_dinat(name):
        from .dinat import DiNAT

        if name not in DINAT:
            raise ConfigError(f"there is no backbone {name!r}; of this family there is {', '.join(DINAT)}")
        module = DiNAT(**{**DINAT[name], **options})
        return Network(module, module.channels, norm_eps=1e-5)
    return _timm_network(name, options)


def is_swin(name: str) -> bool:
    """Whether ``name`` is a Swin of the original kind (timm's ``swin_s3_*`` and ``swinv2_*`` are others)."""
    return _SWIN_NAME.fullmatch(name) is not None


def is_dinat(name: str) -> bool:
    """Whether ``name`` is of the DiNAT family, which timm does not have."""
    return name.startswith("dinat_")


def timm_features(name: str, pretrained: bool = False, **options: object) -> nn.Module:
    """timm's network ``name`` that returns feature maps, for pictures of any size."""
    if name.startswith("swin"):
        options = {"strict_img_size": False, **options}
    if name.startswith("resnet"):  # timm starts the last norm of a block at 0: a frozen one would stay there
        options = {"zero_init_last": False, **options}
    return timm.create_model(name, pretrained=pretrained, features_only=True, **options)


def _last_places(strides: list[int], wanted: list[int]) -> list[int]:
    """The places of the ``wanted`` ones, of each the last that comes before the next."""
    places, end = [], len(strides)
    for stride in reversed(wanted):
        end = end - 1 - strides[:end][::-1].index(stride)
        places.append(end)
    return places[::-1]


def _dilate(network: nn.Module, name: str, multi_grid: tuple[int, ...]) -> None:
    """Spread the 3 x 3 convolutions of ResNet's last stage, block by block, as DeepLab does; no map changes its size.

    Raises :class:`ConfigError` unless there is one number for each block.
    """
    if len(multi_grid) != len(network.layer4):
        raise ConfigError(
            f"the last stage of {name} has {len(network.layer4)} blocks, backbone_options['multi_grid'] is for "
            f"{len(multi_grid)}"
        )
    for block, rate in zip(network.layer4, multi_grid):
        for convolution in block.modules():
            if isinstance(convolution, nn.Conv2d) and convolution.kernel_size == (3, 3):
                convolution.dilation = tuple(rate * d for d in convolution.dilation)
                convolution.padding = tuple(rate * p for p in convolution.padding)


def _timm_network(name: str, options: dict[str, object]) -> Network:
    if not timm.is_model(name):  # create_model also takes addresses and folders, as "hf-hub:" and "local-dir:"
        raise ConfigError(f"timm cannot build backbone {name!r}: it has no network of that name (timm.list_models())")
    multi_grid, deformable = (options.pop(own, None) for own in ("multi_grid", "deformable"))  # timm has neither
    try:
        module = timm_features(name, **options)
    except Exception as error:  # timm's networks raise many kinds; all mean the same to the caller
        given = f" with backbone_options {options}" if options else ""
        raise ConfigError(f"timm cannot build backbone {name!r}{given}: {error}") from error
    strides = list(module.feature_info.reduction())
    # a dilated network keeps the resolution of an earlier stage to its end
    wanted = [min(stride, options.get("output_stride", STRIDES[-1])) for stride in STRIDES]
    if not set(wanted) <= set(strides):
        raise ConfigError(
            f"backbone {name!r} has features at strides {strides}; the model needs {wanted}. "
            "Convolutional and hierarchical networks (resnet50, swin_tiny_patch4_window7_224, "
            "convnext_tiny) have them, plain vision transformers do not."
        )
    indices = _last_places(strides, wanted)
    if indices != list(range(len(strides))):
        module = timm_features(name, out_indices=indices, **options)
    if multi_grid is not None:
        _dilate(module, name, multi_grid)
    if deformable is not None:
        deform(module, name, deformable)
    nhwc = str(getattr(module, "output_fmt", "")).endswith("NHWC")
    convnext = name.startswith("convnext")
    return Network(
        module,
        list(module.feature_info.channels()),
        norm_eps=1e-6 if convnext else 1e-5 if nhwc else None,
        outputs_nhwc=nhwc,
        mean=module.pretrained_cfg["mean"],
        std=module.pretrained_cfg["std"],
    )
