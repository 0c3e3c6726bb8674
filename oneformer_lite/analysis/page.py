"""The page of an analysis: bars that open to the pictures behind them, and those in inspectors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..metrics import Evaluation
from ..metrics.by_class import cell, columns_of, left_out_words, scored
from ..render.pages import embedded_json, fill, read
from .curves import STYLES, precision_recall_svg
from .errors import KINDS
from .pixels import PIXEL_KINDS

_DASH = "–"
_WHOLE = 24  # classes up to which the whole confusion matrix is a table
_LISTED = 30  # classes of a list
_TITLES = {"panoptic": "Panoptic segments", "instance": "Instances", "semantic": "Semantic pixels"}


def analysis_page(
    numbers: Mapping, metrics: Evaluation, subject: str, inside: Mapping[int, Mapping[str, str]] | None = None
) -> str:
    """``inside``: picture -> inspector -> its page, for a page of its own; None: the piece that a notebook shows."""
    from markupsafe import Markup

    columns = columns_of(metrics.per_class)
    return fill(
        "analysis/page.html",
        whole_page=inside is not None,
        subject=subject,
        style=Markup(read("analysis/page.css")),
        script=Markup(read("analysis/page.js")),
        inside=inside or {},
        pages=Markup(embedded_json(inside or {})),
        averages=[(name, cell(value, _DASH)) for name, value in metrics.items()],
        columns=columns,
        rows=[(row["name"], [cell(row.get(name), _DASH) for name in columns]) for row in scored(metrics.per_class)],
        words=left_out_words(metrics.per_class),
        tasks=[_task(name, found) for name, found in numbers.items() if name in _TITLES],
    )


def _task(task: str, found: Mapping) -> dict:
    """The parts of one task, each with bars: title, value from 0 to 1, text, hint and pictures."""
    parts = {
        "title": _TITLES[task],
        "unit": "pixels" if task == "semantic" else "segments",
        "total": f"{found['errors']['total']:,}",
        "errors": _errors(found["errors"], PIXEL_KINDS if task == "semantic" else KINDS),
        "confused": [
            _bar(
                f"{row['annotated']} taken for {row['predicted']}", row["share"], f"{row['count']:,}",
                f"{row['share']:.1%} of what is annotated {row['annotated']}", row["pictures"],
            )
            for row in found["most_confused"]
        ],
        "matrix": _matrix(*found["confusion"].values()),
        "outlines": found["boundary"],
        "outline_bars": _outline_bars(found["boundary"]),
        "calibration_error": cell(_percent(found["calibration"]["expected_calibration_error"]), _DASH),
        "scores": _score_bars(found["calibration"]["bins"]),
        "sizes": _size_bars(found.get("by_size", [])),
        "curve": None,
    }  # fmt: skip
    return parts | (_curve(found["precision_recall"]) if "precision_recall" in found else {})


def _bar(title: str, value: float, text: str, hint: str = "", pictures=(), mark: float | None = None) -> dict:
    return {"title": title, "value": value, "text": text, "hint": hint, "pictures": pictures, "mark": mark}


def _errors(errors: Mapping, meanings: Mapping[str, str]) -> list[dict]:
    return [
        _bar(k["kind"], k["share"], f"{k['share']:.0%} ({k['count']:,})", meanings[k["kind"]], k["pictures"])
        for k in errors["kinds"]
    ]


def _outline_bars(boundary: Mapping) -> list[dict]:
    return [
        _bar(
            row["class"], row["boundary_iou"] / 100, f"{row['boundary_iou']:.1f}",
            f"mask IoU {cell(row['iou'], _DASH)}" + (f", {row['found']:,} found" if "found" in row else ""),
            row["pictures"], None if row["iou"] is None else row["iou"] / 100,
        )
        for row in boundary["classes"][:_LISTED]
    ]  # fmt: skip


def _score_bars(bins: list[dict]) -> list[dict]:
    return [
        _bar(
            f"{b['low']:.1f} to {b['high']:.1f}", b["right"], f"{b['right']:.0%}",
            f"{b['count']:,.0f} with a mean score of {b['score']:.2f}", b["pictures"], b["score"],
        )
        for b in bins
    ]  # fmt: skip


def _size_bars(sizes: list[dict]) -> list[dict]:
    bars = []
    for row in sizes:
        scores = [f"{name} {cell(row[name], _DASH)}" for name in ("PQ", "AP") if name in row]
        hint = f"{row['TP']:,} found, {row['FP']:,} invented, {row['FN']:,} not found"
        bars.append(_bar(row["size"], (row["PQ"] or 0) / 100, ", ".join(scores), hint, row["pictures"]))
    return bars


def _curve(curves: Mapping) -> dict:
    from markupsafe import Markup

    drawing = precision_recall_svg(curves["recall"], curves["mean"])
    classes = sorted(curves["classes"].items(), key=lambda entry: np.mean(entry[1]))
    bars = [
        _bar(name, float(np.mean(values)), f"{100 * np.mean(values):.1f}", "", curves["pictures"][name])
        for name, values in classes[:_LISTED]
    ]
    return {"curve": Markup(drawing), "lines": list(STYLES.items()), "curve_bars": bars}


def _matrix(names: list[str], counts: list[list[int]]) -> dict | None:
    """Shares of what is annotated, of the classes that occur; None where these are too many for a table."""
    table = np.array(counts)
    rows = [i for i in range(len(table)) if table[i].any()]
    columns = [j for j in range(table.shape[1]) if table[:, j].any()]
    if not rows or max(len(rows), len(columns)) > _WHOLE:
        return None
    shares = table[np.ix_(rows, columns)] / table[rows].sum(1, keepdims=True)

    def cells(i: int, line: np.ndarray) -> list[tuple[float, str, bool]]:
        return [(float(s), f"{100 * s:.0f}" if s >= 0.005 else "", i == j) for s, j in zip(line, columns)]

    lines = [(names[i], cells(i, line)) for i, line in zip(rows, shares)]
    return {"columns": [names[j] for j in columns], "rows": lines}


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value
