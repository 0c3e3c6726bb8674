"""How the output of a model is read for a task: by the rule of its paper, which its configuration names."""

from __future__ import annotations

from torch import Tensor

from ..config import BaseConfig
from .detr import detr_boxes, detr_instances, detr_panoptic
from .duplicates import surest_of_each
from .knet import knet_instances, knet_panoptic
from .panoptic_segformer import segformer_instances, segformer_panoptic
from .placed import PlacedMask
from .postprocessing import instances_and_queries, panoptic_inference
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
    if config.POSTPROCESSING == "panoptic_segformer":
        return segformer_panoptic(raw, config, threshold)
    return panoptic_inference(raw, is_thing, threshold, config.overlap_threshold, config.merge_within_masks)


def instances(
    raw: RawPrediction, is_thing: tuple[bool, ...], config: BaseConfig, min_score: float = 0.0
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Masks bool [n, H, W], class ids [n], scores [n]; those below ``min_score`` are left out, and duplicates, if the
    configuration has a ``duplicate_iou``. Of models that say boxes themselves also these [n, 4]: x, y, width, height in
    pixels of the picture."""
    found = _by_rule(raw, is_thing, config, min_score)
    if config.duplicate_iou is None:
        return found
    masks, class_ids, scores, _ = found
    placed = [PlacedMask.of(mask) for mask in masks.cpu().numpy()]
    stay = surest_of_each(placed, class_ids.tolist(), scores.tolist(), config.duplicate_iou)
    return tuple(part if part is None else part[stay] for part in found)


def _by_rule(
    raw: RawPrediction, is_thing: tuple[bool, ...], config: BaseConfig, min_score: float
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    if config.POSTPROCESSING == "detr":
        boxes = None if raw.boxes is None else detr_boxes(raw, is_thing, min_score)
        return *detr_instances(raw, is_thing, min_score), boxes
    if config.POSTPROCESSING == "knet":
        return *knet_instances(raw, is_thing, min_score, config.max_instances), None
    if config.POSTPROCESSING == "panoptic_segformer":
        return segformer_instances(raw, config, min_score)
    *found, queries = instances_and_queries(raw, is_thing, min_score, config.max_instances)
    return *found, None if raw.boxes is None else raw.boxes_of(queries, config.BOXES_WITH_PADDING)
