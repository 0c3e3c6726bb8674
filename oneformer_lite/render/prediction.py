"""Pictures of predictions and of ground truth, one look for each task.

Panoptic: every pixel in its segment's colour, with names. Instance: things alone, with scores, on a
faded picture. Semantic: the classes' colours, without instances.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ..data.sample import Category, Sample, check_task
from .colors import HasClass, segment_colors
from .labels import draw_labels, label_items
from .overlay import enlarge, enlarge_map, overlay, overlay_labels, overlay_masks, stack_masks


class PredictedSegment(HasClass, Protocol):
    """What the pictures read of ``inference.Segment``."""

    class_name: str
    score: float
    is_thing: bool


class Prediction(Protocol):
    """What the pictures read of ``inference.Prediction`` (there: which fields each task fills)."""

    task: str
    segments: Sequence[PredictedSegment]
    segment_map: np.ndarray | None  # int [H, W], panoptic
    label_map: np.ndarray | None  # int [H, W], semantic
    masks: np.ndarray | None  # bool [n, H, W], instance, in the order of ``segments``


def render_prediction(
    image: np.ndarray,
    prediction: Prediction,
    categories: Sequence[Category],
    scale: int = 1,
    labels: bool = True,
) -> np.ndarray:
    """The picture that fits ``prediction.task``: uint8 [scale H, scale W, 3].

    ``image`` uint8 [H, W, 3], of the size the prediction was made for.
    """
    if prediction.task == "semantic":
        return render_semantic(image, prediction.label_map, categories, scale, labels)
    if prediction.task == "instance":
        return render_instances(
            image,
            prediction.masks,
            [s.class_id for s in prediction.segments],
            categories,
            [s.score for s in prediction.segments],
            scale,
            labels,
        )
    check_task(prediction.task)
    return render_panoptic(
        image, prediction.segment_map, prediction.segments, categories, scale, labels
    )


def render_truth(
    sample: Sample, task: str = "panoptic", scale: int = 1, labels: bool = True
) -> np.ndarray:
    """The annotation of a sample, as ``task`` sees it, in the same look; uint8 [scale H, scale W, 3].

    Crowd regions stay void: they are nobody's target.
    """
    check_task(task)
    kept = [i for i, s in enumerate(sample.segments) if not s.is_crowd]
    segments = [sample.segments[i] for i in kept]
    categories = sample.categories
    masks = sample.segment_masks()[kept]
    if task == "instance":
        things = [i for i, s in enumerate(segments) if categories[s.class_id].is_thing]
        class_ids = [segments[i].class_id for i in things]
        return render_instances(
            sample.image, masks[things], class_ids, categories, None, scale, labels
        )
    if task == "semantic":
        label_map = np.full(sample.size, -1, dtype=np.int64)
        for segment, mask in zip(segments, masks, strict=True):
            label_map[mask] = segment.class_id
        return render_semantic(sample.image, label_map, categories, scale, labels)
    segment_map = np.zeros(sample.size, dtype=np.int32)
    for segment, mask in zip(segments, masks, strict=True):
        segment_map[mask] = segment.id
    return render_panoptic(sample.image, segment_map, segments, categories, scale, labels)


def render_panoptic(
    image: np.ndarray,
    segment_map: np.ndarray,
    segments: Sequence[HasClass],
    categories: Sequence[Category],
    scale: int = 1,
    labels: bool = True,
) -> np.ndarray:
    """Segments in their colours, each with its class name; ``segment_map`` int [H, W], 0 = void."""
    image, segment_map = enlarge(image, scale), enlarge_map(segment_map, scale)
    painted = overlay(image, segment_map, segment_colors(segments, categories))
    names = {s.id: categories[s.class_id].name for s in segments}
    return draw_labels(painted, label_items(segment_map, names)) if labels else painted


def render_instances(
    image: np.ndarray,
    masks: np.ndarray,
    class_ids: Sequence[int],
    categories: Sequence[Category],
    scores: Sequence[float] | None = None,
    scale: int = 1,
    labels: bool = True,
) -> np.ndarray:
    """Instance masks (bool [n, H, W]) on a faded picture, named, with their scores where given."""
    image = enlarge(image, scale)
    # Smooth edges come from the map, so the masks are flattened first: small ones stay on top.
    stacked = enlarge_map(stack_masks(masks), scale)
    flat = stacked[None] == np.arange(1, len(masks) + 1)[:, None, None]
    painted = overlay_masks(image, flat, class_ids, categories, scores)
    names = {i + 1: categories[class_id].name for i, class_id in enumerate(class_ids)}
    if scores is not None:
        names = {i: f"{name} {scores[i - 1]:.2f}" for i, name in names.items()}
    return draw_labels(painted, label_items(stacked, names)) if labels else painted


def render_semantic(
    image: np.ndarray,
    label_map: np.ndarray,
    categories: Sequence[Category],
    scale: int = 1,
    labels: bool = True,
) -> np.ndarray:
    """A label map (int [H, W] of class ids) in the classes' colours, each class named once."""
    image, label_map = enlarge(image, scale), enlarge_map(label_map, scale)
    painted = overlay_labels(image, label_map, categories)
    names = {class_id: category.name for class_id, category in enumerate(categories)}
    return draw_labels(painted, label_items(label_map, names)) if labels else painted
