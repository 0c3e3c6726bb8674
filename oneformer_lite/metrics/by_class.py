"""What an evaluation says of each class: a row of scores and counts, and the table of all rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ..listing import few
from .instance import InstanceResult
from .panoptic import PanopticResult
from .semantic import SemanticResult

Row = dict[str, object]
SCORES = ("PQ", "SQ", "RQ", "AP", "IoU", "dice", "accuracy")  # of a class, in percent
COUNTS = ("TP", "FP", "FN", "objects", "pixels")  # what they rest on
OF_TASK = {
    "panoptic": ("PQ", "SQ", "RQ", "TP", "FP", "FN"),
    "instance": ("AP", "AP_small", "AP_medium", "AP_large", "objects", "detections"),
    "semantic": ("IoU", "dice", "accuracy", "pixels", "predicted_pixels"),
}
_DASH = "-"


def panoptic_row(result: PanopticResult, class_id: int) -> Row:
    """The columns of :data:`OF_TASK`."""
    c = result.per_class[class_id]
    values = (c.pq, c.sq, c.rq) if c.seen else (None,) * 3
    return dict(zip(OF_TASK["panoptic"], (*values, c.tp, c.fp, c.fn)))


def instance_row(result: InstanceResult, class_id: int) -> Row:
    """The columns of :data:`OF_TASK`, all None of a class that is no thing."""
    if class_id not in result.per_class:
        return dict.fromkeys(OF_TASK["instance"])
    values = (result.per_class[class_id], *result.per_class_by_size[class_id])
    return dict(zip(OF_TASK["instance"], (*map(known, values), *result.counts[class_id])))


def semantic_row(result: SemanticResult, class_id: int) -> Row:
    """The columns of :data:`OF_TASK`."""
    values = (result.per_class_iou, result.per_class_dice, result.per_class_accuracy)
    pixels = (int(result.annotated[class_id]), int(result.predicted[class_id]))
    return dict(zip(OF_TASK["semantic"], (*(known(float(v[class_id])) for v in values), *pixels)))


def known(value: float) -> float | None:
    """The value, or None for nan: in JSON."""
    return None if math.isnan(value) else value


def columns_of(rows: Sequence[Mapping]) -> list[str]:
    """The scores and counts that the rows have."""
    return [name for name in (*SCORES, *COUNTS) if any(name in row for row in rows)]


def worst_first(rows: Sequence[Mapping]) -> list[Mapping]:
    """The rows from the lowest PQ (else AP, else IoU) on; those without one last."""
    main = next((name for name in ("PQ", "AP", "IoU") if any(name in row for row in rows)), None)

    def place(row: Mapping) -> float:
        value = row.get(main)
        return math.inf if value is None else value

    return sorted(rows, key=place)


def scored(rows: Sequence[Mapping]) -> list[Mapping]:
    """The rows with some score, :func:`worst_first`."""
    return worst_first([row for row in rows if any(row.get(name) is not None for name in SCORES)])


def absent(rows: Sequence[Mapping]) -> list[str]:
    """The classes of which no object and no pixel is annotated, though they were judged."""
    counts = {row["name"]: [row.get(name) for name in ("TP", "FN", "objects", "pixels")] for row in rows}
    return [name for name, of in counts.items() if any(n is not None for n in of) and not any(of)]


def left_out_words(rows: Sequence[Mapping]) -> list[str]:
    """Sentences on the rows that :func:`scored` leaves out, and why they have no score."""
    nowhere = absent(rows)
    unjudged = len(rows) - len({row["name"] for row in scored(rows)}.union(nowhere))
    words = [f"annotated nowhere in these pictures (crowds aside): {few(nowhere, 20)}"] if nowhere else []
    return words + ([f"not judged, as they are no things: {unjudged} classes"] if unjudged else [])


def table(rows: Sequence[Mapping], most: int | None = None) -> str:
    """The scored classes as lines of text, at most ``most``, and what is left out."""
    names, shown = columns_of(rows), scored(rows)
    left, shown = len(shown[most:]) if most is not None else 0, shown[:most]
    cells = [names, *([cell(row.get(name)) for name in names] for row in shown)]
    widths = [max(8 if name in SCORES else 4, *(len(line[i]) for line in cells)) for i, name in enumerate(names)]
    first = ["class", *(str(row["name"]) for row in shown)]
    wide = max(map(len, first))
    lines = [
        f"{name:<{wide}}" + "".join(f"  {text:>{width}}" for text, width in zip(line, widths))
        for name, line in zip(first, cells)
    ]
    return "\n".join([*lines, *([f"and {left} more classes"] if left else []), *left_out_words(rows)])


def cell(value: object, dash: str = _DASH) -> str:
    """A percentage with one decimal, a count as it is, a dash for what was not measured."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return dash
    return f"{value:.1f}" if isinstance(value, float) else str(value)
