"""The report of a run: pictures, scores, curves and recipe in one HTML file, for no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..files import replacing
from ..metrics.by_class import cell, columns_of, left_out_words, scored
from ..render.confusion import confusion_picture
from ..render.curves import Record, loss_curves, metric_curves
from ..render.grid import data_uri, webp_bytes
from ..render.pages import fill
from ..render.plots import DARK, LIGHT

REPORT_NAME = "report.html"

_HEADLINE = (
    ("PQ", "panoptic quality", "segments found, and how well they fit"),
    ("AP", "instance mask AP", "mean over IoU thresholds 0.50 to 0.95"),
    ("mIoU", "semantic mean IoU", "overlap by class, averaged"),
)
_DASH = "–"


@dataclass(frozen=True)
class GalleryRow:
    """One scene of the gallery: uint8 [H, W, 3] pictures of one size, 256 pixels or more a side."""

    image: np.ndarray
    truth: np.ndarray
    panoptic: np.ndarray
    instance: np.ndarray
    semantic: np.ndarray
    caption: str = ""


def write_report(folder: Path | str, **content: Any) -> Path:
    """Write ``folder/report.html``, the page that :func:`report_html` makes of ``content``, all at once; its path."""
    page = report_html(**content)
    path = Path(folder) / REPORT_NAME
    with replacing(path) as draft:
        draft.write_text(page, encoding="utf-8")
    return path


def report_html(
    *,
    title: str,
    history: Sequence[Record],
    metrics: Mapping[str, float],
    gallery: Sequence[GalleryRow],
    recipe: Mapping[str, object],
    wrong_token: Mapping[str, Mapping[str, float]] | None,
    next_steps: Sequence[str],
    per_class: Sequence[Mapping[str, object]] = (),
    confusion: np.ndarray | None = None,
) -> str:
    """The page as text.

    ``history``: the lines of metrics.jsonl. ``metrics``: percent, named PQ, SQ, RQ (plain, ``_th``,
    ``_st``), AP, AP50, AP_small, AP_medium, AP_large, mIoU, mDice, pixel_accuracy; what is absent shows as a dash.
    ``recipe``: label -> value. ``wrong_token``: task token -> metrics of the same weights under it, or None.
    ``next_steps``: sentences; text in backticks is set as code. ``per_class`` and ``confusion``: as an
    :class:`~oneformer_lite.metrics.Evaluation` has them; left out, the page has no table of classes.
    """
    return fill(
        "runs/report.html",
        percent=percent,
        title=title,
        headline=[(*entry, metrics.get(entry[0])) for entry in _HEADLINE],
        panoptic=_panoptic_table(metrics),
        others=_other_metrics(metrics),
        curves=_curves(history),
        gallery=[_pictures(row) for row in gallery],
        wrong_token=_token_table(wrong_token) if wrong_token else None,
        recipe=[(label, _value(value)) for label, value in recipe.items()],
        next_steps=[step.split("`") for step in next_steps],  # odd pieces stood in backticks
        classes=_class_table(per_class) if per_class else None,
        confusion=None if confusion is None else _confusion(confusion, [str(row["name"]) for row in per_class]),
    )


def percent(value: float | None) -> str:
    """One decimal, or a dash for what was not measured."""
    return cell(None if value is None else float(value), _DASH)


def _panoptic_table(metrics: Mapping[str, float]) -> list[tuple[str, list[float | None]]]:
    rows = (("all classes", ""), ("things", "_th"), ("stuff", "_st"))
    return [(name, [metrics.get(m + end) for m in ("PQ", "SQ", "RQ")]) for name, end in rows]


def _other_metrics(metrics: Mapping[str, float]) -> list[tuple[str, str, float | None]]:
    entries = (
        ("instance", "AP", "AP"),
        ("instance", "AP50", "AP50"),
        ("instance", "AP of small masks (under 32 x 32 pixels)", "AP_small"),
        ("instance", "AP of medium masks (under 96 x 96)", "AP_medium"),
        ("instance", "AP of large masks", "AP_large"),
        ("semantic", "mIoU", "mIoU"),
        ("semantic", "mean dice (F1)", "mDice"),
        ("semantic", "pixel accuracy", "pixel_accuracy"),
    )
    return [(task, name, metrics.get(key)) for task, name, key in entries]


def _class_table(per_class: Sequence[Mapping[str, object]]) -> dict[str, list]:
    """Columns and rows of (name, values), worst first, and sentences on the classes without a score."""
    columns = columns_of(per_class)
    rows = [(row["name"], [cell(row.get(name), _DASH) for name in columns]) for row in scored(per_class)]
    return {"columns": columns, "rows": rows, "words": left_out_words(per_class)}


def _confusion(confusion: np.ndarray, names: Sequence[str]) -> tuple[str, int, int]:
    """Source, width and height of the picture."""
    picture = confusion_picture(confusion, names)
    return data_uri(webp_bytes(picture)), picture.shape[1], picture.shape[0]


def _token_table(wrong_token: Mapping[str, Mapping[str, float]]) -> dict[str, list]:
    """Columns and rows of (value, is it alone the column's best, as shown) for the table of task tokens."""
    columns = list(dict.fromkeys(name for row in wrong_token.values() for name in row))
    shown = {c: [round(row[c], 1) for row in wrong_token.values() if row.get(c) is not None] for c in columns}
    best = {c: max(values) for c, values in shown.items() if values.count(max(values, default=None)) == 1}
    rows = [
        (token, [(row.get(c), row.get(c) is not None and round(row[c], 1) == best.get(c)) for c in columns])
        for token, row in wrong_token.items()
    ]
    return {"columns": columns, "rows": rows}


def _curves(history: Sequence[Record]) -> list[tuple[str, str, str]]:
    """(caption, light picture, dark picture) of each plot; none where nothing was recorded."""
    plots = []
    if any(r.get("kind") == "train" for r in history):
        plots.append(("Losses, summed over the decoder's predictions", loss_curves))
    if any(r.get("kind") in ("eval", "final") for r in history):
        plots.append(("Scores on the validation split", metric_curves))
    return [
        (caption, data_uri(draw(history, LIGHT)), data_uri(draw(history, DARK)))
        for caption, draw in plots
    ]


def _pictures(row: GalleryRow) -> dict[str, object]:
    columns = (
        ("image", row.image),
        ("ground truth", row.truth),
        ("panoptic", row.panoptic),
        ("instance", row.instance),
        ("semantic", row.semantic),
    )
    height, width = row.image.shape[:2]
    return {
        "caption": row.caption,
        "width": width,
        "height": height,
        "pictures": [(name, data_uri(webp_bytes(picture))) for name, picture in columns],
    }


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
