"""The panoptic task in windows: segment maps, of which each window decides its middle, and which segments are one."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..prediction import Prediction
from .grid import Grid, Window, within
from .joining import Joined, meetings, same_in_maps, still_needed


def segment_map(
    grid: Grid, predictions: Iterable[tuple[Window, Prediction]]
) -> tuple[np.ndarray, list[tuple[int, int, float]]]:
    """Segment map int32 [H, W], 0 = void, and (id, class id, score) of each segment.

    Things of one class are one where they cover the same pixels of what two windows share; stuff of one class always
    is. A score is the mean over the pixels that windows have decided.
    """
    joined, stuff = Joined(), {}
    found = np.zeros((grid.height, grid.width), np.int32)  # 1 + the number of the window's segment
    before: list[tuple[Window, object]] = []
    for window, prediction in predictions:
        numbers = np.zeros(1 + max((s.id for s in prediction.segments), default=0), np.int32)
        for s in prediction.segments:
            numbers[s.id] = 1 + joined.add(s.class_id, s.score)
            if not s.is_thing:
                first = stuff.setdefault(s.class_id, numbers[s.id] - 1)
                joined.pairs.append((first, numbers[s.id] - 1))
        here = numbers[prediction.segment_map]
        before = still_needed(window, before)
        for earlier, there, mine in meetings(window, before):
            _join_things(joined, earlier[there], here[mine], stuff)
        before.append((window, here))
        found[window.owned] = here[within(window.owned, window.place)]
    return _numbered(found, joined)


def _join_things(joined: Joined, first: np.ndarray, second: np.ndarray, stuff: dict[int, int]) -> None:
    for one, other in same_in_maps(first, second):
        class_id = joined.class_ids[one - 1]
        if class_id == joined.class_ids[other - 1] and class_id not in stuff:
            joined.pairs.append((one - 1, other - 1))


def _numbered(found: np.ndarray, joined: Joined) -> tuple[np.ndarray, list[tuple[int, int, float]]]:
    """The map in which each group has one id, from 1 without gaps, written over ``found``."""
    groups = joined.groups()
    areas = np.zeros(len(groups) + 1, np.int64)
    for row in found:
        areas += np.bincount(row, minlength=len(areas))
    areas = areas[1:]
    whole = np.bincount(groups, areas, minlength=1) if len(groups) else np.zeros(1)
    scores = np.bincount(groups, areas * np.array(joined.scores), minlength=1) if len(groups) else np.zeros(1)
    ids = np.where(whole > 0, np.cumsum(whole > 0), 0)
    lookup = np.concatenate([[0], ids[groups]]).astype(np.int32) if len(groups) else np.zeros(1, np.int32)
    for row in found:
        row[:] = lookup[row]
    class_of = {int(ids[group]): joined.class_ids[number] for number, group in enumerate(groups)}
    kept = np.flatnonzero(whole > 0)
    return found, [(int(ids[g]), class_of[int(ids[g])], float(scores[g] / whole[g])) for g in kept]
