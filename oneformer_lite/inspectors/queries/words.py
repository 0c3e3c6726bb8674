"""What QueryInspector says in words. ``inspectors/queries/page.js`` says the same in the exported page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ...render.colors import RGB
from .claims import Claim
from .pictures import ATTENTION, STYLE, TRUTH, class_bars
from .reading import QueryReading

# where the first mask comes from, if the model is told its task, and if not
FIRST = {
    True: "Its first mask comes from the task token and the picture alone, without any decoder layer.",
    False: "Its first mask is that of a learned query, before any decoder layer has read the picture.",
}
# what lines and colours over the photograph mean
LEGEND: tuple[tuple[str, RGB | None], ...] = (
    ("white line: edge of the mask, or of where a layer may look", None),
    ("yellow line: the annotated mask", TRUTH),
    ("orange: where it looked", ATTENTION),
)


def after(layer: int) -> str:
    """Which prediction: "before layer 1", "after layer 3"."""
    return f"after layer {layer}" if layer else "before layer 1"


def moment(layer: int) -> str:
    """The same where there is little room."""
    return f"layer {layer}" if layer else "before"


def captions(layer: int, query: int, boxed: bool = False) -> tuple[str, ...]:
    """What stands above the five pictures: all queries, mask, attention, life, training. ``layer`` is that of the
    decoder, 0 before its first, in this and the two above. ``boxed``: whether queries have boxes."""
    mask = "mask, and its box (blue)" if boxed else "mask"
    texts = (
        f"All queries {after(layer)}",
        f"Query {query} {after(layer)}: {mask}",
        f"Where layer {layer} looked to make it" if layer else "Before layer 1 nothing was looked at",
        f"The life of query {query}: its {mask}, and below where the layer before it looked",
        f"Query {query} over the training, {after(layer)}",
    )
    first, mask, attention, life, training = (f"<b>{escape(text)}</b>" for text in texts)
    return first + _FADED, mask, attention, life + _LINES, training


_FADED = ' <span class="ofl-note">(faded: “no object” is likelier than any class)</span>'
_LINES = f' <span class="ofl-note">({"; ".join(words for words, _ in LEGEND)})</span>'


def partner_words(partner: tuple[int, float, bool] | None, names: Sequence[str], class_ids: Sequence[int]) -> str:
    """Which annotated mask the matcher gives to the query, or that it gives none."""
    if partner is None:
        return ""
    mask, iou, matched = partner
    name = f"{names[class_ids[mask]]} (mask {mask})"
    if matched:
        return f"Matched with the annotated {name}, IoU {iou:.2f}: the yellow line."
    return f"Matched with nothing: it should say “no object”. It overlaps most with {name}, IoU {iou:.2f}."


def looked_words(reading: QueryReading, layer: int, query: int) -> str:
    """Which map was read for the prediction ``layer``, and how much of it the query was allowed to see."""
    looked, place, layer = reading.looked_at(layer, query), reading.reads(layer), layer + reading.first
    if looked is None and layer:
        return "This model records no attention, so where it looked cannot be shown."
    if looked is None:
        return FIRST[reading.told]
    region = looked[1]
    height, width = region.shape
    stride = round(reading.padded[0] / height)
    if reading.from_attention:
        return (
            f"The mask is made of this attention: of its scores before the softmax, head by head, on the map of stride "
            f"{stride} ({height} × {width}), which is shown, and on the coarser ones."
        )
    allowed, cells = int(region.sum()), region.numel()
    some = f"{allowed} of {cells} cells, inside its mask"
    where = some if allowed < cells else f"all cells{_why_everywhere(reading, place)}"
    return f"Layer {layer} read the map of stride {stride} ({height} × {width}) in {where}."


def _why_everywhere(reading: QueryReading, place: int) -> str:
    """Why the query saw the whole map."""
    if not reading.masked:
        return ""
    if not reading.bound:
        return ": its mask was empty, or full"
    if reading.bound[place] == 0:
        return ": masks have faded out in this layer, as they do in training"
    some = f", or it is not among the {reading.bound[place]:.0%} that are still bound to theirs"
    return f": its mask was full{some if reading.bound[place] < 1 else ''}"


def query_html(title: str, classes: Sequence[tuple[str, float, RGB]], lines: Sequence[str]) -> str:
    """The likeliest classes of one prediction as bars, and what else is to be said of it."""
    told = "".join(f'<p class="ofl-line">{escape(line)}</p>' for line in lines if line)
    return f"<style>{STYLE}</style><b>{escape(title)}: likeliest classes</b>{class_bars(classes)}{told}"


def page_body(controls: Sequence[str]) -> str:
    """The places that ``inspectors/queries/page.js`` fills."""
    boxes = (f'<b id="caption{i}"></b>' for i in range(5))
    first, mask, attention, life, training = boxes
    return (
        f'<style>{STYLE}</style><div class="ofl-controls">{"".join(controls)}</div>{first}{_FADED}'
        '<div class="ofl-scroll" style="margin-bottom:.8rem"><div class="ofl-cells" id="sheet"></div></div>'
        f'<div class="ofl-views"><figure>{mask}<canvas id="mask"></canvas></figure>'
        f'<figure>{attention}<canvas id="attention"></canvas></figure><div id="told"></div></div>'
        '<div id="claims" style="margin:.6rem 0"></div>'
        f'{life}{_LINES}<div class="ofl-scroll"><div class="ofl-strip" id="life"></div></div>'
        f'{training}<div class="ofl-scroll"><div class="ofl-strip" id="training"></div></div>'
    )


def claims_html(point: tuple[int, int] | None, outcome: str, claims: Sequence[Claim], names: Sequence[str]) -> str:
    """Who claims the pixel, as a table."""
    if point is None:
        return '<div class="ofl-told-text">Click the picture to see which queries claim a pixel, and who wins it.</div>'
    head = ("query", "class", "score", "mask logit", "mask probability", "score × probability", "why")
    numbers = "".join(f'<th class="{"number" if 2 <= i <= 5 else ""}">{name}</th>' for i, name in enumerate(head))
    rows = "".join(
        f"<tr><td>{claim.query}</td><td>{escape(names[claim.class_id])}</td>"
        + "".join(f'<td class="number">{value}</td>' for value in _values(claim))
        + f"<td>{escape(claim.why)}</td></tr>"
        for claim in claims
    )
    return (
        f'<div class="ofl-told-text">row {point[0]}, column {point[1]}: <b>{escape(outcome)}</b>'
        f'<div class="ofl-scroll"><table class="ofl-table"><tr>{numbers}</tr>{rows}</table></div></div>'
    )


def _values(claim: Claim) -> tuple[str, ...]:
    return f"{claim.score:.2f}", f"{claim.logit:.1f}", f"{claim.probability:.2f}", f"{claim.value:.2f}"
