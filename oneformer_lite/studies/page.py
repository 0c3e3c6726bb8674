"""A study to look at: as text, as HTML in a notebook, and as a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..render.differences import Bar, band_figure, difference_figure
from ..render.grid import data_uri
from ..render.pages import fill, read
from ..render.plots import DARK, LIGHT, Theme
from .definition import Definition
from .results import Result
from .summary import BASELINE, BETTER, FACTOR, FEW, FEWEST, HINT, UNSEEN, WORSE, Row, signed
from .timing import duration
from .variants import difference_words

_DASH = "–"
_MARKS = {BETTER: "▲", WORSE: "▼", HINT: "?"}
_SHORT = {BETTER: "better", WORSE: "worse", HINT: "a hint", UNSEEN: "not seen", FEW: "too few seeds", BASELINE: ""}
MOST_CURVES = 60  # variants whose curves are drawn


class Shown(Protocol):
    """What is shown of a study (:class:`.Study` has it)."""

    definition: Definition

    @property
    def results(self) -> list[Result]: ...
    @property
    def status(self) -> str: ...
    @property
    def share(self) -> float: ...
    def seconds_left(self, at_once: int = 1) -> float | None: ...
    def rows(self, metric: str | None = None) -> list[Row]: ...


def table_text(rows: Sequence[Row]) -> str:
    """One metric as lines of text."""
    width = max(len(rows[0].metric), *(len(row.variant) for row in rows))
    lines = [f"{rows[0].metric:<{width}}  {'mean':>7}  {'lowest to highest':<17}  {'difference':>10}  seed by seed"]
    for row in rows:
        if row.mean is None:
            lines.append(f"{row.variant:<{width}}  {_DASH:>7}  {row.why}")
            continue
        told = f"{signed(row.difference):>10}  {seed_by_seed(row):<23}  {_SHORT[row.verdict]}"
        told = "" if row.is_baseline else told
        lines.append(f"{row.variant:<{width}}  {row.mean:7.2f}  {lowest_to_highest(row):<17}  {told}".rstrip())
    return "\n".join(lines)


def seed_by_seed(row: Row) -> str:
    return " ".join(signed(value) for value in row.differences.values())


def lowest_to_highest(row: Row) -> str:
    values = row.values.values()
    return f"{min(values):.2f} to {max(values):.2f}" if values else ""


def figure_of(rows: Sequence[Row], theme: Theme = LIGHT, dpi: int = 130) -> bytes:
    """The figure of one metric, PNG bytes; the baseline's own row shows what seeds alone make."""
    return difference_figure([_bar(row) for row in rows], f"{rows[0].metric}: difference to the baseline", theme, dpi)


def _bar(row: Row) -> Bar:
    if row.is_baseline and row.mean is not None:
        own = [value - row.mean for value in row.values.values()]
        return Bar(f"{row.variant} (baseline)", own, 0.0, FACTOR * (row.range or 0.0))
    seen = {BETTER: 1, WORSE: -1}.get(row.verdict, 0)
    words = row.why.partition(":")[0] or "no seed in common"
    return Bar(row.variant, list(row.differences.values()), row.difference, FACTOR * row.noise, seen, words)


def study_html(study: Shown, whole_page: bool = True) -> str:
    """A page for a browser, with all there is; or the piece of one that a notebook shows, in which the curves are left
    out."""
    from markupsafe import Markup

    results, definition = study.results, study.definition
    by_metric = {metric: study.rows(metric) for metric in definition.metrics}
    status, share = study.status, study.share
    left = duration(study.seconds_left()) if status == "running" else ""
    return fill(
        "studies/page.html",
        style=Markup(read("studies/page.css")), whole_page=whole_page, title=definition.title, status=status, left=left,
        share=share, done=len(results), runs=len(definition.runs), seeds=definition.seeds, metrics=definition.metrics,
        variants=definition.variants, fewest=FEWEST,
        overview=[_overview(study, place, by_metric, results) for place in range(len(definition.variants))],
        details=[_detail(metric, rows, whole_page) for metric, rows in by_metric.items()],
        curves=_curves(study, results) if whole_page else [], curve_metric=definition.metrics[0],
        troubles=[(r.variant, r.seed, r.failed or r.trouble) for r in results if r.failed or r.trouble],
        recipe=_recipe(study),
    )  # fmt: skip


