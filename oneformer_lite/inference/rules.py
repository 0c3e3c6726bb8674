"""How the output of a model is read for a task: by the rule of its paper, which its configuration names."""

from __future__ import annotations

from torch import Tensor

from ..config import BaseConfig
from .detr import detr_boxes, detr_instances, detr_panoptic
from .knet import knet_instances, knet_panoptic
from .postprocessing import instance_inference, panoptic_inference
from .raw import RawPrediction


def panoptic_segments(
    raw: RawPrediction, is_thing: tuple[bool, ...], config: BaseConfig, min_score: float = 0.0
) -> tuple[Tensor, list[tuple[int, int, float]]]:
    """Segment map int32 [H, W] and (id, class id, score) of each segment whose score is above ``min_score`` and the
    configuration's ``object_mask_threshold``."""
    threshold = max(config.object_mask_threshold, min_score)
    if config.POSTPROCESSING == "detr":
        return detr_panoptic(raw, is_thing, threshold, config.keep_joined_stuff)
    if config.POSTPROCESSING == "knet":
        return knet_panoptic(raw, is_thing, config.object_mask_threshold, config.overlap_threshold, min_score)
    return panoptic_inference(raw, is_thing, threshold, config.overlap_threshold, config.merge_within_masks)


def instances(
    raw: RawPrediction, is_thing: tuple[bool, ...], config: BaseConfig, min_score: float = 0.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Masks bool [n, H, W], class ids [n], scores [n]; those below ``min_score`` are left out."""
    if config.POSTPROCESSING == "detr":
        return detr_instances(raw, is_thing, min_score)
    if config.POSTPROCESSING == "knet":
        return knet_instances(raw, is_thing, min_score, config.max_instances)
    return instance_inference(raw, is_thing, min_score, config.max_instances)


def instance_boxes(
    raw: RawPrediction, is_thing: tuple[bool, ...], config: BaseConfig, min_score: float = 0.0
) -> Tensor | None:
    """Of each of :func:`instances` the box [n, 4] that the model itself says: x, y, width, height in pixels of the
    picture. None of a model that says none."""
    if raw.boxes is None or config.POSTPROCESSING != "detr":
        return None
    return detr_boxes(raw, is_thing, min_score)
