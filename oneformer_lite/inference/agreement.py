"""Several answers to one picture, by several models or from several views, made one.

Queries of different answers have no common order, so they are matched: the first answer's queries with those of the
next one-to-one, by how well their masks overlap; matched queries are averaged, class probabilities as well as mask
probabilities, and one merge reads the result. So it is published in PaSCo (Cao, Dai and de Charette, CVPR 2024, section
3.3), from which this differs in three points. Overlap is the ratio of the sums of minima and maxima (Ruzicka), which is
1 for equal masks alone, where products are not; so an answer averaged with itself stays what it was. A query that only
some answers have is kept: where it is missing, no object counts as said. And queries that answer for one class (K-Net's
and Panoptic SegFormer's of stuff) are matched with those of the same class, never with those for things.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ..model.output import class_distribution
from .raw import RawPrediction

LEAST_OVERLAP = 0.2  # of two masks that may be one, as in PaSCo
ANYTHING = -2  # of a query of a model in which none answers for one class alone; -1: of things, in one where some do
_SIDE = 64  # cells of the longer side on which overlaps are measured
_CERTAIN = 10.0  # more than two pairs of other queries can be worth
_TINY = 1e-30


def overlaps(first: Float[Tensor, "A N"], second: Float[Tensor, "B N"]) -> Float[Tensor, "A B"]:
    """Sum of minima divided by sum of maxima, of each pair of rows of values from 0 to 1: 1 if and only if they are
    equal; intersection over union where all values are 0 or 1. Two rows of zeros are equal."""
    differences = torch.cdist(first, second, p=1)
    sums = first.sum(1)[:, None] + second.sum(1)
    return (sums - differences + _TINY) / (sums + differences + _TINY)


@dataclass
class Agreed:
    """The queries of all answers so far: of ``inside`` and ``outside`` the logarithm, of the sums over the answers that
    have the query of the mask's probability and of what that leaves; of ``classes`` the sum of the distributions.
    ``answers_for``: the class that a query answers for alone, -1 for things, or :data:`ANYTHING`."""

    inside: Float[Tensor, "Q h w"]
    outside: Float[Tensor, "Q h w"]
    classes: Float[Tensor, "Q L"]
    boxes: Float[Tensor, "Q 4"] | None
    seen: Float[Tensor, "Q"]
    answers_for: Int[Tensor, "Q"]

    @classmethod
    def of(cls, answer: RawPrediction) -> Agreed:
        masks = answer.mask_logits.float()
        seen = masks.new_ones(len(masks))
        own = answer.answers_for
        own = seen.new_full(seen.shape, ANYTHING).long() if own is None else own.to(seen.device)
        return cls(F.logsigmoid(masks), F.logsigmoid(-masks), _said(answer), answer.boxes, seen, own)

    @property
    def mask_logits(self) -> Float[Tensor, "Q h w"]:
        return self.inside - self.outside

    def matched(self, other: Agreed) -> tuple[Tensor, Tensor]:
        """Which queries are the same in both: by the overlap of their masks, which decides alone whether they may be;
        between candidates that of what they say of the classes counts half. Those that answer for one class are the
        same as the other's for it, whatever their masks."""
        masks = overlaps(_small(self.mask_logits), _small(other.mask_logits))
        classes = overlaps(self.classes / self.seen[:, None], other.classes)
        a, b = self.answers_for[:, None], other.answers_for[None]
        certain = (a == b) & (a >= 0)
        may = certain | ((masks >= LEAST_OVERLAP) & ((a == b) | (a == ANYTHING) | (b == ANYTHING)))
        rank = torch.where(may, masks * (1 + classes), 0) + _CERTAIN * certain
        mine, theirs = map(torch.as_tensor, linear_sum_assignment(rank.double().cpu().numpy(), maximize=True))
        same = may.cpu()[mine, theirs]
        return mine[same].to(masks.device), theirs[same].to(masks.device)

    def joined(self, other: Agreed, answers: int) -> Agreed:
        """With one answer more, after ``answers`` of them."""
        mine, theirs = self.matched(other)
        alone = torch.ones(len(other.seen), dtype=torch.bool, device=mine.device)
        alone[theirs] = False
        absent = _absent(self.classes[:1])
        classes = self.classes + absent
        classes[mine] += other.classes[theirs] - absent
        inside, outside, seen = self.inside.clone(), self.outside.clone(), self.seen.clone()
        inside[mine] = torch.logaddexp(inside[mine], other.inside[theirs])
        outside[mine] = torch.logaddexp(outside[mine], other.outside[theirs])
        boxes = None
        if self.boxes is not None and other.boxes is not None:
            boxes = self.boxes.clone()
            boxes[mine] += (other.boxes[theirs] - boxes[mine]) / (seen[mine, None] + 1)
            boxes = torch.cat([boxes, other.boxes[alone]])
        seen[mine] += 1
        return Agreed(
            torch.cat([inside, other.inside[alone]]),
            torch.cat([outside, other.outside[alone]]),
            torch.cat([classes, other.classes[alone] + answers * absent]),
            boxes,
            torch.cat([seen, other.seen[alone]]),
            torch.cat([self.answers_for, other.answers_for[alone]]),
        )


def agreed(answers: Sequence[RawPrediction]) -> RawPrediction:
    """One answer of several, whose masks have one grid of cells and whose classes have one order.

    The first's queries come first; those that it has not follow. Probabilities are averaged, not logits; where some
    models say no object and others give every class a sigmoid, both are read as distributions with no object.
    """
    if len({answer.no_object for answer in answers}) > 1:
        answers = [
            replace(a, class_logits=_said(a).clamp_min(_TINY).log(), no_object=True, temperature=None) for a in answers
        ]
    first, *others = answers
    found, no_object = Agreed.of(first), first.no_object
    for count, other in enumerate(others, start=1):
        found = found.joined(Agreed.of(other), count)
    classes = found.classes / len(answers)
    logits = classes.clamp_min(_TINY).log() if no_object else classes[:, :-1].double().logit(1e-15).float()
    own = None if first.answers_for is None else found.answers_for
    return replace(first, class_logits=logits, mask_logits=found.mask_logits, boxes=found.boxes, answers_for=own)


def _said(answer: RawPrediction) -> Float[Tensor, "Q L"]:
    return class_distribution(answer.class_logits, answer.no_object)


def _absent(classes: Float[Tensor, "1 L"]) -> Float[Tensor, "1 L"]:
    """What an answer says of a query that it has not: no object, which is last."""
    absent = torch.zeros_like(classes)
    absent[:, -1] = 1
    return absent


def _small(logits: Float[Tensor, "Q h w"]) -> Float[Tensor, "Q N"]:
    factor = max(1, max(logits.shape[-2:]) / _SIDE)
    size = [max(1, round(side / factor)) for side in logits.shape[-2:]]
    return F.adaptive_avg_pool2d(logits.sigmoid(), size).flatten(1)
