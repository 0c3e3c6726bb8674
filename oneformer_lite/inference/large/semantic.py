"""The semantic task in windows: class scores are averaged where windows overlap."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from ..postprocessing import surest_of
from ..raw import RawPrediction
from .grid import Grid, Window, within

if TYPE_CHECKING:
    from ..ensemble import AveragedScores
    from ..windows import WindowedPrediction

    Scored = RawPrediction | WindowedPrediction | AveragedScores


def label_map(grid: Grid, answers: Iterable[tuple[Window, Scored]]) -> tuple[np.ndarray, np.ndarray]:
    """Label map int64 [H, W], and of each class the sum, over its pixels, of its share of all class scores.

    Scores wait only where a window is still to come: at most in what two rows of windows share.
    """
    labels = np.empty((grid.height, grid.width), np.int64)
    totals = np.zeros(0)
    waiting: dict[tuple, tuple[Tensor, int]] = {}
    for window, answer in answers:
        scores = answer.class_scores()
        totals = totals if len(totals) else np.zeros(len(scores))
        for piece in grid.pieces(window):
            key = tuple((s.start, s.stop) for s in piece)
            total, missing = waiting.pop(key, (0, grid.windows_of(piece)))
            total = total + scores[(slice(None), *within(piece, window.place))]
            if missing > 1:
                waiting[key] = (total, missing - 1)
                continue
            best, shares = (pixels.cpu().numpy() for pixels in surest_of(total))
            labels[piece] = best
            totals += np.bincount(best.ravel(), shares.ravel(), len(totals))
    return labels, totals
