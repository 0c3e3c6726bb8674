"""K-Net's configuration: kernels that make masks and are made anew of what these hold, stage by stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from ..errors import ConfigError
from .family import OneTaskConfig


@dataclass(frozen=True)
class KNetConfig(OneTaskConfig):
    """Every size and switch of one K-Net; defaults are the published values (Zhang et al., "K-Net", NeurIPS 2021;
    official ``configs/det/_base_/models/knet_s3_r50_fpn_panoptic.py``).

    Things share ``thing_kernels``, which are matched; of stuff each class has a kernel of its own, after these, if the
    panoptic task is learned. ``num_queries`` is the number of all, whatever is given.
    """

    model_type: ClassVar[str] = "knet"
    POSTPROCESSING: ClassVar[str] = "knet"
    CLASS_COST: ClassVar[str] = "focal"
    MASK_COST: ClassVar[str] = "agreement"
    MATCHED_BEFORE: ClassVar[bool] = True
    FIRST_IS_SEMANTIC: ClassVar[bool] = True
    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = OneTaskConfig.CHOICES | {
        "trained_task": ("panoptic", "instance"), "pooling": ("sum", "mean"),
    }  # fmt: skip

    backbone_norm: str = "affine"
    # ResNet's stem and first stage keep the weights of ImageNet
    early_layers_learn: bool = False
    thing_kernels: int = field(default=100, metadata={"range": (1, 50_000)})
    num_queries: int = 153  # always thing_kernels and those of stuff
    feature_stride: int = 8  # pixels to a cell of the features that kernels are multiplied with: 8 or 4
    stages: int = field(default=3, metadata={"range": (1, 256)})
    stage_ffn: int = field(default=2048, metadata={"range": (1, 65_536)})
    # what a kernel gets of the features under its mask: their "sum", which grows with the area, or their "mean"
    pooling: str = "sum"

    # -- loss weights; "rank": masks of a picture share a softmax at each cell; "semantic": a class for each cell, of
    # the first prediction
    class_weight: float = 2.0
    mask_weight: float = 1.0
    dice_weight: float = 4.0
    rank_weight: float = 0.1
    semantic_weight: float = 1.0
    dice_loss: str = "vnet"
    compared_on: str = "cells"

    # -- the panoptic merge: the score that a thing needs, while stuff needs none
    object_mask_threshold: float = 0.3
    overlap_threshold: float = 0.6
    merge_within_masks: bool = False
    max_instances: int | None = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "num_queries", self.thing_kernels + len(self.fixed_queries))
        if self.feature_stride not in (4, 8):
            raise ConfigError(f"feature_stride is {self.feature_stride}; expected 8 as published, or 4")
        if self.mask_stride != 4:
            raise ConfigError(f"mask_stride is {self.mask_stride}, but a knet's masks have a quarter of the picture")

    def has_term(self, name: str) -> bool:
        """The published models for instances have no rank loss."""
        return super().has_term(name) and not (name == "rank" and self.rank_weight == 0)

    @property
    def fixed_queries(self) -> Mapping[int, int]:
        """Of stuff, after the kernels of things."""
        stuff = [label for label, is_thing in enumerate(self.is_thing) if not is_thing]
        return {label: self.thing_kernels + i for i, label in enumerate(stuff) if self.trained_task == "panoptic"}

    @property
    def recipe(self) -> Mapping[str, object]:
        """On COCO 36 epochs of the 117,266 pictures in which there is a thing; Swin-L's in batches twice as large."""
        if self.data_set == "toytown":
            return {"lr": 5e-4}
        if self.data_set != "coco":
            return {"clip_norm": 1.0}
        batch = 32 if self.backbone.startswith("swin_large") else 16
        return {
            "augmentation": "shorter_side", "batch_size": batch, "steps": 36 * 117_266 // batch,
            "lr_drops": (9 / 12, 11 / 12), "warmup_steps": 1000, "backbone_lr_multiplier": 0.25, "decay_all": True,
            "clip_norm": 1.0, "precision": "float32",
        }  # fmt: skip
