"""Panoptic merging with any thresholds, from numbers counted once, and the panoptic quality that follows.

Queries above the object mask threshold compete for the pixels. A lower threshold only lets more of them in, surest
first: so they enter one by one, and it is enough to know which pixels each takes at its entry and how the areas of all
change. Whatever the thresholds, the result is then looked up, exact, without the masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
import torch

from ...data.sample import Category, Sample, SegmentInfo
from ...inference import RawPrediction
from ...inference.merging import Areas, Fate, settle
from ...metrics.overlaps import VOID, SegmentMatching, match_overlaps
from ...metrics.panoptic import PanopticMetric, PanopticResult

Size = tuple[int, int]


@dataclass(frozen=True)
class Candidate:
    """A query whose surest class is not no object. ``vote``: what its mask is multiplied by, mostly its ``score``;
    ``own``: pixels of its mask (probability of at least 0.5); ``rank``: how many candidates are surer (0: it enters the
    competition first)."""

    query: int
    class_id: int
    score: float
    vote: float
    own: int
    rank: int


@dataclass(frozen=True)
class Contest:
    """All that the merge of one picture depends on besides the thresholds.

    N ``candidates`` in the order of their queries; ``no_object``: query -> probability of no object, for the others.
    ``takes`` bool [N, h, w]: pixels that a candidate takes from surer ones at its entry; ``own`` bool [N, h, w]: its
    mask; both on a grid of the picture's pixels or of some of them. ``counts`` int32 [N+1, N, C+1]: after n entries,
    the full-size pixels that each candidate wins, by ``columns`` (the C ids on the annotated map, [0] without one); the
    last column has those that it wins outside its own mask.
    """

    candidates: tuple[Candidate, ...]
    no_object: dict[int, float]
    is_thing: tuple[bool, ...]
    takes: np.ndarray
    own: np.ndarray
    counts: np.ndarray
    columns: tuple[int, ...]
    column_areas: tuple[int, ...]

    def entered(self, object_threshold: float) -> int:
        """How many candidates are above the object mask threshold: the surest ones."""
        scores = np.array([c.score for c in self.candidates], dtype=np.float32)  # as precise as the model's
        return int((scores > np.float32(object_threshold)).sum())

    def areas(self, place: int, entered: int) -> Areas:
        """The areas of one candidate when so many compete."""
        counts = self.counts[entered, place]
        return Areas(int(counts.sum()), self.candidates[place].own, int(counts[:-1].sum()))

    def winners(self, entered: int) -> np.ndarray:
        """int32 [h, w]: who wins each pixel of the grid (place in ``candidates``), -1 where nobody competes."""
        winner = np.full(self.takes.shape[1:], -1, dtype=np.int32)
        for place in _entries(self.candidates)[:entered]:
            winner[self.takes[place]] = place
        return winner


@dataclass(frozen=True)
class Merged:
    """The result for one pair of thresholds: ``fates`` of the candidates seen so far, ``segments`` (id, class id,
    score) as ``panoptic_inference`` gives them; ``entered``: how many candidates competed."""

    entered: int
    fates: tuple[Fate, ...]
    segments: tuple[tuple[int, int, float], ...]

    def segment_map(self, contest: Contest, winner: np.ndarray) -> np.ndarray:
        """int32 [h, w] of segment ids, 0 = void, from :meth:`Contest.winners`."""
        ids = np.zeros(len(contest.candidates) + 1, dtype=np.int32)  # the last, reached by -1, is nobody's
        ids[: len(self.fates)] = [fate.segment for fate in self.fates]
        found = ids[winner]
        for place, fate in enumerate(self.fates):
            if fate.segment:
                found[(winner == place) & ~contest.own[place]] = VOID
        return found


def hold_contest(
    raw: RawPrediction,
    is_thing: Sequence[bool],
    gt_map: np.ndarray | None = None,
    grid: Size | None = None,
    within_masks: bool = True,
) -> Contest:
    """Let the candidates of one picture enter, surest first.

    ``gt_map`` int [H, W]: the annotated segment ids to count pixels by. ``grid``: height and width at which maps are
    kept, where the picture is larger. Without ``within_masks`` (``config.merge_within_masks``) all that a candidate
    wins counts as its own.
    """
    (scores, labels), votes = raw.surest, raw.votes
    rejected = labels == raw.num_classes
    queries = (~rejected).nonzero().flatten().tolist()
    order = scores[queries].argsort(descending=True, stable=True).tolist()
    columns, column = np.unique(np.zeros(raw.output) if gt_map is None else gt_map, return_inverse=True)
    column, outside, n = column.reshape(raw.output), len(columns), len(queries)
    rows, cols = (np.arange(kept) * size // kept for kept, size in zip(grid or raw.output, raw.output))
    takes, own = (np.zeros((n, len(rows), len(cols)), dtype=bool) for _ in range(2))
    counts = np.zeros((n + 1, n, outside + 1), dtype=np.int32)
    areas = [0] * n

    winner = np.full(raw.output, -1, dtype=np.int32)
    best = np.full(raw.output, -1.0, dtype=np.float32)  # any vote is more, also one of 0
    bucket = np.zeros(raw.output, dtype=np.int64)  # the column in which the winner counts a pixel
    for entered, place in enumerate(order, start=1):
        query = queries[place]
        mask = raw.masks(torch.tensor([query], device=scores.device)).sigmoid()[0]
        vote, inside = (votes[query] * mask).cpu().numpy(), (mask >= 0.5).cpu().numpy()
        taken = (vote > best) | ((vote == best) & (winner > place))  # of equal votes the first query's counts
        counts[entered] = counts[entered - 1]
        lost = taken & (winner >= 0)
        codes = winner[lost] * np.int64(outside + 1) + bucket[lost]
        counts[entered] -= np.bincount(codes, minlength=n * (outside + 1)).reshape(n, -1).astype(np.int32)
        visible = inside if within_masks else np.full_like(inside, inside.any())
        bucket[taken] = np.where(visible[taken], column[taken], outside)
        counts[entered, place] += np.bincount(bucket[taken], minlength=outside + 1).astype(np.int32)
        winner[taken], best[taken] = place, vote[taken]
        takes[place], own[place], areas[place] = taken[rows][:, cols], visible[rows][:, cols], int(inside.sum())

    ranks = dict(zip(order, count()))
    candidates = tuple(
        Candidate(query, int(labels[query]), float(scores[query]), float(votes[query]), areas[place], ranks[place])
        for place, query in enumerate(queries)
    )
    no_object = {query: float(scores[query]) for query in rejected.nonzero().flatten().tolist()}
    totals = np.bincount(column.ravel(), minlength=len(columns)).tolist()
    ids = tuple(int(i) for i in columns)
    return Contest(candidates, no_object, tuple(is_thing), takes, own, counts, ids, tuple(totals))


def merge(contest: Contest, object_threshold: float, overlap_threshold: float, step: int | None = None) -> Merged:
    """Merge as ``panoptic_inference`` does, with its rule; with ``step`` only the first so many candidates."""
    entered = contest.entered(object_threshold)
    seen = contest.candidates[:step]
    places = [place for place, candidate in enumerate(seen) if candidate.rank < entered]
    settled, segments = settle(
        [seen[place].class_id for place in places],
        [seen[place].vote for place in places],
        [contest.areas(place, entered) for place in places],
        contest.is_thing,
        overlap_threshold,
    )
    fates = dict(zip(places, settled))
    return Merged(entered, tuple(fates.get(place, Fate("unsure")) for place in range(len(seen))), tuple(segments))


def overlap_counts(contest: Contest, merged: Merged) -> dict[tuple[int, int], int]:
    """Full-size pixels of every (segment id, annotated id), as :func:`...metrics.overlaps.count_overlaps` has them."""
    by_id = np.zeros((len(merged.segments) + 1, len(contest.columns)), dtype=np.int64)
    for place, fate in enumerate(merged.fates):
        if fate.segment:
            by_id[fate.segment] += contest.counts[merged.entered, place, :-1]
    by_id[VOID] = contest.column_areas - by_id.sum(0)
    return {(int(i), contest.columns[c]): int(by_id[i, c]) for i, c in np.argwhere(by_id)}


def measure(
    contest: Contest, merged: Merged, sample: Sample, categories: Sequence[Category], min_iou: float = 0.5
) -> tuple[SegmentMatching, PanopticResult]:
    """How the segments pair up with the sample's, and the panoptic quality of this one picture.

    ``min_iou``: the IoU above which a pair is a true positive; PQ's is 0.5.
    """
    segments = [SegmentInfo(id_, class_id) for id_, class_id, _ in merged.segments]
    matching = match_overlaps(overlap_counts(contest, merged), segments, sample.segments, min_iou)
    metric = PanopticMetric(categories)
    metric.add(matching)
    return matching, metric.compute()


def tell(contest: Contest, merged: Merged, query: int, object_threshold: float, overlap_threshold: float) -> str:
    """One query's fate in a sentence with its numbers."""
    if query in contest.no_object:
        return f"its surest class is no object ({contest.no_object[query]:.3f}): it never competes"
    place = next(place for place, c in enumerate(contest.candidates) if c.query == query)
    candidate = contest.candidates[place]
    if candidate.rank >= merged.entered:
        return f"its score {candidate.score:.3f} is not above the object mask threshold {object_threshold:.2f}: dropped"
    areas = contest.areas(place, merged.entered)
    text = f"its mask has {areas.own:,} pixels, it wins {areas.won:,}"
    if not areas.visible:
        return f"{text}, none of them in its mask: dropped"
    share = areas.won / areas.own
    fate = merged.fates[place] if place < len(merged.fates) else None
    told = f"a share of {share:.3f}" if share <= 1 else "more than its mask has"
    if share < overlap_threshold:
        return f"{text}: {told}, below the overlap threshold {overlap_threshold:.2f}: dropped"
    text = f"{text}: {told}, not below the overlap threshold {overlap_threshold:.2f}"
    if fate is None:
        return f"{text}: its turn is yet to come"
    if fate.name == "joined":
        return f"{text}: stuff of this class has a segment already, it joins segment {fate.segment}"
    return f"{text}: it becomes segment {fate.segment}"


def _entries(candidates: Sequence[Candidate]) -> list[int]:
    """Places in the order of entry."""
    return sorted(range(len(candidates)), key=lambda place: candidates[place].rank)
