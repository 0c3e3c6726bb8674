"""What was counted as numbers for JSON and the page: each figure with the pictures behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..metrics import Evaluation, InstanceResult
from ..metrics.by_class import known
from .calibration import BINS, Calibration, bin_name
from .pixels import PixelFindings
from .segments import SIZES, SegmentFindings, confused

# bar -> [{"picture": number, "name": of the file, "count": how much of the bar}]
Pictures = Callable[..., list[dict]]
MOST_CONFUSED = 20


def of_segments(f: SegmentFindings, metrics: Evaluation, pictures: Pictures) -> dict:
    """All findings on the panoptic or the instance task."""
    found = {
        "errors": _shares(f.task, f.errors, pictures),
        "by_size": _by_size(f, metrics, pictures),
        "confusion": {"annotated_and_predicted": [*f.names, "nothing"], "segments": f.confusion.tolist()},
        "most_confused": _most_confused(f.task, f.names, f.confusion, pictures),
        "boundary": _outlines(f, pictures),
        "calibration": _calibration(f.task, f.calibration, pictures),
    }
    if f.task == "instance":
        found["precision_recall"] = _curves(metrics.results["instance"], f.names, pictures)
    return found


def of_pixels(f: PixelFindings, metrics: Evaluation, pictures: Pictures) -> dict:
    """All findings on the semantic task."""
    both, either = f.outlines.T.astype(float)
    values = np.divide(100 * both, either, out=np.full(len(both), np.nan), where=either > 0)
    annotated = metrics.confusion.sum(1) > 0
    classes = [
        {"class": name, "boundary_iou": float(value), "iou": row["IoU"], "pictures": pictures("boundary", f.task, name)}
        for name, value, row, seen in zip(f.names, values, metrics.per_class, annotated)
        if seen
    ]
    mean = float(np.mean([row["boundary_iou"] for row in classes])) if classes else None
    return {
        "errors": _shares(f.task, f.errors, pictures),
        "confusion": {"annotated_and_predicted": [*f.names, "nothing"], "pixels": metrics.confusion.tolist()},
        "most_confused": _most_confused(f.task, f.names, metrics.confusion, pictures),
        "boundary": {"boundary_iou": mean, "iou": known(metrics["mIoU"]), "classes": _worst(classes)},
        "calibration": _calibration(f.task, f.calibration, pictures),
    }


def _shares(task: str, errors: Mapping[str, int], pictures: Pictures) -> dict:
    total = sum(errors.values())
    kinds = [
        {"kind": kind, "count": count, "share": count / total if total else 0.0,
         "pictures": pictures("errors", task, kind)}
        for kind, count in errors.items()
    ]  # fmt: skip
    return {"total": total, "kinds": kinds}


def _by_size(f: SegmentFindings, metrics: Evaluation, pictures: Pictures) -> list[dict]:
    """PQ by size: true positives and misses by the annotated area, false positives by their own."""
    rows = []
    for number, size in enumerate(SIZES):
        tp, fp, fn, iou = f.by_size[:, number].T
        seen = tp + fp + fn > 0
        with np.errstate(invalid="ignore", divide="ignore"):
            quality = np.where(seen, 100 * iou / (tp + fp / 2 + fn / 2), np.nan)
        row = {"size": size, "PQ": float(np.nanmean(quality)) if seen.any() else None}
        row |= {name: int(counts.sum()) for name, counts in (("TP", tp), ("FP", fp), ("FN", fn))}
        if f.task == "instance":
            row["AP"] = metrics.ap_by_size[size]
        rows.append(row | {"pictures": pictures("size", f.task, size)})
    return rows


def _most_confused(task: str, names: Sequence[str], confusion: np.ndarray, pictures: Pictures) -> list[dict]:
    """The largest cells off the diagonal between two classes; what is missed or invented is among the errors."""
    between = confusion[: len(names), : len(names)].copy()
    np.fill_diagonal(between, 0)
    order = np.argsort(-between, axis=None, kind="stable")[:MOST_CONFUSED]
    places = [(int(a), int(b)) for a, b in zip(*np.unravel_index(order, between.shape)) if between[a, b]]
    return [
        {"annotated": names[a], "predicted": names[b], "count": int(between[a, b]),
         "share": float(between[a, b] / max(1, confusion[a].sum())),
         "pictures": pictures("confusion", task, confused(names, a, b))}
        for a, b in places
    ]  # fmt: skip


def _outlines(f: SegmentFindings, pictures: Pictures) -> dict:
    """Means over found segments."""
    classes = [
        {"class": name, "found": int(n), "boundary_iou": 100 * boundary / n, "iou": 100 * iou / n,
         "pictures": pictures("boundary", f.task, name)}
        for name, (n, iou, boundary) in zip(f.names, f.outlines.tolist())
        if n
    ]  # fmt: skip
    n, iou, boundary = f.outlines.sum(0).tolist()
    mean = {"boundary_iou": 100 * boundary / n if n else None, "iou": 100 * iou / n if n else None}
    return {"found": int(n), **mean, "classes": _worst(classes)}


def _worst(classes: list[dict]) -> list[dict]:
    return sorted(classes, key=lambda row: row["boundary_iou"])


def _calibration(task: str, calibration: Calibration, pictures: Pictures) -> dict:
    bins = calibration.bins()
    for row in bins:
        row["pictures"] = pictures("calibration", task, bin_name(round(row["low"] * BINS)))
    return {"expected_calibration_error": known(calibration.error), "bins": bins}


def _curves(result: InstanceResult, names: Sequence[str], pictures: Pictures) -> dict:
    """Precision at the recalls 0, 0.01 ... 1, None where there is nothing to find; means over classes, and each class
    at an IoU of 0.5, with the pictures that have most of its errors."""
    known_classes = np.isfinite(result.precision).all((0, 1))
    kept, ids = result.precision[:, :, known_classes], np.array([*result.per_class])[known_classes]
    means = {"0.50": kept[0], "0.75": kept[5], "0.50 to 0.95": kept.mean(0)}
    return {
        "recall": [round(i / 100, 2) for i in range(101)],
        "mean": {name: values.mean(1).tolist() if len(ids) else None for name, values in means.items()},
        "classes": {names[i]: kept[0, :, column].tolist() for column, i in enumerate(ids)},
        "pictures": {names[i]: pictures("class", "instance", names[i]) for i in ids},
    }
