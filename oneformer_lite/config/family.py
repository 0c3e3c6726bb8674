"""What the other members are made of: one small frozen dataclass each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from ..errors import ConfigError
from .base import BaseConfig
from .traits import DenoisingTraits


@dataclass(frozen=True)
class OneTaskConfig(BaseConfig):
    """Of a member that is not told its task: there is a model for each. All three can be read from a panoptic one."""

    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = BaseConfig.CHOICES | {
        "trained_task": ("panoptic", "instance", "semantic"),
    }

    trained_task: str = "panoptic"  # whose segments it learns

    @property
    def learned_tasks(self) -> tuple[str, ...]:
        return (self.trained_task,)

    @property
    def answered_tasks(self) -> tuple[str, ...]:
        return super().answered_tasks if self.trained_task == "panoptic" else (self.trained_task,)

    @property
    def sums_before_resizing(self) -> bool:
        """As published of the models for that task alone (official ``sem_seg_postprocess_before_inference``)."""
        return self.trained_task == "semantic"


@dataclass(frozen=True)
class MaskFormerConfig(OneTaskConfig):
    """Every size and switch of one MaskFormer; defaults are the published values (MaskFormer, NeurIPS 2021; official
    ``configs/coco-panoptic/maskformer_panoptic_R50_bs64_554k.yaml`` and its relatives)."""

    model_type: ClassVar[str] = "maskformer"
    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = OneTaskConfig.CHOICES | {
        "trained_task": ("panoptic", "semantic"),
    }

    num_queries: int = 100
    class_weight: float = 1.0
    mask_weight: float = 20.0
    dice_weight: float = 1.0
    mask_loss: str = "focal"
    compared_on: str = "pixels"
    # what a query wins is its segment, also outside its own mask
    merge_within_masks: bool = False
    max_instances: int | None = 100  # as its successor's paper measured its instances; it has no rule of its own

    # -- DETR's encoder over the coarsest map: none, or 6 layers in the panoptic models with a ResNet
    encoder_layers: int = 0
    encoder_ffn: int = 2048

    # -- DETR's decoder
    decoder_layers: int = 6
    decoder_ffn: int = 2048
    dropout: float = field(default=0.1, metadata={"range": (0.0, 0.99)})  # of both

    @property
    def recipe(self) -> Mapping[str, object]:
        if self.data_set == "toytown":
            return {"clip_norm": 0.01, "lr": 5e-4}  # at 2e-3 the queries stay alike for longer
        if self.data_set not in _MASKFORMER_STEPS:
            return {"clip_norm": 0.01}
        settings = {"clip_norm": 0.01, "weight_decay": 1e-4, "precision": "float32", **_MASKFORMER_STEPS[self.data_set]}
        if self.data_set == "ade20k" and self.trained_task == "panoptic":
            settings["steps"] = 720_000
        if "swin" in self.backbone:
            settings |= {"lr": 6e-5, "weight_decay": 0.01, "backbone_lr_multiplier": 1.0, "warmup_steps": 1500}
        if self.data_set == "coco":
            settings["augmentation"] = "detr_1000" if self.backbone.startswith("swin_large") else "detr"
        return settings


# 300 epochs of COCO in batches of 64; the others in batches of 16
_MASKFORMER_STEPS: dict[str, dict[str, object]] = {
    "coco": {"batch_size": 64, "steps": 554_400, "lr_drops": (369_600 / 554_400,), "warmup_steps": 10},
    "ade20k": {"steps": 160_000},
    "cityscapes": {"steps": 90_000},
    "mapillary": {"steps": 300_000},
}


@dataclass(frozen=True)
class Mask2FormerConfig(DenoisingTraits, OneTaskConfig):
    """Every size and switch of one Mask2Former; defaults are the published values (Mask2Former, CVPR 2022; official
    ``configs/coco/panoptic-segmentation/maskformer2_R50_bs16_50ep.yaml``)."""

    model_type: ClassVar[str] = "mask2former"
    RECIPE: ClassVar[Mapping[str, object]] = {"clip_norm": 0.01}  # OneFormer's script says so, and does not

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


@dataclass(frozen=True)
class DetrConfig(BaseConfig):
    """Every size and switch of one DETR for panoptic segmentation; defaults are the published values (DETR, ECCV 2020;
    official ``main.py``)."""

    model_type: ClassVar[str] = "detr"
    RECIPE: ClassVar[Mapping[str, object]] = {"weight_decay": 1e-4, "clip_norm": 0.1}
    POSTPROCESSING: ClassVar[str] = "detr"
    MATCHED_BY: ClassVar[tuple[str, ...]] = ("class", "box", "giou")
    MASKS_IN_LOSSES: ClassVar[str] = "last"
    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = BaseConfig.CHOICES | {
        "stage": ("boxes", "masks", "joint"), "attention_maps": ("shares", "relative"),
    }  # fmt: skip

    # what a training teaches. As published first "boxes": all but the masks' attention and convolutions, of which there
    # is nothing to be seen yet; then "masks": those alone, over the frozen rest. "joint": all at once, where masks wait
    # for the rest: of all that their convolutions see, the maps of attention alone tell queries apart, and at first
    # these are even, and so weak that the gradient of what makes them is less than a ten-millionth of the whole
    stage: str = "masks"
    # how large the numbers are that masks are made of: as published, whatever the backbone. Where its maps are some ten
    # times larger than what a query adds, each of the mask head's three additions makes the query ten times fainter.
    # Maps of attention hold "shares", which sum to 1, or are "relative": how many times as much as of an even attention
    map_scale: float = field(default=1.0, metadata={"range": (1e-6, 1e6)})
    attention_maps: str = "shares"
    num_queries: int = 100
    padding_multiple: int = 1  # padding is told apart: a picture alone gets none
    # ResNet's stem and first stage keep the weights of ImageNet
    early_layers_learn: bool = False
    object_mask_threshold: float = 0.85
    overlap_threshold: float = 0.0  # nothing is asked of a query but pixels, and there is no void
    merge_within_masks: bool = False
    # the merge joins stuff of a class to its surest query before it drops queries without pixels, in the published
    # code together with those that were joined: their pixels go to whatever mask comes next. True: they stay
    keep_joined_stuff: bool = False

    # -- transformer; dropout also of attention weights and after ReLU
    encoder_layers: int = 6
    encoder_ffn: int = 2048
    decoder_layers: int = 6
    decoder_ffn: int = 2048
    dropout: float = field(default=0.1, metadata={"range": (0.0, 0.99)})

    # -- loss weights; those of class, box (L1) and giou are the matching costs' as well, masks have no part in it
    class_weight: float = 1.0
    box_weight: float = 5.0
    giou_weight: float = 2.0
    mask_weight: float = 1.0
    dice_weight: float = 1.0
    mask_loss: str = "focal"
    compared_on: str = "pixels"

    @property
    def recipe(self) -> Mapping[str, object]:
        """Of the stage, on COCO: 500 epochs of boxes, then 25 of masks, of all 118,287 pictures."""
        if self.data_set != "coco":
            return self.RECIPE
        epochs, drop = (25, 15) if self.stage == "masks" else (500, 400)
        budget = {"steps": 7393 * epochs, "lr_drops": (drop / epochs,), "only_with_things": False}
        return {**self.RECIPE, **budget, "precision": "float32", "augmentation": "detr"}

    @property
    def learned_tasks(self) -> tuple[str, ...]:
        return ("panoptic",)

    def check_answers(self, task: str) -> None:
        """Raises :class:`ConfigError` where no masks have been learned yet."""
        super().check_answers(task)
        if self.stage == "boxes":
            raise ConfigError(
                "this detr model has learned boxes alone, and its masks are random: train a model of its configuration "
                "with stage='masks', TrainConfig(start_from=...) this one; MatchInspector shows what its boxes cost"
            )

    def has_term(self, name: str) -> bool:
        return super().has_term(name) and not (self.stage == "boxes" and name in ("mask", "dice"))
