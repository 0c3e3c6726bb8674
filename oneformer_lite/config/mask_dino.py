"""The configuration of Mask DINO."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from .family import OneTaskConfig
from .traits import DenoisingTraits


@dataclass(frozen=True)
class MaskDinoConfig(DenoisingTraits, OneTaskConfig):
    """Every size and switch of one Mask DINO; defaults are the published values (Mask DINO, CVPR 2023; official
    ``configs/coco/panoptic-segmentation/maskdino_R50_bs16_50ep_3s_dowsample1_2048.yaml``)."""

    model_type: ClassVar[str] = "mask_dino"
    RECIPE: ClassVar[Mapping[str, object]] = {"clip_norm": 0.01}
    MATCHED_BY: ClassVar[tuple[str, ...]] = ("class", "mask", "dice", "box", "giou")
    CLASS_COST: ClassVar[str] = "focal"
    BOX_EPSILON: ClassVar[float] = 1e-6
    BOXES_WITH_PADDING: ClassVar[bool] = True  # the places that queries look at are those of padded maps
    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = OneTaskConfig.CHOICES | {
        "proposal_sizes": ("released", "dino"),
        "initial_boxes": ("selected", "mask2box", "bitmask"),
        "class_loss": ("focal", "softmax"),
    }

    num_queries: int = 300
    max_instances: int | None = 100  # detectron2's DETECTIONS_PER_IMAGE, whatever the number of queries
    object_mask_threshold: float = 0.25
    # sigmoids are no distribution: after the threshold, for the panoptic merge and for class maps, a softmax of them,
    # divided by this temperature, is
    score_temperature: float = field(default=0.06, metadata={"range": (1e-3, 1e3)})

    # -- pixel decoder: how many of the backbone's maps (4: from 1/4 on) and of still coarser ones the encoder mixes
    encoder_maps: int = field(default=3, metadata={"range": (1, 4)})
    extra_maps: int = field(default=1, metadata={"range": (0, 4)})
    encoder_layers: int = 6
    encoder_ffn: int = 2048
    sampling_points: int = 4  # per head and level, of the decoder as well
    encoder_dropout: float = 0.0

    # -- queries: chosen among all places of the maps, or learned
    two_stage: bool = True
    # how large the box is that each place proposes: 0.05 of the picture on one map, and twice that on each next.
    # "dino": on the finest map, as in DINO, so that fine places propose small boxes. "released": on the coarsest, so
    # that fine places propose the largest ones; the code reverses the maps and forgets it here, and its models with
    # encoder_ffn 2048 were trained so. Weights that were learned with one are useless with the other
    proposal_sizes: str = "released"
    # the first boxes of the chosen queries: what was "selected", or boxes around their first masks (a "mask-enhanced
    # box initialization"), which are measured by one of two rules, the more exact of which is "bitmask"
    initial_boxes: str = "selected"

    # -- decoder (without dropout)
    decoder_layers: int = 9
    decoder_ffn: int = 2048
    # "focal": a sigmoid for each class, none for no object; "softmax": cross-entropy with it, of the semantic models
    class_loss: str = "focal"
    # the probability with which each class starts. 0: as a linear layer starts, as published, near one half, so that
    # the first losses are in the thousands; 0.01 suits small trainings
    class_prior: float = field(default=0.0, metadata={"range": (0.0, 0.5)})

    # -- denoising: about how many queries, and how far from the truth they start, in shares of a box; half of it is the
    # probability of a wrong label
    denoising_queries: int = 100
    denoising_noise: float = 0.4

    # -- loss weights, all of which are the matching costs' as well
    class_weight: float = 4.0
    box_weight: float = 5.0
    giou_weight: float = 2.0

    @property
    def sharpened_by(self) -> float | None:
        return self.score_temperature if self.class_loss == "focal" else None

    @property
    def also_supervised(self) -> tuple[str, ...]:
        return ("selection",) * self.two_stage + super().also_supervised

    @property
    def recipe(self) -> Mapping[str, object]:
        """The semantic models' rate drops twice, and they are trained in full precision."""
        steps = {"ade20k": (160_000, 135_000, 150_000), "cityscapes": (90_000, 80_000, 87_000)}
        if self.data_set == "toytown":
            return {"clip_norm": 0.1, "lr": 5e-4}
        if self.data_set not in steps:
            return self.RECIPE
        whole, *drops = steps[self.data_set]
        budget = {"steps": whole, "schedule": "multistep", "lr_drops": tuple(drop / whole for drop in drops)}
        return {**self.RECIPE, **budget, "precision": "float32"}
