"""What the model's logits say of one picture: segments with a class, a score and a number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..checks import check_share
from ..config import BaseConfig
from ..data.sample import Category
from .postprocessing import surest_labels
from .prediction import Prediction, Segment
from .raw import RawPrediction
from .rules import instances, panoptic_segments
from .windows import WindowedPrediction


def read_prediction(
    raw: RawPrediction | WindowedPrediction,
    task: str,
    image: np.ndarray,
    config: BaseConfig,
    categories: tuple[Category, ...],
    min_score: float = 0.0,
) -> Prediction:
    """Post-process one image for ``task``. Which class is a thing is the categories' business.

    ``min_score``: see :func:`~.predicting.predict`. Raises :class:`ConfigError` unless it lies in 0..1.
    """
    check_share("min_score", min_score)
    things = tuple(c.is_thing for c in categories)

    if task == "panoptic":
        segment_map, found = panoptic_segments(raw, things, config, min_score)
        return panoptic_prediction(image, categories, segment_map.cpu().numpy(), found)
    if task == "instance":
        masks, labels, scores, boxes = instances(raw, things, config, min_score)
        order = scores.argsort(descending=True)
        masks = masks[order].cpu().numpy()
        rows = zip(labels[order].tolist(), scores[order].tolist(), masks.sum((1, 2)), masks)
        segments = [Segment.of(i, categories, *row, True) for i, row in enumerate(rows, start=1)]
        if boxes is not None:
            said = boxes[order].tolist()
            segments = [replace(s, predicted_box=tuple(box)) for s, box in zip(segments, said, strict=True)]
        return Prediction(task, image, segments, categories, masks=masks)
    if isinstance(raw, RawPrediction):
        raw = replace(raw, sums_first=config.sums_before_resizing)
    labels, shares = (pixels.cpu().numpy() for pixels in surest_labels(raw))
    return semantic_prediction(image, categories, labels, np.bincount(labels.ravel(), shares.ravel(), len(categories)))


def panoptic_prediction(
    image: np.ndarray, categories: tuple[Category, ...], segment_map: np.ndarray, found: list[tuple[int, int, float]]
) -> Prediction:
    """Of a segment map int32 [H, W], and the (id, class id, score) of each segment."""
    areas = _areas(segment_map, len(found) + 1)
    rows = ((id_, categories, class_id, score, areas[id_]) for id_, class_id, score in found)
    segments = [Segment.of(*row, segment_map, row[0]) for row in rows]
    return Prediction("panoptic", image, segments, categories, segment_map=segment_map)


def semantic_prediction(
    image: np.ndarray, categories: tuple[Category, ...], label_map: np.ndarray, totals: np.ndarray
) -> Prediction:
    """Of a label map int64 [H, W], and of each class the sum, over its pixels, of its share of all class scores."""
    areas = _areas(label_map, len(categories))
    rows = ((k, totals[k] / areas[k], areas[k], label_map, k) for k in np.flatnonzero(areas).tolist())
    segments = [Segment.of(i, categories, *row) for i, row in enumerate(rows, start=1)]
    return Prediction("semantic", image, segments, categories, label_map=label_map)


def _areas(map_: np.ndarray, count: int) -> np.ndarray:
    """How many pixels have each value below ``count``. Row by row: of a large picture's map there is no copy."""
    return sum((np.bincount(row, minlength=count) for row in map_), np.zeros(count, np.int64))
