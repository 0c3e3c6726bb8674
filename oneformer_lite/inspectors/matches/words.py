"""What MatchInspector says of an assignment, as HTML. ``inspectors/matches/page.js`` says the same in the exported
page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from ...render.colors import RGB
from .pictures import CHANGED, MATCHED, RAMP, ramp_color

if TYPE_CHECKING:
    from .assigning import MatchView

CLAIMS: RGB = (230, 159, 0)
SILENT: RGB = (0, 114, 178)
FEW = 150  # bars that have room for gaps on a phone


def how_matched(before: bool, fixed: int, queries: int) -> str:
    """What is different of a model's matching, in sentences that follow others; nothing of most models. ``before``:
    whether a prediction is matched by the one before it; ``fixed``: how many of all ``queries``, the last, have a class
    of their own."""
    words = ""
    if fixed:
        words += (
            f" Stuff is not matched: each class has a query of its own, {queries - fixed} to {queries - 1}, which are "
            "not shown."
        )
    if before:
        words += (
            " Each stage is matched with the masks and classes of the stage before it, the first with its own: its "
            "costs are those of that stage, the masks beside them its own."
        )
    return words


def summary_html(view: MatchView, usual_weights: Sequence[float], left_out: int) -> str:
    """The sum of costs, how many pairs changed, and what the frames mean."""
    if not len(view.assigned):
        return "<b>No segment under this task:</b> every query learns “no object”."
    changed = int((view.assigned != view.usual).sum())
    usual = ", ".join(f"{weight:g}" for weight in usual_weights)
    pairs = len(view.assigned)
    words = [f"{pairs} {'pair' if pairs == 1 else 'pairs'}, sum of costs {view.cost:.2f}"]
    words.append(f"<b>{changed} changed</b> by the weights (against {usual})")
    if view.before is not None:
        moved = int((view.assigned != view.before).sum())
        words.append(f"{moved} {'differs' if moved == 1 else 'differ'} from the layer before")
    if left_out:
        words.append(f"{left_out} smaller segments have no query left: nobody learns them")
    strike = f"background:linear-gradient(150deg,#0000 40%,rgb{CHANGED} 40% 60%,#0000 60%)"
    legend = {
        "matched": f"border:3px solid rgb{MATCHED}",
        "newly matched": f"border:3px solid rgb{CHANGED}",
        "no longer": strike,
        "chosen": "border:2px solid var(--ofl-ink)",
        "cheap to expensive": f"width:5em;background:linear-gradient(90deg,{','.join(f'rgb{c}' for c in RAMP)})",
    }
    return f"<div>{'; '.join(words)}.</div>{swatches(legend)}"


LEGEND = [  # of a still, whose frames are these colours
    ("frame: matched", MATCHED), ("frame: newly matched", CHANGED), ("black frame: chosen", None),
    ("cheap", np.array([ramp_color(i / 99) for i in range(100)]), "expensive"),
]  # fmt: skip
# The sentences of :func:`why`; ``explain`` in ``page.js`` fills the same.
WHY = {
    "alone": "Query {query} answers for {name}: there is no other query.",
    "chosen": (
        "Query {query} answers for {name}. Without this pair query {rival} would, and all pairs together would cost "
        "{otherwise} instead of {now}: {more}."
    ),
    "other": (
        "Query {query} does not answer for {name}, {so}; {place}. With this pair all pairs together would cost "
        "{otherwise} instead of {now}: a regret of {regret}."
    ),
    "cheaper": "although it is {difference} cheaper than query {rival}",
    "dearer": "because it is {difference} more expensive than query {rival}",
    "taken": "it answers for {other} ({number})",
    "free": "it stays unmatched",
}


def why_html(
    view: MatchView, terms: Sequence[str], weights: Sequence[float], names: Sequence[str], query: int, segment: int
) -> str:
    """Why this pair was chosen, or was not: in words, and term by term beside the query it is compared with."""
    rival, otherwise = view.rival(query, segment)
    pairs = [query] if rival is None else [query, rival]
    rows = [
        (f"{weight:g} x {term}", [weight * float(part[q, segment]) for q in pairs])
        for term, weight, part in zip(terms, weights, view.parts, strict=True)
    ]
    rows.append(("total", [float(view.total[q, segment]) for q in pairs]))
    titles = [f"query {q}" for q in pairs] + ["difference"] * (len(pairs) - 1)
    head = "".join(f'<th class="number">{title}</th>' for title in titles)
    words = why(view, names, query, segment, rival, otherwise)
    return (
        f'<p style="margin:.2rem 0 .5rem">{escape(words)}</p><div class="ofl-scroll"><table class="ofl-table"><tr>'
        f'<th style="white-space:normal">on {segment} {escape(names[segment])}</th>{head}</tr>'
        f"{''.join(_row(*row) for row in rows)}</table></div>"
    )


def why(
    view: MatchView, names: Sequence[str], query: int, segment: int, rival: int | None, otherwise: float | None
) -> str:
    """In words. ``otherwise``: the sum of costs if this pair were chosen, or were not; ``rival`` as in
    :meth:`MatchView.rival`."""
    values = {"query": query, "name": names[segment], "rival": rival, "now": f"{view.cost:.2f}"}
    if rival is None:
        return WHY["alone"].format(**values)
    values["otherwise"] = f"{otherwise:.2f}"
    if view.assigned[segment] == query:
        return WHY["chosen"].format(**values, more=f"{otherwise - view.cost:+.2f}")
    difference = float(view.total[query, segment] - view.total[rival, segment])
    taken = np.flatnonzero(view.assigned == query)
    place = WHY["taken"].format(other=names[taken[0]], number=taken[0]) if len(taken) else WHY["free"]
    so = WHY["cheaper" if difference < 0 else "dearer"].format(difference=f"{abs(difference):.2f}", rival=rival)
    return WHY["other"].format(**values, so=so, place=place, regret=f"{max(0.0, otherwise - view.cost):.2f}")


def rows_words(matched: int, queries: int, shown: int) -> str:
    """Which queries are the rows of the maps, and why these; ``rowsWords`` in ``page.js`` says it too."""
    if shown == queries:
        return f"rows: all {queries} queries, the matched ones first"
    return (
        f"rows: {shown} of {queries} queries, the {matched} matched ones, then those that come nearest to a segment's "
        "price and the one chosen; the others cost more"
    )


def unmatched_html(
    view: MatchView, no_object: np.ndarray, says: Sequence[tuple[str, float]], no_object_weight: float | None
) -> str:
    """What the queries without a segment learn. ``no_object`` [Q] probabilities; ``says``: what each query says;
    ``no_object_weight`` None: that is no class, and each class has a sigmoid."""
    others = np.setdiff1d(np.arange(len(no_object)), view.assigned)
    if not len(others):
        return "All queries are matched: none learns “no object”."
    others = others[np.argsort(no_object[others], kind="stable")].tolist()
    claims = sum(says[q][0] != "no object" for q in others)
    learns = "each of their classes learns to say no"
    if no_object_weight is not None:
        weight = no_object_weight * len(others)
        share = weight / (weight + len(view.assigned))
        learns = (
            f"their class learns “no object” at weight {no_object_weight:g}, together {share:.0%} of the class loss's "
            "weight"
        )
    name, probability = says[others[0]]
    words = (
        f"<b>{len(others)} of {len(no_object)} queries are unmatched.</b> Their masks learn nothing here; {learns}. "
        f"Present probability of “no object”, median {np.median(no_object[others]):.2f}; {claims} still "
        f"{'claims' if claims == 1 else 'claim'} a class. Furthest off: query {others[0]} ({escape(name)} "
        f"{probability:.2f})."
    )
    bars = []
    for q in others:
        color = SILENT if says[q][0] == "no object" else CLAIMS
        title = escape(f"query {q}: no object {no_object[q]:.2f}; {says[q][0]}")
        bars.append(
            f'<i title="{title}" style="flex:1;min-width:0;max-width:14px;height:{100 * no_object[q]:.1f}%;'
            f'background:rgb{color}"></i>'
        )
    gap = 0 if len(others) > FEW else 1
    frame = f"display:flex;align-items:flex-end;gap:{gap}px;height:72px;max-width:46rem"
    frame += ";border-bottom:1px solid var(--ofl-soft)"
    legend = {"says “no object”": f"background:rgb{SILENT}", "claims a class": f"background:rgb{CLAIMS}"}
    return f'<p>{words}</p><div style="{frame}">{"".join(bars)}</div>{swatches(legend)}'


def swatches(items: Mapping[str, str]) -> str:
    """A legend: words -> CSS of a small square."""
    squares = (
        f'<span><i style="display:inline-block;width:1em;height:.8em;margin-right:.4em;{css}"></i>{words}</span>'
        for words, css in items.items()
    )
    return f'<div class="ofl-controls">{"".join(squares)}</div>'


def _row(title: str, values: Sequence[float]) -> str:
    texts = [f"{value:.2f}" for value in values]
    if len(values) == 2:
        texts.append(f"{values[0] - values[1]:+.2f}")
    return f"<tr><th>{escape(title)}</th>{''.join(f'<td class=number>{text}</td>' for text in texts)}</tr>"
