"""Pictures of predictions and of ground truth, one look for each task.

Panoptic: every pixel in its segment's colour, with names. Instance: things alone, with scores, on a
faded picture. Semantic: the classes' colours, without instances.

Each function returns uint8 [scale H, scale W, 3]; ``scale`` defaults to :func:`page_scale`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from PIL import Image

from ..data.sample import Category, Sample, check_task
from .boxes import draw_boxes
from .colors import HasClass, segment_colors
from .labels import draw_labels, label_items, label_size
from .overlay import enlarge, enlarge_map, overlay, overlay_labels, overlay_masks, stack_masks

_PAGE_PIXELS, _LONGEST = 400, 1600
_NAMED = 1 / 3  # share of an instance that must be visible for its name


class PredictedSegment(HasClass, Protocol):
    """What the pictures read of ``inference.Segment``."""

    @property
    def class_name(self) -> str: ...
    @property
    def score(self) -> float: ...
    @property
    def is_thing(self) -> bool: ...


class Prediction(Protocol):
    """What the pictures read of ``inference.Prediction`` (there: which fields each task fills)."""

    task: str

    @property
    def segments(self) -> Sequence[PredictedSegment]: ...
    @property
    def segment_map(self) -> np.ndarray | None: ...  # int [H, W], panoptic
    @property
    def label_map(self) -> np.ndarray | None: ...  # int [H, W], semantic
    @property
    def masks(self) -> np.ndarray | None: ...  # bool [n, H, W], instance, in the order of ``segments``


def page_scale(size: tuple[int, int]) -> int:
    """How often to enlarge a picture of (height, width) for a page: to some 400 pixels, the longer side
    to 1600 at most."""
    return max(1, min(round(_PAGE_PIXELS / min(size)), _LONGEST // max(size)))


def render_prediction(
    image: np.ndarray,
    prediction: Prediction,
    categories: Sequence[Category],
    scale: int | None = None,
    labels: bool = True,
) -> np.ndarray:
    """The picture that fits ``prediction.task``.

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
            [box for box in (getattr(s, "predicted_box", None) for s in prediction.segments) if box is not None],
        )
    check_task(prediction.task)
    return render_panoptic(image, prediction.segment_map, prediction.segments, categories, scale, labels)


def render_truth(sample: Sample, task: str = "panoptic", scale: int | None = None, labels: bool = True) -> np.ndarray:
    """The annotation of a sample, as ``task`` sees it, in the same look.

    Crowd regions are void, for they are nobody's target; but the label map keeps their class, as
    the semantic metric does.
    """
    check_task(task)
    image, categories, masks = sample.image, sample.categories, sample.segment_masks()
    if task == "semantic":
        label_map = np.full(sample.size, -1, dtype=np.int64)
        for segment, mask in zip(sample.segments, masks, strict=True):
            label_map[mask] = segment.class_id
        return render_semantic(image, label_map, categories, scale, labels)
    kept = [i for i, s in enumerate(sample.segments) if not s.is_crowd]
    if task == "instance":
        kept = [i for i in kept if categories[sample.segments[i].class_id].is_thing]
        class_ids = [sample.segments[i].class_id for i in kept]
        return render_instances(image, masks[kept], class_ids, categories, None, scale, labels)
    segment_map = np.zeros(sample.size, dtype=np.int32)
    for i in kept:
        segment_map[masks[i]] = sample.segments[i].id
    segments = [sample.segments[i] for i in kept]
    return render_panoptic(image, segment_map, segments, categories, scale, labels)


def render_panoptic(
    image: np.ndarray,
    segment_map: np.ndarray,
    segments: Sequence[HasClass],
    categories: Sequence[Category],
    scale: int | None = None,
    labels: bool = True,
) -> np.ndarray:
    """Segments in their colours, each with its class name; ``segment_map`` int [H, W], 0 = void."""
    colors = segment_colors(segments, categories)
    painted = _paint(image, segment_map, scale, lambda img, ids: overlay(img, ids, colors))
    names = {s.id: categories[s.class_id].name for s in segments}
    return _name(painted, segment_map, names) if labels else painted


def render_instances(
    image: np.ndarray,
    masks: np.ndarray,
    class_ids: Sequence[int],
    categories: Sequence[Category],
    scores: Sequence[float] | None = None,
    scale: int | None = None,
    labels: bool = True,
    boxes: Sequence[Sequence[float]] = (),
) -> np.ndarray:
    """Instance masks (bool [n, H, W]) on a faded picture, named, with their scores where given, and ``boxes`` [x, y,
    width, height] where a model says some.

    An instance of which little can be seen, say because another query found it as well, gets no name.
    """
    stacked = stack_masks(masks)
    one_each = np.arange(1, len(masks) + 1)[:, None, None]
    painted = _paint(
        image,
        stacked,
        scale,
        lambda img, ids: overlay_masks(img, ids == one_each, class_ids, categories, scores),
    )
    painted = draw_boxes(painted, boxes, painted.shape[0] / stacked.shape[0])
    visible = np.bincount(stacked.ravel(), minlength=len(masks) + 1)[1:]
    named = visible >= _NAMED * masks.sum(axis=(1, 2))
    names = {i + 1: categories[class_id].name for i, class_id in enumerate(class_ids) if named[i]}
    if scores is not None:
        names = {i: f"{name} {scores[i - 1]:.2f}" for i, name in names.items()}
    return _name(painted, stacked, names) if labels else painted


def render_semantic(
    image: np.ndarray,
    label_map: np.ndarray,
    categories: Sequence[Category],
    scale: int | None = None,
    labels: bool = True,
) -> np.ndarray:
    """A label map (int [H, W] of class ids) in the classes' colours, each class named once."""
    painted = _paint(image, label_map, scale, lambda img, ids: overlay_labels(img, ids, categories))
    names = {class_id: category.name for class_id, category in enumerate(categories)}
    return _name(painted, label_map, names) if labels else painted


def _paint(
    image: np.ndarray,
    ids: np.ndarray,
    scale: int | None,
    paint: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """``paint(image, ids)`` at ``scale``; enlarged pictures are painted twice as fine and reduced.

    So colours and outlines get smooth edges, which small pictures need most.
    """
    scale = scale or page_scale(ids.shape)
    if scale == 1:
        return paint(image, ids)
    fine = paint(enlarge(image, 2 * scale), enlarge_map(ids, 2 * scale))
    return np.asarray(Image.fromarray(fine).reduce(2))


def _name(painted: np.ndarray, ids: np.ndarray, names: Mapping[int, str]) -> np.ndarray:
    """Names written on a painted picture whose map of ids may be smaller."""
    ids = enlarge_map(ids, painted.shape[0] // ids.shape[0])
    size = label_size(painted.shape[:2])
    return draw_labels(painted, label_items(ids, names, size), size)
