"""The instance task in windows: which instances of neighbouring windows are one, and what of it each window decides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ..placed import PlacedMask
from ..prediction import Prediction
from .grid import Grid, Part, Window, common, within
from .joining import SAME, Joined, meetings, still_needed


@dataclass
class Found:
    """An instance as one window sees it; ``number`` of all."""

    number: int
    mask: PlacedMask
    window: Window

    def own(self) -> PlacedMask:
        """Without what other windows decide."""
        kept = np.zeros_like(self.mask.pixels)
        if part := common(self.mask.place, self.window.owned):
            here = within(part, self.mask.place)
            kept[here] = self.mask.pixels[here]
        return PlacedMask.of(kept, self.mask.top, self.mask.left, self.mask.size)


def placed_instances(
    grid: Grid, predictions: Iterable[tuple[Window, Prediction]]
) -> list[tuple[PlacedMask, int, float]]:
    """Mask, class id and score of each instance.

    Instances of one class are one where their masks agree in what two windows see both. Such an instance has of each
    window the pixels that this window decides, and the mean of the scores over them. An instance that only one window
    sees is kept whole; but not if most of it lies where other windows decide, which see more of it and did not find it.
    """
    joined, found = Joined(), []
    before: list[tuple[Window, object]] = []
    for window, prediction in predictions:
        top, left = (part.start for part in window.place)
        size = grid.height, grid.width
        here = [
            Found(joined.add(s.class_id, s.score), PlacedMask.of(s.mask, top, left, size), window)
            for s in prediction.segments
        ]
        before = still_needed(window, before)
        for earlier, _, mine in meetings(window, before):
            place = tuple(slice(m.start + p.start, m.stop + p.start) for m, p in zip(mine, window.place))
            joined.pairs += _same(earlier, here, place, joined)
        before.append((window, here))
        found += here
    return list(_whole(found, joined))


def _same(first: list[Found], second: list[Found], place: Part, joined: Joined) -> Iterator[tuple[int, int]]:
    """Pairs of one class whose masks agree at ``place``, each instance in one pair at most, the best pairs first."""
    candidates = []
    for one in (f for f in first if common(f.mask.place, place)):
        for other in (f for f in second if common(f.mask.place, place)):
            if joined.class_ids[one.number] == joined.class_ids[other.number]:
                candidates.append((_overlap(one.mask, other.mask, place), one.number, other.number))
    taken: set[int] = set()
    for overlap, one, other in sorted(candidates, reverse=True):
        if overlap > SAME and not {one, other} & taken:
            taken |= {one, other}
            yield one, other


def _overlap(first: PlacedMask, second: PlacedMask, place: Part) -> float:
    """Intersection over union of two masks inside ``place``."""
    areas = [np.count_nonzero(_cut(mask, place)) for mask in (first, second)]
    shared = common(first.place, second.place)
    shared = shared and common(shared, place)
    both = np.count_nonzero(_cut(first, shared) & _cut(second, shared)) if shared else 0
    return both / max(1, sum(areas) - both)


def _cut(mask: PlacedMask, place: Part) -> np.ndarray:
    part = common(mask.place, place)
    return mask.pixels[within(part, mask.place)] if part else np.zeros((0, 0), bool)


def _whole(found: list[Found], joined: Joined) -> Iterator[tuple[PlacedMask, int, float]]:
    members = defaultdict(list)
    for one, group in zip(found, joined.groups().tolist()):
        members[group].append(one)
    for group in members.values():
        owned = [one.own() for one in group]
        if len(group) == 1:
            if 2 * owned[0].area <= group[0].mask.area:
                continue
            masks = [group[0].mask]
        else:
            masks = owned
        areas = [mask.area for mask in masks]
        if sum(areas):
            scores = [joined.scores[one.number] for one in group]
            yield _union(masks), joined.class_ids[group[0].number], float(np.average(scores, weights=areas))


def _union(masks: list[PlacedMask]) -> PlacedMask:
    places = [mask.place for mask in masks if mask.pixels.size]
    top, left = (min(place[axis].start for place in places) for axis in (0, 1))
    bottom, right = (max(place[axis].stop for place in places) for axis in (0, 1))
    pixels = np.zeros((bottom - top, right - left), bool)
    for mask in masks:
        if mask.pixels.size:
            pixels[within(mask.place, (slice(top, bottom), slice(left, right)))] |= mask.pixels
    return PlacedMask(pixels, top, left, masks[0].size)
