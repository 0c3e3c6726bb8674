"""Exercise 18.4: where the digits lie that one query has taken, and how far apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..draws import roots
from ..exercise import Case, Exercise, Mistake

# -- 18.4: the query of each digit, the place of each [N, 2] -> {query: (row, column, spread)}

Spreads = dict[int, tuple[float, float, float]]


def _places(queries: Sequence[int], places: np.ndarray) -> Spreads:
    return _around(queries, places, lambda points: points.mean(0))


def _around(queries: Sequence[int], places: np.ndarray, middle) -> Spreads:
    found = {}
    for query in sorted(set(queries)):
        points = places[np.array(queries) == query]
        row, column = points.mean(0)
        spread = np.sqrt(np.square(points - middle(points)).sum(1).mean())
        found[query] = (float(row), float(column), float(spread))
    return found


def _cases() -> list[Case]:
    rng = np.random.default_rng(4)
    return [
        Case("by hand", [0, 0, 2], np.array([[1.0, 2.0], [5.0, 5.0], [9.0, 9.0]])),
        Case("one query", [3, 3, 3], 64 * rng.random((3, 2))),
        Case("many", rng.integers(0, 4, 20).tolist(), 64 * rng.random((20, 2))),
        Case("one digit each", [2, 0, 1], 64 * rng.random((3, 2))),
    ]


def _spread(queries: Sequence[int], places: np.ndarray, spread, middle=lambda points: points.mean(0)) -> Spreads:
    """With another spread, of the steps [n, 2] from the mean place, or another middle."""
    found = {}
    for query in sorted(set(queries)):
        points = places[np.array(queries) == query]
        row, column = middle(points)
        found[query] = (float(row), float(column), float(spread(points - points.mean(0))))
    return found


def _mean_square_root(steps: np.ndarray) -> float:
    return np.sqrt(np.square(steps).sum(1).mean())


def _rescaled(queries: Sequence[int], places: np.ndarray, change) -> Spreads:
    return {query: change(*values) for query, values in _places(queries, places).items()}


TAKEN_PLACES = Exercise(
    id="18.4",
    name="places_of",
    reference=_places,
    cases=_cases,
    drawn=roots.takings,
    mistakes=(
        Mistake("around its own mean: yours measures from the mean of all digits",
                lambda q, places: _around(q, places, lambda points: places.mean(0))),
        Mistake("the root of the mean square: a distance, not a square",
                lambda q, places: _rescaled(q, places, lambda r, c, s: (r, c, s * s))),
        Mistake("the root of the mean square, not the mean of the distances",
                lambda q, places: _spread(q, places, lambda s: np.hypot(*s.T).mean())),
        Mistake("the root of the mean square, not the largest step",
                lambda q, places: _spread(q, places, lambda s: np.abs(s).max())),
        Mistake("the root of the mean square, not the largest distance",
                lambda q, places: _spread(q, places, lambda s: np.hypot(*s.T).max())),
        Mistake("the mean of the squares: yours is the root of their sum, and grows with the number of digits",
                lambda q, places: _spread(q, places, lambda s: np.sqrt(np.square(s).sum()))),
        Mistake("divide by the number of digits (ddof=0), not by one less: a single digit has the spread 0",
                lambda q, places: _spread(q, places, lambda s: np.sqrt(np.square(s).sum() / (len(s) - 1))
                                          if len(s) > 1 else np.nan)),
        Mistake("rows and columns are centred each by its own mean: std() of all numbers mixes them",
                lambda q, places: {query: (*place, float(places[np.array(q) == query].std()))
                                   for query, (*place, _) in _places(q, places).items()}),
        Mistake("the squares of rows and columns are added before the root, not the two spreads after it",
                lambda q, places: _spread(q, places, lambda s: s.std(0).sum())),
        Mistake("the place is the mean of its digits, not their median",
                lambda q, places: _spread(q, places, _mean_square_root, lambda p: np.median(p, axis=0))),
        Mistake("the place is the mean of its digits, not their sum",
                lambda q, places: _spread(q, places, _mean_square_root, lambda p: p.sum(0))),
        Mistake("places are (row, column), and stay in this order",
                lambda q, places: _rescaled(q, places, lambda r, c, s: (c, r, s))),
        Mistake("rows and columns make one distance: their squares are added",
                lambda q, places: _rescaled(q, places, lambda r, c, s: (r, c, s / 2**0.5))),
    ),
)  # fmt: skip
