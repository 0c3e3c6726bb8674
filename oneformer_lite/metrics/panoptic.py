"""Panoptic quality (PQ) and its factors: how well segments are drawn (SQ) and found (RQ).

For one class, with TP the matched pairs of segments (see ``overlaps.py``),

    PQ = sum of IoU over TP / (|TP| + |FP|/2 + |FN|/2)
       = mean IoU over TP (SQ)  x  |TP| / (|TP| + |FP|/2 + |FN|/2) (RQ).

Source: Kirillov et al., "Panoptic Segmentation", CVPR 2019, section 4.2; averages as in
panopticapi's ``PQStat.pq_average``. Counts and IoUs are summed over the whole data set before the
quotient is taken: the PQ of a data set is not the mean of its images' PQ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..data.sample import Category, SegmentInfo
from ..errors import DataError
from .overlaps import PredictedSegment, SegmentMatching, match_segments


@dataclass(frozen=True)
class ClassQuality:
    """The counts of one class and what follows from them; pq, sq and rq in percent. Lesson 12."""

    name: str
    is_thing: bool
    tp: int
    fp: int
    fn: int
    iou_sum: float  # over the matched pairs, each IoU a fraction

    @property
    def seen(self) -> bool:
        """Whether the class was annotated or wrongly predicted at all."""
        return self.tp + self.fp + self.fn > 0

    @property
    def sq(self) -> float:
        """Segmentation quality: the mean IoU of the matched pairs."""
        return 100 * self.iou_sum / self.tp if self.tp else 0.0

    @property
    def rq(self) -> float:
        """Recognition quality, the F1 score of finding segments: TP / (TP + FP / 2 + FN / 2)."""
        return 100 * self.tp / (self.tp + 0.5 * self.fp + 0.5 * self.fn) if self.seen else 0.0

    @property
    def pq(self) -> float:
        """Panoptic quality, SQ times RQ."""
        return self.sq * self.rq / 100


@dataclass(frozen=True)
class PanopticResult:
    """Percent, averaged over the classes seen: all, things only, stuff only.

    A group without any class seen is nan. ``per_class`` has every category, in their order.
    """

    pq: float
    sq: float
    rq: float
    pq_things: float
    sq_things: float
    rq_things: float
    pq_stuff: float
    sq_stuff: float
    rq_stuff: float
    per_class: tuple[ClassQuality, ...]


class PanopticMetric:
    """Collects the segments found and missed, image by image. Lesson 12.

    >>> metric = PanopticMetric(dataset.categories)
    >>> for sample in dataset:
    ...     prediction = ofl.predict(model, sample.image, "panoptic")
    ...     metric.update(prediction.segment_map, prediction.segments,
    ...                   sample.segment_map, sample.segments)
    >>> metric.compute().pq
    """

    def __init__(self, categories: Sequence[Category]) -> None:
        self.categories = tuple(categories)
        self._counts = np.zeros((len(self.categories), 3), dtype=np.int64)  # [K, (tp, fp, fn)]
        self._iou_sum = np.zeros(len(self.categories))

    def update(
        self,
        pred_map: np.ndarray,
        pred_segments: Sequence[PredictedSegment],
        gt_map: np.ndarray,
        gt_segments: Sequence[SegmentInfo],
    ) -> SegmentMatching:
        """Add one image; both maps int [H, W] of segment ids, 0 = void.

        Returns the image's matching. Raises :class:`DataError` where a map and its segments
        disagree, the sizes differ or a class id is unknown; the metric is then unchanged.
        """
        for segment in (*pred_segments, *gt_segments):
            if not 0 <= segment.class_id < len(self.categories):
                raise DataError(
                    f"segment {segment.id} has class id {segment.class_id}, expected an index "
                    f"into the {len(self.categories)} categories"
                )
        matching = match_segments(pred_map, pred_segments, gt_map, gt_segments)
        self.add(matching)
        return matching

    def add(self, matching: SegmentMatching) -> None:
        """Add one image whose segments are matched already."""
        groups = (matching.matches, matching.false_positives, matching.false_negatives)
        for column, group in enumerate(groups):
            for item in group:
                self._counts[item.class_id, column] += 1
        for match in matching.matches:
            self._iou_sum[match.class_id] += match.iou

    def merge(self, other: PanopticMetric) -> None:
        """Add what another metric saw of other images of the same data set."""
        if other.categories != self.categories:
            raise DataError("cannot merge panoptic metrics over different categories")
        self._counts += other._counts
        self._iou_sum += other._iou_sum

    def compute(self) -> PanopticResult:
        """The result over all images so far."""
        per_class = tuple(
            ClassQuality(category.name, category.is_thing, *map(int, counts), float(iou_sum))
            for category, counts, iou_sum in zip(
                self.categories, self._counts, self._iou_sum, strict=True
            )
        )
        things = [c for c in per_class if c.is_thing]
        stuff = [c for c in per_class if not c.is_thing]
        return PanopticResult(
            *_averages(per_class), *_averages(things), *_averages(stuff), per_class=per_class
        )


def _averages(classes: Sequence[ClassQuality]) -> tuple[float, float, float]:
    """Mean PQ, SQ and RQ over the classes seen, nan without any."""
    seen = [(c.pq, c.sq, c.rq) for c in classes if c.seen]
    return tuple(map(float, np.mean(seen, axis=0))) if seen else (np.nan,) * 3
