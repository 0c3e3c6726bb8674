"""What the matcher sees of one picture: the costs of every query with every segment, prediction by prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ...data.batch import pad_to, padded_size
from ...data.sample import Sample
from ...data.targets import Targets, targets_for
from ...data.transforms import resized
from ...evaluating import evaluating
from ...inference import prepare
from ...losses.criterion import fit_to_queries
from ...losses.matching import Matcher
from ...losses.points import PointSource
from ...losses.split import of_classes
from ...model import MaskModel
from ...model.output import Predictions, class_distribution
from ..traced import whole
from .noised import NoisedReading, read_noised

# what a cost is made of, by the names of config.MATCHED_BY, and of classes by those of config.CLASS_COST
MEANINGS = {
    "probability": "minus its class's probability", "focal": "what the focal loss of a yes is above that of a no",
    "mask": "mean over the points", "dice": "1 - overlap of the masks",
    "box": "sum of the differences of x, y, w, h", "giou": "minus the generalised IoU of the boxes",
}  # fmt: skip
SEED = (0,)  # of the random points: the same pictures each time
RUNNERS_UP = 12  # unmatched queries that are shown below the matched ones
_SIDE = 96  # pixels of the longer side of the masks that are kept


@dataclass(frozen=True)
class MatchReading:
    """One picture under one task.

    ``class_ids`` int64 [G]; ``costs`` float32 [L, parts, Q, G], unweighted, in the order of ``parts``;
    ``probabilities`` float32 [L, Q, K+1], last = no object (with ``sigmoids`` that is no class, but what all others
    leave); ``query_masks`` uint8 [L, Q, h, w] and ``segment_masks`` uint8 [G, h, w], 255 = certain, small.
    ``left_out``: segments beyond the number of queries, which nobody learns. Segments of classes with a query of their
    own are not matched: neither they nor those queries, which are the last, are here. ``noised``: what denoising
    queries say, and ``noised_masks`` theirs, as small.
    """

    task: str
    class_ids: np.ndarray
    costs: np.ndarray
    probabilities: np.ndarray
    query_masks: np.ndarray
    segment_masks: np.ndarray
    left_out: int
    parts: tuple[str, ...] = ("class", "mask", "dice")
    sigmoids: bool = False
    noised: NoisedReading | None = None
    noised_masks: np.ndarray | None = None

    @property
    def no_object(self) -> np.ndarray:
        """float32 [L, Q]: the probability that each query gives to "no object"."""
        return self.probabilities[..., -1]

    @cached_property
    def limits(self) -> tuple[tuple[float, float], ...]:
        """The values of each part, in all predictions, between which colours tell them apart."""
        known = {"class": (-1.0, 0.0), "dice": (0.0, 1.0), "giou": (-1.0, 1.0)}
        if self.sigmoids:
            del known["class"]
        return tuple(known.get(part) or self._span(costs) for part, costs in zip(self.parts, self.costs.swapaxes(0, 1)))

    def _span(self, costs: np.ndarray) -> tuple[float, float]:
        """From 0, or the least, to what a tenth exceeds."""
        finite = costs[np.isfinite(costs)]
        return (min(0.0, float(finite.min())), float(np.quantile(finite, 0.9))) if finite.size else (0.0, 1.0)

    def surest(self, layer: int, query: int) -> tuple[int, float]:
        """The likeliest class of a query (K = no object) and its probability."""
        best = int(self.probabilities[layer, query].argmax())
        return best, float(self.probabilities[layer, query, best])


@torch.inference_mode()
def read_matches(model: MaskModel, sample: Sample, task: str) -> MatchReading:
    """Run the model once and compare all its predictions with the targets, as :class:`Matcher` does in training."""
    config = model.config
    pixels = prepare(sample.image, config)
    with evaluating(model):
        output = model(pixels[None].to(model.device), task, trace=True)  # so that it has all predictions
    free = config.num_queries - len(config.fixed_queries)
    predictions = [whole(p, slice(free)) for p in output.predictions]
    logits = torch.cat([p.class_logits for p in predictions])  # [L, Q, K+1]
    masks = torch.cat([p.mask_logits for p in predictions])  # [L, Q, h, w]
    size, stride = tuple(pixels.shape[-2:]), config.mask_stride
    classes = [k for k in range(config.num_classes) if k not in config.fixed_queries]
    every = of_classes(targets_for(resized(sample, *size), task), classes)
    target = fit_to_queries(every, free)
    aligned = replace(target, masks=pad_to(target.masks, padded_size([size], config.padding_multiple)).float())
    unpadded = [-(-side // stride) for side in size]
    noised = read_noised(model, pad_to(pixels[None], aligned.masks.shape[-2:])[0], aligned, task)
    # as training matches them: some models by what the prediction before said
    judged = [predictions[0], *predictions[:-1]] if config.MATCHED_BEFORE else predictions
    return MatchReading(
        task=task,
        class_ids=target.labels.numpy(),
        costs=_costs(Matcher(config), judged, aligned),
        probabilities=class_distribution(logits, output.no_object).numpy(),
        query_masks=np.stack([_small(m.sigmoid()[:, : unpadded[0], : unpadded[1]]) for m in masks]),
        segment_masks=_small(target.masks.float(), tuple(unpadded)),
        left_out=len(every) - len(target),
        parts=config.MATCHED_BY,
        sigmoids=not output.no_object,
        noised=noised,
        noised_masks=noised and _small(noised.masks[:, : unpadded[0], : unpadded[1]]),
    )


def _costs(matcher: Matcher, predictions: list[Predictions], target: Targets) -> np.ndarray:
    """float32 [L, parts, Q, G] by :meth:`Matcher.every_cost` itself: on one set of points, on all pixels, of boxes."""
    if not len(target):
        return np.zeros((len(predictions), len(matcher.parts), predictions[0].class_logits.shape[1], 0), np.float32)
    every = matcher.every_cost(predictions, [target], PointSource(torch.device("cpu"), [SEED]))
    return torch.stack([torch.stack([*costs.parts.values()]) for (costs,) in every]).numpy()


def _small(masks: Tensor, size: tuple[int, int] | None = None) -> np.ndarray:
    """[N, H, W] in 0 to 1 as uint8, at most _SIDE pixels a side, as other masks of ``size`` become, if given."""
    height, width = size or masks.shape[-2:]
    scale = min(1.0, _SIDE / max(height, width))
    wanted = max(1, round(height * scale)), max(1, round(width * scale))
    if not len(masks):
        return np.zeros((0, *wanted), np.uint8)
    if wanted != masks.shape[-2:]:
        masks = F.interpolate(masks[None], size=wanted, mode="area")[0]
    return (255 * masks).round().to(torch.uint8).numpy()


@dataclass(frozen=True)
class MatchView:
    """One prediction under certain weights: ``parts`` [parts, Q, G], their ``total`` [Q, G], the query of each segment
    now (``assigned`` [G]), under the ``usual`` weights, and in the prediction ``before`` (None: this is the first)."""

    parts: np.ndarray
    total: np.ndarray
    assigned: np.ndarray
    usual: np.ndarray
    before: np.ndarray | None

    @property
    def cost(self) -> float:
        """The sum of costs of all pairs."""
        return assignment_cost(self.total, self.assigned)

    def rival(self, query: int, segment: int) -> tuple[int | None, float | None]:
        """Whom to compare a pair with, and the least sum of costs the other way round.

        Of a pair that was not chosen: the query that was, and the sum with the pair. Of a chosen one: the query that
        comes in its place, and the sum without it (None, None where there is no other query).
        """
        if self.assigned[segment] != query:
            other = forced_assignment(self.total, query, segment)
            return int(self.assigned[segment]), assignment_cost(self.total, other)
        other = assignment_without(self.total, query, segment)
        return (None, None) if other is None else (int(other[segment]), assignment_cost(self.total, other))


def view_matches(
    reading: MatchReading, layer: int, weights: Sequence[float], usual_weights: Sequence[float]
) -> MatchView:
    """What is assigned in the prediction ``layer`` (0: before the first decoder layer)."""
    parts = reading.costs[layer]
    total = total_cost(parts, weights)
    return MatchView(
        parts=parts,
        total=total,
        assigned=best_assignment(total),
        usual=best_assignment(total_cost(parts, usual_weights)),
        before=best_assignment(total_cost(reading.costs[layer - 1], weights)) if layer else None,
    )


def total_cost(parts: np.ndarray, weights: Sequence[float]) -> np.ndarray:
    """[3, Q, G] to [Q, G]: the weighted sum; NaN counts 100, as in :meth:`Matcher.costs`."""
    total = sum(weight * part for weight, part in zip(weights, parts, strict=True))
    return np.nan_to_num(total, nan=100.0, posinf=100.0, neginf=-100.0)


def total_limits(total: np.ndarray) -> tuple[float, float]:
    """The totals [R, G] between which colours tell them apart: the most expensive tenth is one colour."""
    return float(total.min()), float(np.quantile(total, 0.9))


def best_assignment(total: np.ndarray) -> np.ndarray:
    """int [G]: the query of each segment, one to one, such that the sum of costs [Q, G] is least."""
    return linear_sum_assignment(total.T)[1]


def forced_assignment(total: np.ndarray, query: int, segment: int) -> np.ndarray:
    """int [G]: the best assignment among those in which this query answers for this segment."""
    queries = np.delete(np.arange(total.shape[0]), query)
    segments = np.delete(np.arange(total.shape[1]), segment)
    found = np.full(total.shape[1], query)
    found[segments] = queries[best_assignment(total[np.ix_(queries, segments)])]
    return found


def assignment_without(total: np.ndarray, query: int, segment: int) -> np.ndarray | None:
    """int [G]: the best assignment among those without this pair; None if a single query leaves no other."""
    if len(total) == 1:
        return None
    closed = total.astype(np.float64)
    closed[query, segment] = 1e6
    return best_assignment(closed)


def assignment_cost(total: np.ndarray, assigned: np.ndarray) -> float:
    """The sum of the costs of all pairs."""
    return float(total[assigned, np.arange(len(assigned))].sum(dtype=np.float64))


def rows_that_matter(total: np.ndarray, assigned: np.ndarray, also: int | None = None) -> np.ndarray:
    """Queries in the order in which to show them: the matched ones, segment by segment, then those unmatched
    that come nearest to a segment's price; at most G + RUNNERS_UP, the last of them ``also`` if it were missing."""
    others = np.setdiff1d(np.arange(len(total)), assigned)
    if len(assigned):
        price = total[assigned, np.arange(len(assigned))]
        others = others[np.argsort((total[others] - price).min(1), kind="stable")]
    rows = np.concatenate([assigned, others])[: len(assigned) + RUNNERS_UP]
    if also is not None and also not in rows:
        rows[-1] = also
    return rows


def nearest_miss(total: np.ndarray, assigned: np.ndarray) -> tuple[int, int] | None:
    """The pair (query, segment) outside the assignment that would raise its total least; None if there is none.

    The first of :func:`rows_that_matter` are tried: a query far above every price cannot win.
    """
    candidates = [
        (query, segment)
        for query in rows_that_matter(total, assigned)[len(assigned) :]
        for segment in range(len(assigned))
    ]
    if not candidates:
        return None
    best = min(candidates, key=lambda pair: assignment_cost(total, forced_assignment(total, *pair)))
    return int(best[0]), int(best[1])
