"""What an evaluation found: the averages that one quotes, and what they are averages of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np

from ..data.sample import Category
from .by_class import absent, instance_row, known, panoptic_row, semantic_row, table
from .instance import InstanceResult
from .panoptic import PanopticResult
from .semantic import SemanticResult

Result = PanopticResult | InstanceResult | SemanticResult


class Evaluation(dict[str, float]):
    """A dict of percentages by name, nan where there was nothing to measure, with these things besides:

    ``ap_by_size``: AP of the "small", "medium" and "large" masks (parted at 32 x 32 and 96 x 96 pixels), None where
    none is annotated; empty without the instance task.
    ``per_class``: for each class a dict with ``id`` (of the annotation file), ``name``, ``is_thing`` and, by task, PQ,
    SQ, RQ with the counts TP, FP, FN; AP and AP_small, AP_medium, AP_large with the counts ``objects`` (annotated, no
    crowds) and ``detections`` (predicted, whatever their score); IoU, dice, accuracy with ``pixels`` and
    ``predicted_pixels``. None where the class was not annotated, or is no thing.
    ``absent``: the names of the judged classes that are annotated nowhere, so that nobody takes None for 0.
    ``confusion``: pixels int64 [K, K + 1] of the semantic task, rows annotated, columns predicted (the last as
    nothing); None without that task.
    ``results``: what the metric of each task found, by task.
    """

    def __init__(
        self,
        averages: Mapping[str, float],
        per_class: Sequence[dict] = (),
        confusion: np.ndarray | None = None,
        ap_by_size: Mapping[str, float | None] | None = None,
        results: Mapping[str, Result] | None = None,
    ) -> None:
        super().__init__(averages)
        self.per_class, self.confusion, self.ap_by_size = list(per_class), confusion, dict(ap_by_size or {})
        self.results = dict(results or {})

    @property
    def absent(self) -> list[str]:
        return absent(self.per_class)

    def to_dict(self) -> dict:
        """All of it, ready for JSON, None for nan."""
        confusion = None if self.confusion is None else self.confusion.tolist()
        return {
            **{name: known(value) for name, value in self.items()},
            "AP_by_size": self.ap_by_size, "per_class": self.per_class, "absent": self.absent, "confusion": confusion,
        }  # fmt: skip

    def to_json(self, indent: int | None = None) -> str:
        """:meth:`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=indent)

    def table(self, most: int | None = None) -> str:
        """The classes as lines of text, the worst first, at most ``most``; those that are annotated nowhere are named
        below."""
        return table(self.per_class, most)


def summarise(
    categories: Sequence[Category], results: Mapping[str, Result], confusion: np.ndarray | None = None
) -> Evaluation:
    """The :class:`Evaluation` of the results by task. Of a thing only an instance result has an AP."""
    averages: dict[str, float] = {}
    rows = [{"id": c.id, "name": c.name, "is_thing": c.is_thing} for c in categories]
    for task, result in results.items():
        averages |= _AVERAGES[task](result)
        for class_id, row in enumerate(rows):
            row |= _ROWS[task](result, class_id)
    by_size = _by_size(results["instance"]) if "instance" in results else None
    return Evaluation(averages, rows, confusion, by_size, results)


def _panoptic_averages(result: PanopticResult) -> dict[str, float]:
    return {
        "PQ": result.pq, "SQ": result.sq, "RQ": result.rq,
        "PQ_th": result.pq_things, "SQ_th": result.sq_things, "RQ_th": result.rq_things,
        "PQ_st": result.pq_stuff, "SQ_st": result.sq_stuff, "RQ_st": result.rq_stuff,
    }  # fmt: skip


def _instance_averages(result: InstanceResult) -> dict[str, float]:
    return {"AP": result.ap, "AP50": result.ap50, "AP75": result.ap75}


def _by_size(result: InstanceResult) -> dict[str, float | None]:
    sizes = {"small": result.ap_small, "medium": result.ap_medium, "large": result.ap_large}
    return {name: known(value) for name, value in sizes.items()}


def _semantic_averages(result: SemanticResult) -> dict[str, float]:
    return {"mIoU": result.miou, "mDice": result.mdice, "pixel_accuracy": result.pixel_accuracy}


_AVERAGES = {"panoptic": _panoptic_averages, "instance": _instance_averages, "semantic": _semantic_averages}
_ROWS = {"panoptic": panoptic_row, "instance": instance_row, "semantic": semantic_row}
