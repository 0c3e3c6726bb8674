"""Lab 12: IoU of all pairs, panoptic quality, mean IoU, average precision."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..metrics import SemanticMetric
from ..metrics.overlaps import count_overlaps
from ..metrics.panoptic import ClassQuality
from .draws import results
from .exercise import Case, Exercise, Mistake, Rules
from .longer.average_precision import AVERAGE_PRECISION

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


# -- 12.3: [(predicted labels, annotated labels), ...], number of classes -> mIoU

Pairs = list[tuple[np.ndarray, np.ndarray]]


def _miou(pairs: Pairs, classes: int) -> float:
    metric = SemanticMetric(classes)
    for guess, truth in pairs:
        metric.update(guess, truth)
    return metric.compute().miou / 100


def _cases_miou() -> list[Case]:
    rng = np.random.default_rng(3)
    truth, guess = np.array([[0, 0, 0, 1], [0, 1, 1, -1]]), np.array([[0, 0, 1, 1], [0, 1, 2, 2]])
    large, small = np.zeros((9, 10), int), np.array([[1]])
    noise = [(rng.integers(0, 4, (5, 7)), rng.integers(-1, 4, (5, 7))) for _ in range(3)]
    return [
        Case("two rows by hand", [(guess, truth)], 3),
        Case("a large and a small picture", [(large, large), (0 * small, small), (0 * small, 0 * small)], 2),
        Case("three random pictures", noise, 4),
        Case("a picture that is all void", [(guess, np.full_like(truth, -1)), (guess, truth)], 3),
        Case("a class that nobody has", noise[:1], 6),
    ]


def _tables(pairs: Pairs, classes: int) -> list[np.ndarray]:
    return [_shared(t[t >= 0], g[t >= 0], classes, classes) for g, t in pairs]  # [annotated, predicted]


def _mean_iou(table: np.ndarray, seen: np.ndarray) -> float:
    right = np.diag(table)
    return float(_over_union(right, table.sum(1) + table.sum(0) - right)[seen].mean())


def _miou_per_picture(pairs: Pairs, classes: int) -> float:
    return float(np.mean([_mean_iou(t, t.sum(1) > 0) for t in _tables(pairs, classes) if t.any()]))


def _mean_of_pairs(pairs: Pairs, classes: int) -> float:
    tables = _tables(pairs, classes)
    unions = [table.sum(1) + table.sum(0) - np.diag(table) for table in tables]
    return float(np.concatenate([np.diag(t)[u > 0] / u[u > 0] for t, u in zip(tables, unions)]).mean())


def _miou_all_classes(pairs: Pairs, classes: int) -> float:
    return _mean_iou(sum(_tables(pairs, classes)), np.full(classes, True))


def _mean_accuracy(pairs: Pairs, classes: int) -> float:
    table = sum(_tables(pairs, classes))
    seen = table.sum(1) > 0
    return float((np.diag(table)[seen] / table.sum(1)[seen]).mean())


def _miou_with_void(pairs: Pairs, classes: int) -> float:
    known = [(guess, np.where(truth < 0, classes, truth)) for guess, truth in pairs]
    table = sum(_tables(known, classes + 1))
    return _mean_iou(table, (table.sum(1) > 0) & (np.arange(classes + 1) < classes))


def _pixel_iou(pairs: Pairs, classes: int) -> float:
    table = sum(_tables(pairs, classes))
    return float(np.diag(table).sum() / table.sum())


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
    Exercise(
        id="12.3",
        name="mean_iou",
        reference=_miou,
        cases=_cases_miou,
        drawn=results.label_maps,
        mistakes=(
            Mistake("one table over all pictures, then the quotient: yours is the mean of the pictures' mIoU",
                    _miou_per_picture),
            Mistake("one table over all pictures, then a quotient for each class: yours has one a picture and class",
                    _mean_of_pairs),
            Mistake("the mean runs over the classes that are annotated somewhere", _miou_all_classes),
            Mistake("divide by the union: right / annotated is the mean accuracy", _mean_accuracy),
            Mistake("pixels annotated -1 do not count: leave them out before you count", _miou_with_void),
            Mistake("class by class, then the mean: yours is the share of right pixels", _pixel_iou),
        ),
    ),
    AVERAGE_PRECISION,
)  # fmt: skip