def _overview(study: Shown, place: int, by_metric: dict[str, list[Row]], results: Sequence[Result]) -> dict:
    variant, reference = study.definition.variants[place], study.definition.reference
    own = [r for r in results if r.variant == variant.name and not r.failed]
    cells = [_cell(rows[place]) for rows in by_metric.values()]
    seconds = [r.seconds / r.steps for r in own if r.steps]
    return {
        "name": variant.name, "note": variant.note, "cells": cells, "is_baseline": variant is reference,
        "changes": "" if variant is reference else difference_words(variant, reference), "budget": variant.budget,
        "pace": f"{sum(seconds) / len(seconds):.3g} s" if seconds else _DASH,
        "size": f"{own[0].parameters / 1e6:.2f} M" if own else _DASH,
    }


def _cell(row: Row) -> dict:
    told = "" if row.is_baseline or row.mean is None else signed(row.difference, 1)
    mean = _DASH if row.mean is None else f"{row.mean:.1f}"
    return {"mean": mean, "difference": told, "verdict": row.verdict, "mark": _MARKS.get(row.verdict, ""),
            "words": row.words}  # fmt: skip


def _detail(metric: str, rows: Sequence[Row], whole_page: bool) -> dict:
    lines = [
        (row.variant, _DASH if row.mean is None else f"{row.mean:.2f}", lowest_to_highest(row),
         "" if row.verdict == BASELINE else seed_by_seed(row), row.verdict, row.words)
        for row in rows
    ]  # fmt: skip
    light, dark = (data_uri(figure_of(rows, theme)) if whole_page or theme is LIGHT else "" for theme in (LIGHT, DARK))
    return {"metric": metric, "light": light, "dark": dark, "rows": lines}


def _curves(study: Shown, results: Sequence[Result]) -> list[dict]:
    """Of each variant its curve over the baseline's: of the first metric, and of the loss."""
    metric, baseline, found = study.definition.metrics[0], study.definition.baseline, []
    others = [v.name for v in study.definition.variants if v.name != baseline]
    for name in (others or [baseline])[:MOST_CURVES]:
        for curve in (metric, "loss"):
            both = {n: [r.curves.get(curve, []) for r in results if r.variant == n] for n in (baseline, name)}
            if any(map(len, both[name])):
                light, dark = (data_uri(band_figure(both, curve, theme)) for theme in (LIGHT, DARK))
                found.append({"name": name, "curve": curve, "light": light, "dark": dark})
    return found


def _recipe(study: Shown) -> list[tuple[str, str]]:
    """What all variants share, as far as it decides numbers."""
    definition, c = study.definition, study.definition.reference.train_config
    judged = "all validation pictures" if definition.judged is None else f"{definition.judged} validation pictures"
    pictures = [str(part.get("count", "?")) for part in definition.data or ()]
    return [
        ("model of the baseline", study.definition.reference.config.model_type),
        ("budget of a run", definition.reference.budget),
        ("pictures to learn from", pictures[0] if pictures else "not opened yet"),
        ("judged on", judged + (f" ({pictures[1]})" if pictures and definition.judged is None else "")),
        ("pictures a step", str(c.batch_size)),
        ("optimiser", f"AdamW, learning rate {c.lr:g}, weight decay {c.weight_decay:g}, {c.schedule}"),
        ("seeds", ", ".join(map(str, definition.seeds))),
        ("threads of a run", str(definition.threads)),
    ]
