"""Panoptic SegFormer's configuration and its named ones: the panoptic models of its authors, and Toytown's.

Values are those of the official ``configs/panformer/``; scores are the paper's PQ in percent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from ..data.classes import class_list
from .base import BaseConfig, for_classes

__all__ = [
    "panoptic_segformer_coco_pvtv2_b5", "panoptic_segformer_coco_r50", "panoptic_segformer_coco_r101",
    "panoptic_segformer_coco_swin_l", "panoptic_segformer_toytown",
]  # fmt: skip


@dataclass(frozen=True)
class PanopticSegFormerConfig(BaseConfig):
    """Every size and switch of one Panoptic SegFormer; defaults are the published values (Panoptic SegFormer, CVPR
    2022; official ``configs/panformer/base.py``).

    Things share ``thing_queries``, which find a place before they have a mask; of stuff each class has a query of its
    own, after these. ``num_queries`` is the number of all, whatever is given.
    """

    model_type: ClassVar[str] = "panoptic_segformer"
    RECIPE: ClassVar[Mapping[str, object]] = {"weight_decay": 1e-4, "clip_norm": 0.1, "decay_all": True}
    POSTPROCESSING: ClassVar[str] = "panoptic_segformer"
    MATCHED_BY: ClassVar[tuple[str, ...]] = ("class", "box", "giou")
    CLASS_COST: ClassVar[str] = "focal"
    ATTENTION_MAKES_MASKS: ClassVar[bool] = True
    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = BaseConfig.CHOICES | {"dice_loss": ("values",)}

    thing_queries: int = field(default=300, metadata={"range": (1, 50_000)})
    num_queries: int = 353  # always thing_queries and those of stuff
    mask_stride: int = 8  # the backbone's maps from this stride on are seen, and masks are as fine
    padding_multiple: int = 1
    early_layers_learn: bool = False  # ResNet's stem and first stage keep the weights of ImageNet

    # -- deformable encoder and location decoder
    encoder_layers: int = 6
    encoder_ffn: int = 1024
    decoder_layers: int = 6
    decoder_ffn: int = 1024
    sampling_points: int = 4  # per head and level
    dropout: float = field(default=0.1, metadata={"range": (0.0, 0.99)})  # of both; mask decoders have none

    # -- mask decoders, each with one more attention at the end
    thing_blocks: int = field(default=4, metadata={"range": (1, 256)})
    stuff_blocks: int = field(default=6, metadata={"range": (1, 256)})

    # -- loss weights; those of class, box (L1), giou and dice are the matching costs' as well. Where masks take part in
    # the matching, classes cost what ``class_with_masks`` says (twice as much as elsewhere, as published)
    class_weight: float = 2.0
    box_weight: float = 5.0
    giou_weight: float = 2.0
    mask_weight: float = 0.0
    dice_weight: float = 2.0
    stuff_class_weight: float = field(default=4.0, metadata={"range": (0.0, 1e6)})
    stuff_dice_weight: float = field(default=2.0, metadata={"range": (0.0, 1e6)})
    dice_loss: str = "values"
    compared_on: str = "pixels"
    class_with_masks: float = field(default=4.0, metadata={"range": (0.0, 1e6)})
    matching_rounds: int = field(default=3, metadata={"range": (1, 100)})  # queries of a thing that may get masks

    # -- reading the result: the least score times squared quality, and of stuff too the share of its mask that it keeps
    object_mask_threshold: float = 0.25
    overlap_threshold: float = 0.6
    stuff_overlap_threshold: float = field(default=0.8, metadata={"range": (0.0, 1.0)})
    max_instances: int | None = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "num_queries", self.thing_queries + len(self.stuff))

    @property
    def things(self) -> tuple[int, ...]:
        """Classes that the thing queries know."""
        return tuple(i for i, thing in enumerate(self.is_thing) if thing)

    @property
    def stuff(self) -> tuple[int, ...]:
        """Classes that have a query of their own."""
        return tuple(i for i, thing in enumerate(self.is_thing) if not thing)

    @property
    def fixed_queries(self) -> Mapping[int, int]:
        return {label: query for query, label in enumerate(self.stuff, start=self.thing_queries)}

    @property
    def rows_of_classes(self) -> Mapping[str, tuple[int, ...]]:
        return {"class_head": self.things, "stuff_queries": self.stuff}

    @property
    def learned_tasks(self) -> tuple[str, ...]:
        return ("panoptic",)

    def has_term(self, name: str) -> bool:
        return super().has_term(name) and name != "mask"

    @property
    def recipe(self) -> Mapping[str, object]:
        """On COCO 24 epochs of all 118,287 pictures in batches of 8, the rate dropped after 18."""
        if self.data_set != "coco":
            return self.RECIPE | {"lr": 5e-4}
        budget = {"batch_size": 8, "steps": 14_786 * 24, "lr_drops": (18 / 24,), "only_with_things": False}
        return {**self.RECIPE, **budget, "lr": 1.4e-4, "precision": "float32", "augmentation": "detr"}


def panoptic_segformer_coco_r50() -> PanopticSegFormerConfig:
    """COCO, ResNet-50, 24 epochs: 49.6 (48.0 after 12)."""
    return _coco("resnet50.tv_in1k")


def panoptic_segformer_coco_r101() -> PanopticSegFormerConfig:
    """COCO, ResNet-101: 50.6."""
    return _coco("resnet101.tv_in1k")


def panoptic_segformer_coco_swin_l() -> PanopticSegFormerConfig:
    """COCO, Swin-L (window 7, from ImageNet-22k): 55.8."""
    return _coco(
        "swin_large_patch4_window7_224.ms_in22k", object_mask_threshold=0.3, backbone_options={"drop_path_rate": 0.3},
    )  # fmt: skip


def panoptic_segformer_coco_pvtv2_b5() -> PanopticSegFormerConfig:
    """COCO, PVTv2-B5: 55.4."""
    return _coco("pvt_v2_b5.in1k", object_mask_threshold=0.3)


def panoptic_segformer_toytown() -> PanopticSegFormerConfig:
    """The laptop model beside :func:`~.presets.toytown`; its masks are at a quarter, for things are small."""
    from ..data.toytown import CATEGORIES

    base = PanopticSegFormerConfig(
        num_classes=len(CATEGORIES), data_set="toytown", image_size=128, test_size=160, mask_stride=4,
        padding_multiple=32, backbone="tf_efficientnet_lite0", backbone_norm="affine", hidden_dim=96, num_heads=8,
        thing_queries=32, encoder_layers=2, encoder_ffn=256, decoder_layers=3, decoder_ffn=256, dropout=0.0,
        thing_blocks=2, stuff_blocks=2, early_layers_learn=True,
    )  # fmt: skip
    return for_classes(base, CATEGORIES)


def _coco(backbone: str, **fields) -> PanopticSegFormerConfig:
    sizes = {"image_size": 800, "test_size": 800, "test_max_size": 1333, "data_set": "coco"}
    return for_classes(PanopticSegFormerConfig(backbone=backbone, **sizes, **fields), class_list("coco"))
