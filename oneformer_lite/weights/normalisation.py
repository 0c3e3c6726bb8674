"""What is taken from pixels, and what they are divided by, before a network gets them; a file may say it otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

from ..errors import CheckpointError

if TYPE_CHECKING:
    from ..model.networks.backbone import Backbone


def normalisation(backbone: Backbone) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation, 0 to 1, of the pixels that the network itself gets."""
    if backbone.own_statistics:
        return backbone.network.pretrained_cfg["mean"], backbone.network.pretrained_cfg["std"]
    return IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD


def check_normalisation(processor: dict, mean: tuple[float, ...], std: tuple[float, ...], source: str) -> None:
    """The file's pictures must be normalised as the network here gets them."""
    for field, own, default in (
        ("image_mean", mean, IMAGENET_DEFAULT_MEAN),
        ("image_std", std, IMAGENET_DEFAULT_STD),
    ):
        theirs = processor.get(field, default)
        try:
            same = np.allclose(theirs, own, rtol=0, atol=1e-4)
        except (TypeError, ValueError):  # no three numbers
            same = False
        if not same:
            raise CheckpointError(f"{source} normalises with {field} {theirs}; this backbone gets {list(own)}")
