"""What a prediction and an annotation say of one picture under one task, segment by segment, and who is right."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..data.sample import Sample, SegmentInfo
from ..inference import Prediction
from ..metrics.overlaps import VOID, count_overlaps, match_segments
from ..render.overlay import stack_masks

VERDICTS = {
    "right": "found, as the metric counts it: same class, IoU above 0.5",
    "wrong class": "found, but named otherwise",
    "split": "in pieces: one annotated segment, several predicted ones inside it",
    "merged": "in one piece with others: one predicted segment over several annotated ones",
    "missed": "annotated, not found",
    "invented": "predicted, not annotated",
    "ignored": "a crowd, or a prediction mostly on void or crowd: costs nothing",
}


@dataclass(frozen=True)
class ReadSegment:
    """One segment; ``score`` is None in an annotation. Where there is something to compare with: ``verdict`` (of
    VERDICTS), ``partner`` (id of the segment on the other side that overlaps most) and the ``iou`` with it."""

    id: int
    class_id: int
    name: str
    area: int
    score: float | None = None
    is_crowd: bool = False
    verdict: str | None = None
    partner: int | None = None
    iou: float = 0.0


@dataclass(frozen=True)
class Reading:
    """``segment_map`` int32 [H, W] of ids, 0 = void; where instances overlap, the smallest is on top."""

    segment_map: np.ndarray
    segments: tuple[ReadSegment, ...]

    def at(self, row: int, column: int) -> ReadSegment | None:
        """The segment at a pixel, None on void."""
        wanted = int(self.segment_map[row, column])
        return next((s for s in self.segments if s.id == wanted), None)


def read_prediction(prediction: Prediction) -> Reading:
    """Segments of a prediction under any task; hidden ones (all pixels covered by others) are left out."""
    if prediction.task == "instance":
        ids = stack_masks(prediction.masks)
    elif prediction.task == "semantic":
        ids = prediction.label_map + 1
    else:
        ids = prediction.segment_map
    numbers = {
        "instance": range(1, len(prediction.segments) + 1),
        "semantic": [s.class_id + 1 for s in prediction.segments],
        "panoptic": [s.id for s in prediction.segments],
    }[prediction.task]
    found = [
        ReadSegment(number, s.class_id, s.class_name, 0, s.score)
        for number, s in zip(numbers, prediction.segments, strict=True)
    ]
    return _measured(ids, found)


def read_truth(sample: Sample, task: str) -> Reading:
    """Segments of an annotation as ``task`` sees it: all, things alone, or one for each class."""
    categories, masks = sample.categories, sample.segment_masks()
    ids = np.zeros(sample.size, dtype=np.int32)
    found: dict[int, ReadSegment] = {}
    kept = range(len(sample.segments))
    if task == "instance":
        kept = [i for i in kept if categories[sample.segments[i].class_id].is_thing]
        kept = sorted(kept, key=lambda i: -masks[i].sum())  # small ones on top
    for i in kept:
        segment = sample.segments[i]
        number = segment.class_id + 1 if task == "semantic" else i + 1
        ids[masks[i]] = number
        crowd = segment.is_crowd and task != "semantic"
        found[number] = ReadSegment(
            number, segment.class_id, categories[segment.class_id].name, 0, is_crowd=crowd
        )
    return _measured(ids, list(found.values()))


def judged(predicted: Reading, truth: Reading) -> tuple[Reading, Reading]:
    """Both with verdicts. What counts as found is exactly PQ's matching (:func:`..metrics.match_segments`)."""
    gt = [SegmentInfo(s.id, s.class_id, s.is_crowd) for s in truth.segments]
    matching = match_segments(predicted.segment_map, predicted.segments, truth.segment_map, gt)
    overlaps = count_overlaps(predicted.segment_map, truth.segment_map)
    mine, theirs = {s.id: s for s in predicted.segments}, {s.id: s for s in truth.segments}
    iou = {
        (p, g): shared / (mine[p].area + theirs[g].area - shared - overlaps.get((p, VOID), 0))
        for (p, g), shared in overlaps.items()
        if p in mine and g in theirs
    }
    inside = [  # pairs of one class, one of which lies mostly in the other
        [pair for pair in iou if mine[pair[0]].class_id == theirs[pair[1]].class_id
         and overlaps[pair] > (mine, theirs)[side][pair[side]].area / 2]
        for side in (0, 1)
    ]  # fmt: skip
    found = {
        "ignored": [(s.id, None) for s in matching.ignored] + [(None, s.id) for s in truth.segments if s.is_crowd],
        "right": [(pair.pred_id, pair.gt_id) for pair in matching.matches],
        "wrong class": [pair for pair, value in iou.items() if value > 0.5],
        "split": [pair for pair in inside[0] if sum(g == pair[1] for _, g in inside[0]) > 1],
        "merged": [pair for pair in inside[1] if sum(p == pair[0] for p, _ in inside[1]) > 1],
    }

    def told(reading: Reading, side: int, otherwise: str) -> Reading:
        verdicts = {pair[side]: verdict for verdict in reversed(found) for pair in found[verdict]}  # the first wins
        best: dict[int, tuple[float, int]] = {}
        for pair, value in iou.items():
            best[pair[side]] = max(best.get(pair[side], (0.0, 0)), (value, pair[1 - side]))
        segments = []
        for s in reading.segments:
            value, partner = best.get(s.id, (0.0, None))
            segments.append(replace(s, verdict=verdicts.get(s.id, otherwise), partner=partner, iou=value))
        return replace(reading, segments=tuple(segments))

    return told(predicted, 0, "invented"), told(truth, 1, "missed")


def count_verdicts(predicted: Reading, truth: Reading) -> dict[str, int]:
    """How many predicted segments have which verdict, and how many annotated ones were not found, but for those whose
    partner was counted for the same."""
    verdicts = {s.id: s.verdict for s in predicted.segments}
    lost = [s for s in truth.segments if s.verdict not in ("right", "ignored")]
    verdicts = [*verdicts.values(), *(s.verdict for s in lost if s.verdict != verdicts.get(s.partner))]
    return {verdict: verdicts.count(verdict) for verdict in VERDICTS if verdict in verdicts}


def _measured(ids: np.ndarray, found: list[ReadSegment]) -> Reading:
    """With the areas that can be seen; segments without any are left out."""
    numbers, areas = np.unique(ids, return_counts=True)
    seen = dict(zip(numbers.tolist(), areas.tolist()))
    segments = (replace(s, area=seen[s.id]) for s in found if s.id in seen)
    return Reading(ids.astype(np.int32), tuple(segments))
