"""Exercise 12.4: average precision of a ranked list, with pycocotools for reference."""

from __future__ import annotations

import contextlib
import io
from typing import Literal

import numpy as np

from ..draws import results
from ..exercise import Case, Exercise, Mistake


def _average_precision(scores: np.ndarray, hits: np.ndarray, total: int) -> float:
    """Scores [n], hits [n], number of annotated -> AP: pycocotools', its tables filled by hand for one class, one
    picture and one threshold."""
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(iouType="segm")
        evaluation.params.imgIds, evaluation.params.catIds, evaluation.params.iouThrs = [0], [0], np.array([0.5])
        evaluation.params.areaRng, evaluation.params.maxDets = [[0, 1e10]], [100]
        evaluation._paramsEval = evaluation.params
        order = np.argsort(-np.asarray(scores, float), kind="mergesort")
        matches = np.asarray(hits, float).reshape(1, -1)[:, order]
        entry = {"dtScores": np.asarray(scores)[order], "dtMatches": matches, "dtIgnore": np.zeros_like(matches),
                 "gtIgnore": np.zeros(total)}  # fmt: skip
        evaluation.evalImgs = [entry]
        evaluation.accumulate()
    return float(evaluation.eval["precision"].mean())


def _cases() -> list[Case]:
    rng = np.random.default_rng(4)
    return [
        Case("five guesses for four cars", np.array([0.9, 0.8, 0.7, 0.6, 0.5]), np.array([1, 0, 1, 1, 0]), 4),
        Case("not in order", np.array([0.2, 0.9, 0.5]), np.array([0, 0, 1]), 2),
        Case("all found", np.array([0.9, 0.4]), np.array([1, 1]), 2),
        Case("no guess", np.zeros(0), np.zeros(0, int), 3),
        Case("no hit", np.array([0.3, 0.6]), np.array([0, 0]), 3),
        Case("forty guesses", rng.permutation(40) / 40, rng.integers(0, 2, 40), 30),
    ]


def _area(
    scores: np.ndarray, hits: np.ndarray, total: int, *, sort: float = -1.0, falling: bool = True, points: int = 101,
    of_found: bool = False, beyond: float = 0.0, side: Literal["left", "right"] = "left", missed: bool = False,
    leave_out: int = 0,
) -> float:  # fmt: skip
    """The answer written once more, with switches for what goes wrong."""
    if not len(hits):
        return 0.0
    hits = np.asarray(hits)[np.argsort(sort * np.asarray(scores), kind="stable")] if sort else np.asarray(hits)
    found = np.cumsum(hits)
    precision = found / (np.arange(1, len(hits) + 1) + (total - found if missed else 0))
    if falling:
        precision = np.maximum.accumulate(precision[::-1])[::-1]
    whole = max(1, found[-1]) if of_found else total
    first = np.searchsorted(found / whole, np.linspace(0, 1, points)[leave_out:], side)
    return float(np.append(precision, beyond)[first].mean())


def _curve(scores: np.ndarray, hits: np.ndarray, total: int, falling: bool) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall after each guess."""
    found = np.cumsum(np.asarray(hits)[np.argsort(-np.asarray(scores), kind="stable")])
    precision = found / np.arange(1, len(found) + 1)
    return np.maximum.accumulate(precision[::-1])[::-1] if falling else precision, found / total


def _steps(*args) -> float:
    precision, recall = _curve(*args, falling=True)
    return float((precision * np.diff(recall, prepend=0)).sum())


def _trapezoids(*args) -> float:
    precision, recall = _curve(*args, falling=False)
    return float((np.diff(recall) * (precision[1:] + precision[:-1]) / 2).sum())


def _mean_at_hits(scores: np.ndarray, hits: np.ndarray, total: int) -> float:
    hits = np.asarray(hits)[np.argsort(-np.asarray(scores), kind="stable")]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits > 0].sum() / total)


AVERAGE_PRECISION = Exercise(
    id="12.4",
    name="average_precision",
    reference=_average_precision,
    cases=_cases,
    drawn=results.ranking,
    mistakes=(
        Mistake("sort by score first, best guess in front", lambda *args: _area(*args, sort=0.0)),
        Mistake("best guess in front: yours has the worst one there", lambda *args: _area(*args, sort=1.0)),
        Mistake("make precision fall only: at each recall the best that a longer list has",
                lambda *args: _area(*args, falling=False)),
        Mistake("101 recalls, 0 to 1 in steps of 0.01: 11 were used in older contests",
                lambda *args: _area(*args, points=11)),
        Mistake("recall is found / annotated, not found / all hits of the list",
                lambda *args: _area(*args, of_found=True)),
        Mistake("101 recalls: np.linspace counts its last point too, so np.linspace(0, 1, 101)",
                lambda *args: _area(*args, points=100)),
        Mistake("101 recalls: 0 is one of them too, np.linspace(0, 1, 101)",
                lambda *args: _area(*args, leave_out=1)),
        Mistake("a recall that no part of the list reaches has precision 0, not 1",
                lambda *args: _area(*args, beyond=1.0)),
        Mistake("a recall counts from where the list reaches it: found / annotated >= it, not above it",
                lambda *args: _area(*args, side="right")),
        Mistake("precision is hits / guesses so far: what has not been found counts in recall alone",
                lambda *args: _area(*args, missed=True)),
        Mistake("this is the area under the falling curve, as other contests have it: take its mean at 101 recalls",
                _steps),
        Mistake("the area in trapezoids is not asked for: make the curve fall, then take its mean at 101 recalls",
                _trapezoids),
        Mistake("this is the mean precision at the hits; COCO samples the falling curve at 101 recalls",
                _mean_at_hits),
    ),
)  # fmt: skip
