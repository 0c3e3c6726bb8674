"""The panoptic merge: which queries compete, who wins each pixel, and which of them become segments.

Lesson 11. Official ``oneformer_model.py`` (``panoptic_inference``). Every query leaves with a fate from :data:`FATES`,
so that whoever looks on (MergeInspector) tells the reasons of the very code that decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..model.output import class_distribution, class_probabilities

FATES = {
    "no object": "its surest class is no object",
    "unsure": "its class score is not above the object mask threshold",
    "unseen": "no pixel of its mask is left to it",
    "covered": "it keeps too little of its mask: a share below the overlap threshold",
    "joined": "stuff of a class that has its segment already: added to that",
    "kept": "a segment of its own",
}


class Areas(NamedTuple):
    """Pixels of one query: those it wins, those of its own mask (probability of at least 0.5), and both at once."""

    won: int
    own: int
    visible: int


class Fate(NamedTuple):
    """What becomes of a query (of FATES), and the id of its segment, 0 = none."""

    name: str
    segment: int = 0


def surest_classes(
    class_logits: Float[Tensor, "Q K1"], no_object: bool = True
) -> tuple[Float[Tensor, "Q"], Int[Tensor, "Q"]]:
    """Score and index of every query's surest class; the last index is no object, where that is a class. Lesson 11."""
    of = class_distribution if no_object else partial(class_probabilities, no_object=False)
    return of(class_logits).max(-1)


def compete(
    scores: Float[Tensor, "Q"], masks: Float[Tensor, "Q H W"]
) -> tuple[Int[Tensor, "H W"], Bool[Tensor, "H W"], list[Areas]]:
    """Each pixel goes to the query of the greatest score times mask probability, the first where they are equal.

    Returns the winner (an index into the queries given), whether the pixel is in the winner's own mask (all others stay
    void), and the areas of each query. Lesson 11.
    """
    winner = (scores[:, None, None] * masks).max(0).indices  # on a CPU several times as fast as argmax
    own = masks >= 0.5
    visible = own.gather(0, winner[None])[0]
    won_areas = winner.flatten().bincount(minlength=len(own)).tolist()
    own_areas = count_pixels(own).tolist()
    visible_areas = winner[visible].bincount(minlength=len(own)).tolist()
    return winner, visible, [Areas(*areas) for areas in zip(won_areas, own_areas, visible_areas)]


def count_pixels(masks: Bool[Tensor, "N H W"]) -> Int[Tensor, "N"]:
    """How many pixels each mask holds."""
    return masks.flatten(1).sum(1, dtype=torch.int32)  # by default all is copied to 64 bits first


def settle(
    labels: Sequence[int],
    scores: Sequence[float],
    areas: Sequence[Areas],
    is_thing: Sequence[bool],
    overlap_threshold: float,
) -> tuple[list[Fate], list[tuple[int, int, float]]]:
    """The fates of the queries that competed, one after the other, and the segments: (id, class id, score).

    A query that wins fewer pixels than ``overlap_threshold`` times its mask is dropped: what it won stays void. Stuff
    of one class becomes one segment with the best score. Lesson 11.
    """
    fates: list[Fate] = []
    segments: list[tuple[int, int, float]] = []
    stuff: dict[int, int] = {}  # class id -> segment id
    for class_id, score, area in zip(labels, scores, areas):
        if not area.visible:
            fates.append(Fate("unseen"))
        elif area.won / area.own < overlap_threshold:
            fates.append(Fate("covered"))
        elif class_id in stuff:
            id_ = stuff[class_id]
            segments[id_ - 1] = (id_, class_id, max(segments[id_ - 1][2], score))
            fates.append(Fate("joined", id_))
        else:
            segments.append((len(segments) + 1, class_id, score))
            fates.append(Fate("kept", len(segments)))
            if not is_thing[class_id]:
                stuff[class_id] = len(segments)
    return fates, segments
