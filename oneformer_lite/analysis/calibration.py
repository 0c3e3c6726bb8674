"""Do scores mean what they say? Of what has a score of 0.8, eight in ten should be right.

Source: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML 2017, section 2: with n_b of N
items in bin b, of which the share acc(b) is right and whose mean score is conf(b),

    expected calibration error = sum over b of n_b / N  |acc(b) - conf(b)|.
"""

from __future__ import annotations

import numpy as np

BINS = 10


class Calibration:
    """Scores 0 to 1 in ten bins of equal width; each item counts ``weight`` and is right by a share."""

    def __init__(self) -> None:
        self._sums = np.zeros((BINS, 3))  # weight, weight x score, weight x right

    def add(self, scores: np.ndarray, right: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Count n items and return their bins int [n]. A NaN, of a model whose answers mean nothing, counts as 0."""
        scores = np.clip(np.nan_to_num(np.asarray(scores, float)), 0, 1)
        weights = np.ones(len(scores)) if weights is None else np.asarray(weights, float)
        bins = np.minimum((scores * BINS).astype(int), BINS - 1)
        for column, values in enumerate((weights, weights * scores, weights * right)):
            self._sums[:, column] += np.bincount(bins, values, BINS)
        return bins

    @property
    def error(self) -> float:
        """The expected calibration error, 0 to 1; nan without any item."""
        total = self._sums[:, 0].sum()
        return float(np.abs(self._sums[:, 2] - self._sums[:, 1]).sum() / total) if total else np.nan

    def bins(self) -> list[dict]:
        """Of each bin with something in it: ``low``, ``high``, ``count``, mean ``score`` and share ``right``."""
        return [
            {"low": b / BINS, "high": (b + 1) / BINS, "count": float(n), "score": float(s / n), "right": float(r / n)}
            for b, (n, s, r) in enumerate(self._sums)
            if n
        ]


def bin_name(number: int) -> str:
    """A bin by its ends, "0.3 to 0.4"."""
    return f"{number / BINS:.1f} to {(number + 1) / BINS:.1f}"
