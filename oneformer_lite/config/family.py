"""What the other members are made of: one small frozen dataclass each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from .base import BaseConfig


@dataclass(frozen=True)
class Mask2FormerConfig(BaseConfig):
    """Every size and switch of one Mask2Former; defaults are the published values (Mask2Former, CVPR 2022; official
    ``configs/coco/panoptic-segmentation/maskformer2_R50_bs16_50ep.yaml``)."""

    model_type: ClassVar[str] = "mask2former"
    RECIPE: ClassVar[Mapping[str, object]] = {"clip_norm": 0.01}  # OneFormer's script says so, and does not
    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = BaseConfig.CHOICES | {
        "trained_task": ("panoptic", "instance", "semantic"),
    }

    # the task whose segments it learns: it is not told a task, so there is a model for each. All three can be read from
    # a panoptic one
    trained_task: str = "panoptic"
    num_queries: int = 100
    max_instances: int | None = 100  # detectron2's DETECTIONS_PER_IMAGE, whatever the number of queries

    # -- pixel decoder
    encoder_layers: int = 6
    encoder_ffn: int = 1024
    sampling_points: int = 4  # per head and level
    encoder_dropout: float = 0.0

    # -- masked-attention decoder (without dropout)
    decoder_layers: int = 9
    decoder_ffn: int = 2048

    @property
    def learned_tasks(self) -> tuple[str, ...]:
        return (self.trained_task,)

    @property
    def answered_tasks(self) -> tuple[str, ...]:
        return super().answered_tasks if self.trained_task == "panoptic" else (self.trained_task,)
