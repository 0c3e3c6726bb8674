"""The pairs of cheapest total, for any weights of the costs: numbers alone, without the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from .reading import MatchReading

RUNNERS_UP = 12  # unmatched queries that are shown below the matched ones


@dataclass(frozen=True)
class MatchView:
    """One prediction under certain weights: ``parts`` [parts, Q, G], their ``total`` [Q, G], the query of each segment
    now (``assigned`` [G]), under the ``usual`` weights, and in the prediction ``before`` (None: this is the first)."""

    parts: np.ndarray
    total: np.ndarray
    assigned: np.ndarray
    usual: np.ndarray
    before: np.ndarray | None

    @property
    def cost(self) -> float:
        """The sum of costs of all pairs."""
        return assignment_cost(self.total, self.assigned)

    def rival(self, query: int, segment: int) -> tuple[int | None, float | None]:
        """Whom to compare a pair with, and the least sum of costs the other way round.

        Of a pair that was not chosen: the query that was, and the sum with the pair. Of a chosen one: the query that
        comes in its place, and the sum without it (None, None where there is no other query).
        """
        if self.assigned[segment] != query:
            other = forced_assignment(self.total, query, segment)
            return int(self.assigned[segment]), assignment_cost(self.total, other)
        other = assignment_without(self.total, query, segment)
        return (None, None) if other is None else (int(other[segment]), assignment_cost(self.total, other))


def view_matches(
    reading: MatchReading, layer: int, weights: Sequence[float], usual_weights: Sequence[float]
) -> MatchView:
    """What is assigned in the prediction ``layer`` (0: before the first decoder layer)."""
    parts = reading.costs[layer]
    total = total_cost(parts, weights)
    return MatchView(
        parts=parts,
        total=total,
        assigned=best_assignment(total),
        usual=best_assignment(total_cost(parts, usual_weights)),
        before=best_assignment(total_cost(reading.costs[layer - 1], weights)) if layer else None,
    )


def total_cost(parts: np.ndarray, weights: Sequence[float]) -> np.ndarray:
    """[3, Q, G] to [Q, G]: the weighted sum; NaN counts 100, as in :meth:`Matcher.costs`."""
    total = sum(weight * part for weight, part in zip(weights, parts, strict=True))
    return np.nan_to_num(total, nan=100.0, posinf=100.0, neginf=-100.0)


def total_limits(total: np.ndarray) -> tuple[float, float]:
    """The totals [R, G] between which colours tell them apart: the most expensive tenth is one colour."""
    return float(total.min()), float(np.quantile(total, 0.9))


def best_assignment(total: np.ndarray) -> np.ndarray:
    """int [G]: the query of each segment, one to one, such that the sum of costs [Q, G] is least."""
    return linear_sum_assignment(total.T)[1]


def forced_assignment(total: np.ndarray, query: int, segment: int) -> np.ndarray:
    """int [G]: the best assignment among those in which this query answers for this segment."""
    queries = np.delete(np.arange(total.shape[0]), query)
    segments = np.delete(np.arange(total.shape[1]), segment)
    found = np.full(total.shape[1], query)
    found[segments] = queries[best_assignment(total[np.ix_(queries, segments)])]
    return found


def assignment_without(total: np.ndarray, query: int, segment: int) -> np.ndarray | None:
    """int [G]: the best assignment among those without this pair; None if a single query leaves no other."""
    if len(total) == 1:
        return None
    closed = total.astype(np.float64)
    closed[query, segment] = 1e6
    return best_assignment(closed)


def assignment_cost(total: np.ndarray, assigned: np.ndarray) -> float:
    """The sum of the costs of all pairs."""
    return float(total[assigned, np.arange(len(assigned))].sum(dtype=np.float64))


def rows_that_matter(total: np.ndarray, assigned: np.ndarray, also: int | None = None) -> np.ndarray:
    """Queries in the order in which to show them: the matched ones, segment by segment, then those unmatched
    that come nearest to a segment's price; at most G + RUNNERS_UP, the last of them ``also`` if it were missing."""
    others = np.setdiff1d(np.arange(len(total)), assigned)
    if len(assigned):
        price = total[assigned, np.arange(len(assigned))]
        others = others[np.argsort((total[others] - price).min(1), kind="stable")]
    rows = np.concatenate([assigned, others])[: len(assigned) + RUNNERS_UP]
    if also is not None and also not in rows:
        rows[-1] = also
    return rows


def nearest_miss(total: np.ndarray, assigned: np.ndarray) -> tuple[int, int] | None:
    """The pair (query, segment) outside the assignment that would raise its total least; None if there is none.

    The first of :func:`rows_that_matter` are tried: a query far above every price cannot win.
    """
    candidates = [
        (query, segment)
        for query in rows_that_matter(total, assigned)[len(assigned) :]
        for segment in range(len(assigned))
    ]
    if not candidates:
        return None
    best = min(candidates, key=lambda pair: assignment_cost(total, forced_assignment(total, *pair)))
    return int(best[0]), int(best[1])
