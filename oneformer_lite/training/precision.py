"""Which precision a recipe means: ``precision="auto"`` is what was published, on a GPU, and float32 elsewhere.

The official configurations train in float16 with scaled losses (detectron2's ``SOLVER.AMP.ENABLED``), except those of
DiNAT on every data set and of Swin-L on COCO, which switch it off (``configs/*/*.yaml``).
"""

from __future__ import annotations

from dataclasses import replace

import torch

from ..config import BaseConfig
from .config import TrainConfig

HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


def with_precision(config: BaseConfig, train_config: TrainConfig, device: torch.device) -> TrainConfig:
    """``train_config`` with the precision that "auto" means for this model on this device."""
    if train_config.precision != "auto":
        return train_config
    half = device.type == "cuda" and _published_in_half(config, train_config)
    return replace(train_config, precision="fp16" if half else "float32")


def precision_words(asked: TrainConfig, chosen: TrainConfig, device: torch.device) -> str:
    """The precision that was ``chosen``, and why if that was left to it."""
    if asked.precision != "auto":
        return chosen.precision
    if chosen.precision == "fp16":
        return "fp16, half precision as published (precision='auto')"
    reason = "as published" if device.type == "cuda" else "half precision as published is for CUDA GPUs"
    return f"float32, {reason} (precision='auto')"


def _published_in_half(config: BaseConfig, train_config: TrainConfig) -> bool:
    coco_swin_l = train_config.augmentation == "coco" and config.backbone.startswith("swin_large")
    return not (coco_swin_l or config.backbone.startswith("dinat"))
