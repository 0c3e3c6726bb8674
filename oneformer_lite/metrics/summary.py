"""What an evaluation found: the averages that one quotes, and what they are averages of."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

import numpy as np

from ..data.sample import Category
from .instance import InstanceResult
from .panoptic import PanopticResult
from .semantic import SemanticResult

Result = PanopticResult | InstanceResult | SemanticResult
COLUMNS = ("PQ", "SQ", "RQ", "AP", "IoU", "dice", "accuracy")  # of a class, in percent
_DASH = "-"


class Evaluation(dict[str, float]):
    """A dict of percentages by name, nan where there was nothing to measure, with three things besides:

    ``ap_by_size``: AP of the "small", "medium" and "large" masks (parted at 32 x 32 and 96 x 96 pixels), None where
    none is annotated; empty without the instance task.
    ``per_class``: for each class a dict with ``id`` (of the annotation file), ``name``, ``is_thing`` and, by task, PQ,
    SQ, RQ with the counts TP, FP, FN; AP; IoU, dice, accuracy. None where the class was not annotated, or is no thing.
    ``confusion``: pixels int64 [K, K + 1] of the semantic task, rows annotated, columns predicted (the last as
    nothing); None without that task.
    """

    def __init__(
        self,
        averages: Mapping[str, float],
        per_class: Sequence[dict] = (),
        confusion: np.ndarray | None = None,
        ap_by_size: Mapping[str, float | None] | None = None,
    ) -> None:
        super().__init__(averages)
        self.per_class, self.confusion, self.ap_by_size = list(per_class), confusion, dict(ap_by_size or {})

    def to_dict(self) -> dict:
        """All of it, ready for JSON, None for nan."""
        confusion = None if self.confusion is None else self.confusion.tolist()
        averages = {name: _known(value) for name, value in self.items()}
        return averages | {"AP_by_size": self.ap_by_size, "per_class": self.per_class, "confusion": confusion}

    def to_json(self, indent: int | None = None) -> str:
        """:meth:`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=indent)

    def table(self, most: int | None = None) -> str:
        """The classes as lines of text in the order of :func:`worst_first`, at most ``most``."""
        columns = [name for name in COLUMNS if any(name in row for row in self.per_class)]
        shown = worst_first(self.per_class)[:most]
        width = max([5, *(len(row["name"]) for row in shown)])
        lines = [f"{'class':<{width}}" + "".join(f"{name:>10}" for name in columns)]
        lines += [f"{row['name']:<{width}}" + "".join(f"{_text(row.get(c)):>10}" for c in columns) for row in shown]
        left = len(self.per_class) - len(shown)
        return "\n".join([*lines, *([f"and {left} more classes"] if left else [])])


def worst_first(per_class: Sequence[dict]) -> list[dict]:
    """The rows of :class:`Evaluation` from the lowest PQ (else AP, else IoU) on; those without one last."""
    main = next((name for name in ("PQ", "AP", "IoU") if any(name in row for row in per_class)), None)

    def place(row: dict) -> float:
        value = row.get(main)
        return math.inf if value is None else value

    return sorted(per_class, key=place)


def summarise(
    categories: Sequence[Category], results: Mapping[str, Result], confusion: np.ndarray | None = None
) -> Evaluation:
    """The :class:`Evaluation` of the results by task. Of a thing only an instance result has an AP."""
    averages: dict[str, float] = {}
    rows = [{"id": c.id, "name": c.name, "is_thing": c.is_thing} for c in categories]
    for task, result in results.items():
        averages |= _AVERAGES[task](result)
        for class_id, row in enumerate(rows):
            row |= _CLASSES[task](result, class_id)
    by_size = _by_size(results["instance"]) if "instance" in results else None
    return Evaluation(averages, rows, confusion, by_size)


def _panoptic_averages(result: PanopticResult) -> dict[str, float]:
    return {
        "PQ": result.pq, "SQ": result.sq, "RQ": result.rq,
        "PQ_th": result.pq_things, "SQ_th": result.sq_things, "RQ_th": result.rq_things,
        "PQ_st": result.pq_stuff, "SQ_st": result.sq_stuff, "RQ_st": result.rq_stuff,
    }  # fmt: skip


def _panoptic_class(result: PanopticResult, class_id: int) -> dict:
    c = result.per_class[class_id]
    values = (c.pq, c.sq, c.rq) if c.seen else (None,) * 3
    return dict(zip(("PQ", "SQ", "RQ", "TP", "FP", "FN"), (*values, c.tp, c.fp, c.fn)))


def _instance_averages(result: InstanceResult) -> dict[str, float]:
    return {"AP": result.ap, "AP50": result.ap50, "AP75": result.ap75}


def _by_size(result: InstanceResult) -> dict[str, float | None]:
    sizes = {"small": result.ap_small, "medium": result.ap_medium, "large": result.ap_large}
    return {name: _known(value) for name, value in sizes.items()}


def _instance_class(result: InstanceResult, class_id: int) -> dict:
    return {"AP": _known(result.per_class.get(class_id, math.nan))}


def _semantic_averages(result: SemanticResult) -> dict[str, float]:
    return {"mIoU": result.miou, "mDice": result.mdice, "pixel_accuracy": result.pixel_accuracy}


def _semantic_class(result: SemanticResult, class_id: int) -> dict:
    return {
        "IoU": _known(float(result.per_class_iou[class_id])),
        "dice": _known(float(result.per_class_dice[class_id])),
        "accuracy": _known(float(result.per_class_accuracy[class_id])),
    }


_AVERAGES = {"panoptic": _panoptic_averages, "instance": _instance_averages, "semantic": _semantic_averages}
_CLASSES = {"panoptic": _panoptic_class, "instance": _instance_class, "semantic": _semantic_class}


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _text(value: float | None) -> str:
    return _DASH if value is None else f"{value:.1f}"
