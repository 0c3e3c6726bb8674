"""How steady the matching is: whether a mask finds the same query again after a step of training.

Li et al., "DN-DETR" (CVPR 2022), section 3.2 ("instability"), who count it from epoch to epoch.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Int
from torch import Tensor

from ..data.batch import Batch
from ..evaluating import evaluating
from ..model import MaskModel
from .criterion import Criterion

Matched = list[Int[Tensor, "_g"]]


@torch.no_grad()
def matched_queries(model: MaskModel, batch: Batch, seed: int = 0) -> Matched:
    """Of each picture, the query that answers for each mask in the last prediction, as training would match it now.

    Masks of a class with a query of its own are left out: nothing is matched there. Where queries are chosen among the
    places of the picture, they are called by their places, for their order says nothing from one step to the next.

    The model is asked in evaluation mode, and compared with the masks at the points that follow from ``seed``: with
    the same weights the answer is the same. Random numbers are as they were afterwards, so that asking in the middle of
    a training changes nothing of it.

    Lesson 17.
    """
    devices = [model.device] if model.device.type == "cuda" else []
    with evaluating(model), torch.random.fork_rng(devices):
        output = model.learn(batch)
        pairs = Criterion(model.config).match(output, batch.targets, [(seed, b) for b in range(len(batch.images))])
    matched = [queries[free] for queries, free in zip(pairs.assigned[-1], pairs.free)]
    if output.places is None:
        return matched
    return [places[queries] for places, queries in zip(output.places, matched)]


def changed_share(before: Matched, after: Matched) -> float:
    """The share of masks whose query is another one, 0 to 1, of two answers of :func:`matched_queries` for one batch;
    NaN where there is no mask. Raises :class:`ValueError` for answers that do not belong together.

    >>> before = matched_queries(model, batch)
    >>> ...  # a step
    >>> changed_share(before, matched_queries(model, batch))

    Lesson 17.
    """
    counts = [[len(queries) for queries in matched] for matched in (before, after)]
    if counts[0] != counts[1]:
        raise ValueError(f"these are not the same pictures: masks of each {counts[0]}, then {counts[1]}")
    if not sum(counts[0]):
        return math.nan
    return float((torch.cat(before) != torch.cat(after)).double().mean())
