"""Which predicted segment found which annotated one: the matching under panoptic quality.

Source: Kirillov et al., "Panoptic Segmentation", CVPR 2019, section 4.1; where that leaves a choice
(void, crowds), ``pq_compute_single_core`` in panopticapi's evaluation.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..data.sample import SegmentInfo
from ..errors import ConfigError, DataError

VOID = 0  # the segment id of unlabelled pixels, on both maps
_ID_BITS = 32  # a pixel's two ids travel as one integer: predicted id * 2^32 + ground-truth id


class PredictedSegment(Protocol):
    """What is read of a predicted segment."""

    id: int
    class_id: int


@dataclass(frozen=True)
class Pair:
    """A predicted and a ground-truth segment of one class that overlap; ``iou`` in (0, 1]."""

    pred_id: int
    gt_id: int
    class_id: int
    iou: float


@dataclass(frozen=True)
class Unmatched:
    """A segment without partner; ``iou`` is its best with a segment of its class, 0 to 0.5."""

    id: int
    class_id: int
    iou: float


@dataclass(frozen=True)
class SegmentMatching:
    """How the segments of one image pair up. Crowds of the ground truth appear nowhere."""

    matches: tuple[Pair, ...]
    false_positives: tuple[Unmatched, ...]
    false_negatives: tuple[Unmatched, ...]
    ignored: tuple[Unmatched, ...]  # predictions mostly on void or crowd: they cost nothing


def match_segments(
    pred_map: np.ndarray,
    pred_segments: Sequence[PredictedSegment],
    gt_map: np.ndarray,
    gt_segments: Sequence[SegmentInfo],
) -> SegmentMatching:
    """Match the predicted segments of one image with the annotated ones.

    Both maps are int [H, W] of segment ids, 0 = void. The rule:

    * two segments match if they share the class, the ground truth is no crowd and their IoU is
      above 0.5 (so no segment can match twice); predicted pixels on void stay out of the union;
    * an unmatched prediction with more than half of its pixels on void or on the crowd of its
      class is ignored, any other is a false positive;
    * an unmatched ground-truth segment is a false negative, unless it is a crowd.

    Where an image has several crowds of one class, the last one listed counts, as in panopticapi.
    Raises :class:`DataError` where maps and segment lists contradict each other. Lesson 12.
    """
    return match_overlaps(count_overlaps(pred_map, gt_map), pred_segments, gt_segments)


def match_overlaps(
    overlaps: Mapping[tuple[int, int], int],
    pred_segments: Sequence[PredictedSegment],
    gt_segments: Sequence[SegmentInfo],
    min_iou: float = 0.5,
) -> SegmentMatching:
    """:func:`match_segments` where the maps are counted already: ``overlaps`` as from :func:`count_overlaps`.

    ``min_iou``: the IoU above which segments match; PQ's is 0.5. Raises :class:`ConfigError` below that, where a
    segment could match twice.
    """
    if not 0.5 <= min_iou <= 1:
        raise ConfigError(f"min_iou is {min_iou}, expected 0.5 to 1: below 0.5 a segment could match twice")
    pred_areas, gt_areas = _areas(overlaps, side=0), _areas(overlaps, side=1)
    predicted = _classes_by_id(pred_segments, pred_areas, "predicted")
    annotated = _classes_by_id(gt_segments, gt_areas, "ground-truth")
    if empty := sorted(set(predicted) - set(pred_areas)):
        raise DataError(f"predicted segments {empty} have no pixels on the map: leave them out")
    crowds = {s.class_id: s.id for s in gt_segments if s.is_crowd}
    wanted = {s.id: annotated[s.id] for s in gt_segments if not s.is_crowd}

    def overlap(pred_id: int, gt_id: int | None) -> int:
        return overlaps.get((pred_id, gt_id), 0)

    pairs = []
    for (pred_id, gt_id), shared in overlaps.items():
        class_id = predicted.get(pred_id)
        if class_id is not None and class_id == wanted.get(gt_id):
            union = pred_areas[pred_id] + gt_areas[gt_id] - shared - overlap(pred_id, VOID)
            pairs.append(Pair(pred_id, gt_id, class_id, shared / union))

    unmatched = _unmatched(predicted, ((p.pred_id, p.iou) for p in pairs), min_iou)
    excused = {
        s.id
        for s in unmatched
        if overlap(s.id, VOID) + overlap(s.id, crowds.get(s.class_id)) > pred_areas[s.id] / 2
    }
    return SegmentMatching(
        matches=tuple(p for p in pairs if p.iou > min_iou),
        false_positives=tuple(s for s in unmatched if s.id not in excused),
        false_negatives=tuple(_unmatched(wanted, ((p.gt_id, p.iou) for p in pairs), min_iou)),
        ignored=tuple(s for s in unmatched if s.id in excused),
    )


def count_overlaps(pred_map: np.ndarray, gt_map: np.ndarray) -> dict[tuple[int, int], int]:
    """Pixels of every (predicted id, ground-truth id) that occurs on two int [H, W] maps. Lesson 12."""
    pred_map, gt_map = np.asarray(pred_map), np.asarray(gt_map)
    if pred_map.shape != gt_map.shape or pred_map.ndim != 2 or pred_map.size == 0:
        raise DataError(
            f"expected two segment maps [H, W] of one size, got {pred_map.shape} predicted and "
            f"{gt_map.shape} annotated: resize the prediction to the annotation"
        )
    if min(pred_map.min(), gt_map.min()) < 0:
        raise DataError("expected segment ids of at least 0 (void), got a negative one on a map")
    codes = pred_map.astype(np.int64) << _ID_BITS | gt_map.astype(np.int64)
    pairs, pixels = np.unique(codes, return_counts=True)
    pred_ids, gt_ids = pairs >> _ID_BITS, pairs & ((1 << _ID_BITS) - 1)
    ids = zip(pred_ids.tolist(), gt_ids.tolist(), strict=True)
    return dict(zip(ids, pixels.tolist(), strict=True))


def _areas(overlaps: Mapping[tuple[int, int], int], side: int) -> dict[int, int]:
    """Pixels of each id on the predicted (side 0) or the annotated (side 1) map."""
    areas: dict[int, int] = defaultdict(int)
    for pair, pixels in overlaps.items():
        areas[pair[side]] += pixels
    return dict(areas)


def _classes_by_id(
    segments: Sequence[PredictedSegment], areas: Mapping[int, int], which: str
) -> dict[int, int]:
    """The class id of each segment id, after checking that every id on the map is listed once."""
    classes = {int(s.id): int(s.class_id) for s in segments}
    if len(classes) < len(segments) or VOID in classes:
        ids = [int(s.id) for s in segments]
        raise DataError(f"{which} segment ids must be unique and not 0 (void), got {ids}")
    if unlisted := sorted(set(areas) - set(classes) - {VOID}):
        raise DataError(
            f"ids {unlisted} are on the {which} segment map but not in the list of segments: "
            "list them, or set their pixels to 0 (void)"
        )
    return classes


def _unmatched(
    classes: Mapping[int, int], ious: Iterable[tuple[int, float]], min_iou: float
) -> list[Unmatched]:
    """The segments whose best IoU does not exceed ``min_iou``, in the order of ``classes``."""
    best = dict.fromkeys(classes, 0.0)
    for segment_id, iou in ious:
        best[segment_id] = max(best[segment_id], iou)
    return [Unmatched(i, classes[i], iou) for i, iou in best.items() if iou <= min_iou]
