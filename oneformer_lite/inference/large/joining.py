"""Which segments of neighbouring windows are one: those of a class that cover the same pixels of what both windows see.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .grid import Part, Window, common, within

SAME = 0.5  # intersection over union inside the common region: above it, a segment has one partner at most


@dataclass
class Joined:
    """All segments that windows have found, numbered from 0, and which of them are one."""

    class_ids: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    pairs: list[tuple[int, int]] = field(default_factory=list)

    def add(self, class_id: int, score: float) -> int:
        self.class_ids.append(class_id)
        self.scores.append(score)
        return len(self.class_ids) - 1

    def groups(self) -> np.ndarray:
        """The number of each segment's group, int [n]; groups are numbered in the order of their first segments."""
        n = len(self.class_ids)
        one, other = np.array(self.pairs, dtype=np.int32).reshape(-1, 2).T  # older versions of SciPy take no others
        links = coo_array((np.ones(len(one), bool), (one, other)), shape=(n, n))
        labels = connected_components(links, directed=False)[1]
        _, firsts, inverse = np.unique(labels, return_index=True, return_inverse=True)
        return np.argsort(np.argsort(firsts))[inverse] if n else labels


def meetings(window: Window, before: list[tuple[Window, object]]) -> Iterator[tuple[object, Part, Part]]:
    """Of earlier windows that share pixels with ``window`` what was kept of them, and the shared part counted from the
    earlier window's corner and from this one's."""
    for earlier, kept in before:
        if part := common(earlier.place, window.place):
            yield kept, within(part, earlier.place), within(part, window.place)


def still_needed(window: Window, before: list[tuple[Window, object]]) -> list[tuple[Window, object]]:
    """Earlier windows that a window after ``window`` may meet."""
    return [(earlier, kept) for earlier, kept in before if earlier.place[0].stop > window.place[0].start]


def same_in_maps(first: np.ndarray, second: np.ndarray) -> Iterator[tuple[int, int]]:
    """Pairs of values above 0 of two maps of the same pixels, int [h, w], that cover nearly the same (:data:`SAME`)."""
    values, places = np.unique(first, return_inverse=True)
    others, at = np.unique(second, return_inverse=True)
    shared = np.bincount(places.ravel() * len(others) + at.ravel(), minlength=len(values) * len(others))
    shared = shared.reshape(len(values), len(others))
    union = shared.sum(1, keepdims=True) + shared.sum(0) - shared
    for i, j in np.argwhere(shared > SAME * union):
        if values[i] > 0 and others[j] > 0:
            yield int(values[i]), int(others[j])
