"""Was a map of numbers resized with smoothing, or saved as JPEG on its way? Then edges go in steps through numbers that
lie between those of both sides, and that are classes or objects of their own, wherever they are not refused as unknown.

Thin objects that cross (roots, vessels, fibres) and objects of a few pixels make steps, too, but no *stray* ones: a
line goes on in plain sight beside the crossing, and a small object lies in one place. Measured on generated maps of
objects (lines of 1 to 3 pixels, touching cells, tiles, in random and in sorted order) and a dozen of real nuclei: of
434 maps as drawn, also much reduced, 39 have more than 15 of 100 edges in steps, 1 of them 8 of 100 in stray steps
(200 fibres side by side); of 528 maps resized with interpolation, blurred or saved as JPEG 516 have the one, 513 both.
What is missed is JPEG of equal tiles or of the best quality, and tiles of two pixels, reduced to one.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from scipy.ndimage import find_objects

_SMOOTHED = 0.15  # share of edges in steps from which maps are taken to be smoothed,
_STRAY = 0.08  # if that of stray ones is so high
_SUSPECT = 0.08  # share of edges in steps from which stray ones are looked for in a map
_LEAST = 500  # edges that tell
_NEAR = 2  # pixels within which a number goes on: across a line of one pixel
_COMPACT = 0.4  # share of the box around a number that it fills where it lies in one place
_ONE_NUMBER = 0.9  # share of stray steps through one number, from which it is a thin class


class Edges:
    """Edges of the maps that were looked at. ``objects``: their numbers are objects, which lie in one place; else they
    are classes, of which one may be but a thin line around others. (So of three classes nothing can be told: a single
    number lies between others.)"""

    def __init__(self, objects: bool) -> None:
        self.objects = objects
        self.count = self.steps = 0
        self.stray: Counter[int] = Counter()  # number -> stray steps through it

    def add(self, values: np.ndarray, void: int | None) -> None:
        """Count those of a map int [H, W] along rows and columns; ``void`` is no number between others."""
        edges, along = _steps(values)
        more, down = _steps(values.T)
        steps = along.astype(np.uint8) + down.T
        if void is not None:
            steps[values == void] = 0
        self.count += edges + more
        self.steps += (found := int(steps.sum()))
        if found <= _SUSPECT * (edges + more):
            return  # such maps do not tell, and the rest takes ten times as long
        places = np.nonzero(steps)
        stray = ~_go_on(values, steps > 0, places)
        if self.objects:
            stray &= ~_compact(values)[places]
        numbers, which = np.unique(values[places][stray], return_inverse=True)
        counts = np.bincount(which, steps[places][stray], len(numbers)).astype(int)
        self.stray.update(dict(zip(numbers.tolist(), counts.tolist())))

    @property
    def smoothed(self) -> str:
        """What shows that the maps were smoothed, in words; empty where nothing does."""
        stray = self.stray.total()
        if self.count < _LEAST or self.steps <= _SMOOTHED * self.count or stray <= _STRAY * self.count:
            return ""
        if not self.objects and max(self.stray.values()) > _ONE_NUMBER * stray:
            return ""
        return f"{self.steps} of {self.count} edges go in steps, through a number between those of both sides"


def _steps(lines: np.ndarray) -> tuple[int, np.ndarray]:
    """How many edges lie along the rows of a map int [H, W], and its pixels bool [H, W] between a lower and a higher
    number."""
    up, down = lines[:, 1:] > lines[:, :-1], lines[:, 1:] < lines[:, :-1]
    between = np.zeros(lines.shape, bool)
    between[:, 1:-1] = up[:, 1:] & up[:, :-1] | down[:, 1:] & down[:, :-1]
    return int(up.sum() + down.sum()), between


def _go_on(values: np.ndarray, steps: np.ndarray, places: tuple[np.ndarray, ...]) -> np.ndarray:
    """Whether each of n ``places`` has a pixel of its number nearby that is no step; bool [n]."""
    numbers, goes_on = values[places], np.zeros(len(places[0]), bool)
    height, width = values.shape
    for y in range(-_NEAR, _NEAR + 1):
        for x in range(-_NEAR, _NEAR + 1):
            near = np.clip(places[0] + y, 0, height - 1), np.clip(places[1] + x, 0, width - 1)
            goes_on |= (values[near] == numbers) & ~steps[near]
    return goes_on


def _compact(values: np.ndarray) -> np.ndarray:
    """Where the number of a pixel fills much of the box around all its pixels; bool [H, W]."""
    numbers, which, areas = np.unique(values, return_inverse=True, return_counts=True)
    which = which.reshape(values.shape)
    boxes = [(rows.stop - rows.start) * (columns.stop - columns.start) for rows, columns in find_objects(which + 1)]
    return (areas >= _COMPACT * np.array(boxes))[which]
