"""Lab 12: IoU of all pairs, panoptic quality, mean IoU, average precision."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..metrics.overlaps import count_overlaps
from ..metrics.panoptic import ClassQuality
from .draws import results
from .exercise import Case, Exercise, Mistake, Rules
from .longer.average_precision import AVERAGE_PRECISION
from .longer.mean_iou import MEAN_IOU

# -- 12.1: int [H, W] of ids 0..P-1 and of ids 0..G-1, P, G -> IoU [P, G], 0 where an id has no pixel


def _iou_matrix(guess: np.ndarray, truth: np.ndarray, guesses: int, truths: int) -> np.ndarray:
    shared = np.zeros((guesses, truths))
    for place, pixels in count_overlaps(guess, truth).items():
        shared[place] = pixels
    return _over_union(shared, shared.sum(1, keepdims=True) + shared.sum(0) - shared)


def _over_union(shared: np.ndarray, union: np.ndarray) -> np.ndarray:
    return np.divide(shared, union, out=np.zeros(shared.shape), where=union > 0)


def _cases_iou() -> list[Case]:
    rng = np.random.default_rng(12)
    guess, truth = np.array([[0, 0, 1], [0, 1, 1]]), np.array([[0, 0, 0], [1, 1, 1]])
    return [
        Case("two by two", guess, truth, 2, 2),
        Case("more guesses than truths", rng.integers(0, 5, (6, 9)), rng.integers(0, 2, (6, 9)), 5, 2),
        Case("more truths than guesses", rng.integers(0, 2, (7, 4)), rng.integers(0, 6, (7, 4)), 2, 6),
        Case("ids without a pixel", guess, truth, 4, 3),
        Case("one pixel", np.array([[2]]), np.array([[1]]), 3, 2),
    ]


def _shared(guess: np.ndarray, truth: np.ndarray, guesses: int, truths: int) -> np.ndarray:
    codes = (guess * truths + truth).ravel()
    return np.bincount(codes, minlength=guesses * truths).reshape(guesses, truths).astype(float)


def _iou_without_minus(*args) -> np.ndarray:
    shared = _shared(*args)
    return _over_union(shared, shared.sum(1, keepdims=True) + shared.sum(0))


def _dice_matrix(*args) -> np.ndarray:
    return 2 * _iou_without_minus(*args)


def _iou_over_guess(*args) -> np.ndarray:
    shared = _shared(*args)
    return _over_union(shared, np.broadcast_to(shared.sum(1, keepdims=True), shared.shape))


def _iou_over_truth(*args) -> np.ndarray:
    shared = _shared(*args)
    return _over_union(shared, np.broadcast_to(shared.sum(0), shared.shape))


def _iou_of_counted_once(*args) -> np.ndarray:
    shared = np.minimum(_shared(*args), 1)
    return _over_union(shared, shared.sum(1, keepdims=True) + shared.sum(0) - shared)


def _iou_wrong_base(guess: np.ndarray, truth: np.ndarray, guesses: int, truths: int) -> np.ndarray:
    codes = (guess * guesses + truth).ravel()
    shared = np.bincount(codes, minlength=guesses * truths)[: guesses * truths].reshape(guesses, truths).astype(float)
    return _over_union(shared, shared.sum(1, keepdims=True) + shared.sum(0) - shared)


def _iou_nan(*args) -> np.ndarray:
    shared = _shared(*args)
    with np.errstate(invalid="ignore"):
        return shared / (shared.sum(1, keepdims=True) + shared.sum(0) - shared)


# -- 12.2: IoU [P, G], classes [P] and [G] -> {class: (PQ, SQ, RQ)} of the classes that occur

Qualities = dict[int, tuple[float, float, float]]


def _panoptic(ious: np.ndarray, guess_classes: Sequence[int], truth_classes: Sequence[int]) -> Qualities:
    result = {}
    for k in sorted({*guess_classes, *truth_classes}):
        rows, columns = (np.flatnonzero(np.asarray(classes) == k) for classes in (guess_classes, truth_classes))
        pairs = ious[np.ix_(rows, columns)]
        tp = int((pairs > 0.5).sum())
        counts = tp, len(rows) - tp, len(columns) - tp
        quality = ClassQuality(str(k), True, *counts, iou_sum=float(pairs[pairs > 0.5].sum()))
        result[k] = (quality.pq / 100, quality.sq / 100, quality.rq / 100)
    return result


def _cases_panoptic() -> list[Case]:
    street = np.array([[6 / 7, 1 / 12, 0.0], [0.0, 4 / 6, 0.0], [0.0, 1 / 6, 0.0], [0.0, 0.0, 0.9]])
    return [
        Case("the tiny street", street, [0, 0, 0, 1], [0, 0, 1]),
        Case("an IoU of exactly one half", np.array([[0.5, 0.5]]), [0], [0, 0]),
        Case("well drawn, wrong class", np.array([[0.9, 0.0], [0.0, 0.8]]), [0, 1], [2, 1]),
        Case("one found, two missed", np.array([[0.0, 0.8, 0.1]]), [2], [2, 2, 2]),
        Case("nothing predicted", np.zeros((0, 2)), [], [3, 3]),
        Case("nothing annotated", np.zeros((2, 0)), [1, 4], []),
    ]


def _switched(
    ious: np.ndarray, guess_classes: Sequence[int], truth_classes: Sequence[int], *, at_half: bool = False,
    weight: float = 0.5, blind: bool = False, annotated_only: bool = False, mean_over_truths: bool = False,
) -> Qualities:  # fmt: skip
    """The answer written once more, with switches for what goes wrong."""
    result = {}
    for k in sorted({*truth_classes} if annotated_only else {*guess_classes, *truth_classes}):
        rows, columns = (np.flatnonzero(np.asarray(classes) == k) for classes in (guess_classes, truth_classes))
        pairs = ious[:, columns] if blind else ious[np.ix_(rows, columns)]
        hit = pairs[pairs >= 0.5] if at_half else pairs[pairs > 0.5]
        wrong, missed = max(0, len(rows) - len(hit)), max(0, len(columns) - len(hit))
        per = max(1, len(columns)) if mean_over_truths else len(hit)
        sq = hit.sum() / per if len(hit) else 0.0
        whole = len(hit) + weight * (wrong + missed)
        rq = len(hit) / whole if whole else 0.0
        result[k] = (sq * rq, sq, rq)
    return result


EXERCISES = (
    Exercise(
        id="12.1",
        name="iou_matrix",
        reference=_iou_matrix,
        cases=_cases_iou,
        drawn=results.id_maps,
        rules=Rules(never=("loops",)),
        mistakes=(
            Mistake("union = one + other - both: yours counts the common pixels twice", _iou_without_minus),
            Mistake("2 * common / (one + other) is dice: IoU is common / union", _dice_matrix),
            Mistake("s[guess, truth] += 1 counts each pair of ids once, whatever its pixels: np.add.at, or bincount",
                    _iou_of_counted_once),
            Mistake("divide by the union, not by the true segment alone", _iou_over_truth),
            Mistake("divide by the union, not by the predicted segment alone", _iou_over_guess),
            Mistake("guess * G + truth: the factor is the number of truths, else two pairs share a code",
                    _iou_wrong_base),
            Mistake("divide by the union of the two, not by all pixels of the picture",
                    lambda guess, *rest: _shared(guess, *rest) / guess.size),
            Mistake("rows are guesses, columns truths: yours is transposed", lambda *args: _iou_matrix(*args).T),
            Mistake("ids without a pixel have IoU 0: do not divide 0 by 0", _iou_nan),
        ),
    ),
    Exercise(
        id="12.2",
        name="panoptic_quality",
        reference=_panoptic,
        cases=_cases_panoptic,
        drawn=results.segments,
        mistakes=(
            Mistake("above 0.5: at exactly one half a segment could match twice",
                    lambda *a: _switched(*a, at_half=True)),
            Mistake("false positives and false negatives count one half each", lambda *a: _switched(*a, weight=1.0)),
            Mistake("a match needs the same class", lambda *a: _switched(*a, blind=True)),
            Mistake("a class that is only predicted counts too: its PQ is 0",
                    lambda *a: _switched(*a, annotated_only=True)),
            Mistake("SQ is the mean IoU of the matches, not of all annotated segments",
                    lambda *a: _switched(*a, mean_over_truths=True)),
        ),
    ),
    MEAN_IOU,
    AVERAGE_PRECISION,
)  # fmt: skip
