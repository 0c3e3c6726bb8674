"""The parts of one prediction's losses as rows of a table, most expensive first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .reading import LossParts


@dataclass(frozen=True)
class LossRow:
    """``pair``: place among the G masks, None where a row is of no mask. ``values``: name -> what the row adds, with
    "total" weighted; names that it has no part in are missing."""

    image: int | str
    what: str
    who: str
    values: dict[str, float]
    pair: int | None = None


def loss_rows(parts: LossParts, loss: str, layer: int, names: Sequence[str]) -> list[LossRow]:
    """All that adds to the losses of prediction ``layer``, sorted by ``loss``; with the contrastive loss, which is of
    no prediction, the images; with a loss that cannot be taken apart, itself."""
    if loss in parts.by_image:
        rows = [
            LossRow(image, "all queries", "all texts", {loss: value, "total": parts.weights[loss] * value})
            for image, value in enumerate(parts.by_image[loss].tolist())
        ]
    elif loss in parts.whole:
        value = parts.whole[loss]
        rows = [LossRow("all", "the whole batch", "", {loss: value, "total": parts.weights[loss] * value})]
    else:
        rows = [*_pairs(parts, layer, names), *_unmatched(parts, layer)]
    return sorted(rows, key=lambda row: -row.values.get(loss, 0.0))


def _pairs(parts: LossParts, layer: int, names: Sequence[str]) -> list[LossRow]:
    columns = {name: parts.pairs(name, layer).tolist() for name in ("class", "mask", "dice", "total")}
    return [
        LossRow(
            image=int(parts.images[g]),
            what=f"{names[parts.labels[g]]} ({parts.segments[g]})",
            who=f"query {parts.queries[layer, g]}",
            values={name: values[g] for name, values in columns.items()},
            pair=g,
        )
        for g in range(len(parts.images))
    ]


def _unmatched(parts: LossParts, layer: int) -> list[LossRow]:
    """For each image the queries that should say "no object", together."""
    rows = []
    for image, shares in enumerate(parts.no_object[layer]):
        taken = set(parts.queries[layer, parts.images == image].tolist())
        count = len(shares) - len(taken)
        if count:
            value, worst = float(shares.sum()), int(np.argmax(shares))
            who = f"{count} without a mask, most: query {worst}"
            rows.append(LossRow(image, "no object", who, {"class": value, "total": parts.weights["class"] * value}))
    return rows
