"""One picture as an analysis sees it: predicted and annotated segments, and how much of each lies in which other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..data.instance import encode_mask
from ..data.sample import Sample, SegmentInfo
from ..inference import Prediction
from ..metrics.overlaps import VOID, count_overlaps

FOUND = 0.5  # the IoU above which a segment counts as found: PQ's


@dataclass(frozen=True)
class Scene:
    """P predicted and G annotated segments, crowds left out; all areas in pixels.

    ``shared`` int [P, G]: pixels of both; ``void`` int [P]: predicted where nobody annotated, which no union counts
    (0 for instances, whose annotation has no void); ``neutral`` int [P]: on void or a crowd of the same class. The
    masks are those at ``predicted_places`` and ``annotated_places`` of what the scene was read from.
    """

    classes: np.ndarray  # int [P]
    scores: np.ndarray  # float [P]
    areas: np.ndarray  # int [P]
    true_classes: np.ndarray  # int [G]
    true_areas: np.ndarray  # int [G]
    shared: np.ndarray
    void: np.ndarray
    neutral: np.ndarray
    predicted_places: np.ndarray
    annotated_places: np.ndarray

    @cached_property
    def iou(self) -> np.ndarray:
        """Float [P, G], whatever the classes."""
        union = self.areas[:, None] + self.true_areas[None] - self.shared - self.void[:, None]
        return self.shared / np.maximum(union, 1)

    @cached_property
    def same_class(self) -> np.ndarray:
        """Bool [P, G]."""
        return self.classes[:, None] == self.true_classes[None]

    @cached_property
    def found(self) -> np.ndarray:
        """Int [P]: the annotated segment that each predicted one finds, or -1.

        The surest choose first, each the free segment of its class with the highest IoU, if that is above
        :data:`FOUND`. Of panoptic segments, which do not overlap, this is PQ's matching.
        """
        partners, free = np.full(len(self.classes), -1), np.ones(len(self.true_classes), bool)
        for p in self.surest_first:
            fitting = np.where(self.same_class[p] & free, self.iou[p], 0)
            if fitting.size and fitting.max() > FOUND:
                partners[p] = fitting.argmax()
                free[partners[p]] = False
        return partners

    @cached_property
    def excused(self) -> np.ndarray:
        """Bool [P]: found nothing, but lies mostly on void or on a crowd of its class: no error."""
        return (self.found < 0) & (self.neutral > self.areas / 2)

    @property
    def surest_first(self) -> np.ndarray:
        return np.argsort(-self.scores, kind="stable")


def panoptic_scene(prediction: Prediction, sample: Sample) -> Scene:
    """Of two segment maps; a crowd counts as in PQ, where the last one of a class stands for all."""
    pixels = count_overlaps(prediction.segment_map, sample.segment_map)
    wanted = [i for i, s in enumerate(sample.segments) if not s.is_crowd]
    crowds = {s.class_id: s.id for s in sample.segments if s.is_crowd}
    ids, true_ids = [s.id for s in prediction.segments], [sample.segments[i].id for i in wanted]
    void = np.array([pixels.get((i, VOID), 0) for i in ids], int)
    on_crowds = [pixels.get((s.id, crowds.get(s.class_id)), 0) for s in prediction.segments]
    areas: dict[int, int] = {}
    for (_, true_id), count in pixels.items():
        areas[true_id] = areas.get(true_id, 0) + count
    return Scene(
        *_said(prediction.segments),
        true_classes=np.array([sample.segments[i].class_id for i in wanted], int),
        true_areas=np.array([areas.get(i, 0) for i in true_ids], int),
        shared=np.array([[pixels.get((i, t), 0) for t in true_ids] for i in ids], int).reshape(len(ids), len(true_ids)),
        void=void,
        neutral=void + np.array(on_crowds, int),
        predicted_places=np.arange(len(ids)),
        annotated_places=np.array(wanted, int),
    )


def instance_scene(prediction: Prediction, sample: Sample) -> Scene:
    """Of masks that may overlap: the things, and all that was predicted, but for empty masks."""
    things = [i for i, s in enumerate(sample.segments) if sample.categories[s.class_id].is_thing]
    wanted = [i for i in things if not sample.segments[i].is_crowd]
    crowds = [i for i in things if sample.segments[i].is_crowd]
    kept = [i for i, s in enumerate(prediction.segments) if s.area and s.is_thing]
    segments = [prediction.segments[i] for i in kept]
    masks = prediction.masks[kept]
    truths, areas = sample.segment_masks([*wanted, *crowds]), np.array([s.area for s in segments], int)
    shared = shared_pixels(masks, areas, truths)
    true_classes = _classes([sample.segments[i] for i in (*wanted, *crowds)])
    on_crowds = shared[:, len(wanted) :] * (_classes(segments)[:, None] == true_classes[None, len(wanted) :])
    return Scene(
        *_said(segments),
        true_classes=true_classes[: len(wanted)],
        true_areas=truths[: len(wanted)].sum((1, 2)),
        shared=shared[:, : len(wanted)],
        void=np.zeros(len(kept), int),
        neutral=on_crowds.sum(1),
        predicted_places=np.array(kept, int),
        annotated_places=np.array(wanted, int),
    )


def shared_pixels(masks: np.ndarray, areas: np.ndarray, truths: np.ndarray) -> np.ndarray:
    """Int [P, G]: the pixels that P masks bool [P, H, W] of these ``areas`` share with G others, by run-length codes,
    which skip what lies apart."""
    from pycocotools import mask as coco_mask

    if not len(masks) or not len(truths):
        return np.zeros((len(masks), len(truths)), int)
    codes, true_codes = ([encode_mask(mask) for mask in some] for some in (masks, truths))
    # where the other is a crowd, pycocotools divides by the first one's own area
    return np.rint(coco_mask.iou(codes, true_codes, [1] * len(truths)) * areas[:, None]).astype(int)


def _classes(segments: Sequence[SegmentInfo]) -> np.ndarray:
    return np.array([s.class_id for s in segments], int)


def _said(segments: Sequence) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Classes, scores and areas of predicted segments."""
    return _classes(segments), np.array([s.score for s in segments], float), np.array([s.area for s in segments], int)
