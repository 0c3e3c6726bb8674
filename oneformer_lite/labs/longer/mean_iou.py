"""Exercise 12.3: the mean IoU of a data set, one table for all its pictures."""

from __future__ import annotations

import numpy as np

from ...metrics import SemanticMetric
from ..draws import results
from ..exercise import Case, Exercise, Mistake

# -- 12.3: [(predicted labels, annotated labels), ...], number of classes -> mIoU

Pairs = list[tuple[np.ndarray, np.ndarray]]


def _miou(pairs: Pairs, classes: int) -> float:
    metric = SemanticMetric(classes)
    for guess, truth in pairs:
        metric.update(guess, truth)
    return metric.compute().miou / 100


def _cases() -> list[Case]:
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


def _counted(rows: np.ndarray, columns: np.ndarray, classes: int) -> np.ndarray:
    """How many pixels have each pair of classes."""
    return np.bincount(rows * classes + columns, minlength=classes * classes).reshape(classes, classes).astype(float)


def _tables(pairs: Pairs, classes: int) -> list[np.ndarray]:
    """Of each picture, annotated by predicted."""
    return [_counted(t[t >= 0], g[t >= 0], classes) for g, t in pairs]


def _mean_iou(table: np.ndarray, seen: np.ndarray) -> float:
    right = np.diag(table)
    return float((right / np.maximum(1, table.sum(1) + table.sum(0) - right))[seen].mean())


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


MEAN_IOU = Exercise(
    id="12.3",
    name="mean_iou",
    reference=_miou,
    cases=_cases,
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
)  # fmt: skip
