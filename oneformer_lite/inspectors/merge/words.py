"""Tables of a panoptic merge: the fates of all queries, and the panoptic quality class by class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ...metrics.overlaps import SegmentMatching
from ...metrics.panoptic import PanopticResult
from ...render.colors import RGB

FATE_WORDS = {
    "unsure": "dropped: score too low",
    "unseen": "dropped: no pixel of its mask left",
    "covered": "dropped: share too small",
    "joined": "joins segment",
    "kept": "segment",
}
QUALITY_COLUMNS = ("class", "TP", "FP", "FN", "SQ", "RQ", "PQ", "IoUs of TP; best of FP, FN")
QUALITY_RULE = "PQ = SQ × RQ for each class; SQ: mean IoU of the TP; RQ = TP / (TP + FP/2 + FN/2)"

# what MergeInspector says of models that merge otherwise, by config.POSTPROCESSING
OTHER_RULES = {"detr": (
    "This model gives each pixel to the greatest mask logit, whoever is surer of its class, and drops segments of a "
    "few pixels until none is left: there is no overlap to ask for, no void, and no threshold but the one for the "
    "class, so there are no steps to follow here. The picture shows what its own rule "
    "(oneformer_lite/inference/detr.py) makes of it."
), "knet": (
    "In this model all queries compete for every pixel, also the unsure ones. Then things below the threshold drop "
    "out, and whoever won too little of its mask, and what they had won stays void; stuff needs no score. Thresholds "
    "decide only what becomes void, so there are no steps to follow here. The picture shows what its own rule "
    "(oneformer_lite/inference/knet.py) makes of it."
), "panoptic_segformer": (
    "This model paints one mask after the other, the one first whose class is surest and whose mask is fullest, where "
    "nothing is yet, and leaves out what would keep too little: nobody competes for pixels, so there are no steps to "
    "follow here. The picture shows what its own rule (oneformer_lite/inference/panoptic_segformer.py) makes of it."
)}  # fmt: skip
BY_PIXEL = (
    "This model has a mask for each class, and every pixel goes to the likeliest one: it knows no segments that could "
    "be merged. The picture shows what it makes of it."
)


@dataclass(frozen=True)
class FateRow:
    """One line of the table of fates; ``areas``: own and won pixels where the query competes, ``color``: of its
    segment, ``words``: what happens to it, empty before its turn."""

    query: int
    name: str
    score: float
    areas: tuple[int, int] | None
    color: RGB | None
    words: str


def fates_table(rows: Sequence[FateRow], current: int | None, rejected: int) -> str:
    """HTML: the candidates in the order of the merge, ``current`` marked; ``rejected``: how many are no object."""
    head = "".join(f"<th>{name}</th>" for name in ("query", "class", "fate", "score", "mask", "won", "share"))
    lines = "".join(_fate_line(row, row.query == current) for row in rows)
    rest = f"{rejected} more queries: no object is their surest class"
    return (
        f'<div class="ofl-scroll"><table class="ofl-table"><tr>{head}</tr>{lines}'
        f'<tr><td colspan="7">{rest}</td></tr></table></div>'
    )


# What a prediction says where nothing is annotated costs nothing: it lies on void.
NOTHING_TO_SCORE = "Nothing is annotated, and no prediction counts as false: PQ is not defined."


def quality_table(result: PanopticResult, matching: SegmentMatching) -> str:
    """HTML: the panoptic quality of one picture, class by class, with the IoUs behind it."""
    seen = [quality for quality in result.per_class if quality.seen]
    if not seen:
        return f"<p>{NOTHING_TO_SCORE}</p>"
    ious = _ious_by_class(result, matching)
    lines = [
        (q.name, str(q.tp), str(q.fp), str(q.fn), *(f"{value:.1f}" for value in (q.sq, q.rq, q.pq)), ious[q.name])
        for q in seen
    ]
    counts = (sum(q.tp for q in seen), sum(q.fp for q in seen), sum(q.fn for q in seen))
    means = (f"{value:.1f}" for value in (result.sq, result.rq, result.pq))
    lines.append((f"mean of {len(seen)}", *map(str, counts), *means, ""))
    head = "".join(f"<th>{name}</th>" for name in QUALITY_COLUMNS)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in line)}</tr>" for line in lines)
    return (
        f"<div><b>PQ {result.pq:.1f}</b> &nbsp; {QUALITY_RULE}</div>"
        f'<div class="ofl-scroll"><table class="ofl-table"><tr>{head}</tr>{rows}</table></div>'
    )


def _ious_by_class(result: PanopticResult, matching: SegmentMatching) -> dict[str, str]:
    groups = {"": matching.matches, "FP ": matching.false_positives, "FN ": matching.false_negatives}
    return {
        quality.name: "; ".join(
            word + _counted([f"{item.iou:.2f}" for item in items if item.class_id == class_id])
            for word, items in groups.items()
            if any(item.class_id == class_id for item in items)
        )
        for class_id, quality in enumerate(result.per_class)
    }


def _counted(words: list[str]) -> str:
    """Equal ones together: thirteen missed books are no thirteen numbers."""
    return ", ".join(f"{number} × {word}" if number > 1 else word for word, number in Counter(words).items())


def _fate_line(row: FateRow, current: bool) -> str:
    dot = f'<i class="ofl-dot" style="background:rgb{row.color}"></i>' if row.color else ""
    own, won = row.areas or (None, None)
    share = "" if not own else f"{won / own:.3f}" if won <= own else "over 1"
    told = f"{escape(row.name)}</td><td>{dot}{escape(row.words)}"
    cells = (told, f"{row.score:.3f}", "" if own is None else f"{own:,}", "" if won is None else f"{won:,}", share)
    style = ' class="ofl-marked"' if current else "" if row.words else ' class="ofl-later"'
    return f"<tr{style}><td>{row.query}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
