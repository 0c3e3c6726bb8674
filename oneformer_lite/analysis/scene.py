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
    # one mask after the other: all of a large picture full of cells would fill the memory
    masks = (sample.segment_masks([i])[0] for i in (*wanted, *crowds))
    truths, true_areas = zip(*((encode_mask(mask), int(mask.sum())) for mask in masks)) if things else ((), ())
    shared = shared_pixels([s.rle for s in segments], np.array([s.area for s in segments], int), list(truths))
    true_classes = _classes([sample.segments[i] for i in (*wanted, *crowds)])
    on_crowds = shared[:, len(wanted) :] * (_classes(segments)[:, None] == true_classes[None, len(wanted) :])
    return Scene(
        *_said(segments),
        true_classes=true_classes[: len(wanted)],
        true_areas=np.array(true_areas[: len(wanted)], int),
        shared=shared[:, : len(wanted)],
        void=np.zeros(len(kept), int),
        neutral=on_crowds.sum(1),
        predicted_places=np.array(kept, int),
        annotated_places=np.array(wanted, int),
    )


def shared_pixels(codes: list[dict], areas: np.ndarray, true_codes: list[dict]) -> np.ndarray:
    """Int [P, G]: the pixels that P masks of these ``areas`` share with G others, from run-length codes."""
    from pycocotools import mask as coco_mask

    if not codes or not true_codes:
        return np.zeros((len(codes), len(true_codes)), int)
    # where the other is a crowd, pycocotools divides by the first one's own area
    return np.rint(coco_mask.iou(codes, true_codes, [1] * len(true_codes)) * areas[:, None]).astype(int)


def _classes(segments: Sequence[SegmentInfo]) -> np.ndarray:
    return np.array([s.class_id for s in segments], int)


def _said(segments: Sequence) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Classes, scores and areas of predicted segments."""
    return _classes(segments), np.array([s.score for s in segments], float), np.array([s.area for s in segments], int)
