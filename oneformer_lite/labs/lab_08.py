"""Lab 08: the three costs of a pair, and the cheapest pairing."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..losses.matching import bce_cost, class_cost, dice_cost
from .draws import results
from .exercise import Case, Exercise, Mistake, Rules
from .longer.pairings import PAIRING

# -- 08.1: class logits [Q, K+1], labels int64 [G] -> [Q, G]


def _cases_class() -> list[Case]:
    logits = 2 * torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
    return [
        Case("three segments", logits, torch.tensor([0, 2, 1])),
        Case("two of one class", logits, torch.tensor([1, 1])),
        Case("large logits", 60 * logits, torch.tensor([0, 1, 2])),
        Case("one query", logits[:1], torch.tensor([2, 0])),
        Case("no segment", logits, torch.zeros(0, dtype=torch.int64)),
    ]


def _log_probability(class_logits: Tensor, labels: Tensor) -> Tensor:
    return -class_logits.log_softmax(-1)[:, labels]


def _logits(class_logits: Tensor, labels: Tensor) -> Tensor:
    return -class_logits[:, labels]


def _without_no_object(class_logits: Tensor, labels: Tensor) -> Tensor:
    return -class_logits[:, :-1].softmax(-1)[:, labels]


def _over_queries(class_logits: Tensor, labels: Tensor) -> Tensor:
    return -class_logits.softmax(0)[:, labels]


def _sigmoid(class_logits: Tensor, labels: Tensor) -> Tensor:
    return -class_logits.sigmoid()[:, labels]


def _log_over_queries(class_logits: Tensor, labels: Tensor) -> Tensor:
    return -class_logits.log_softmax(0)[:, labels]


def _rows_of_labels(class_logits: Tensor, labels: Tensor) -> Tensor:
    return -class_logits.softmax(-1)[labels]


def _one_by_one(class_logits: Tensor, labels: Tensor) -> Tensor:
    return -class_logits.softmax(-1)[torch.arange(len(labels)), labels]


def _shifted(by: int) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda class_logits, labels: -class_logits.softmax(-1)[:, labels + by]


# -- 08.2, 08.3: logits [Q, P], labels [G, P] from 0 to 1 -> [Q, G]


def _cases_masks() -> list[Case]:
    generator = torch.Generator().manual_seed(2)
    logits = 3 * torch.randn(5, 24, generator=generator)
    masks = (torch.rand(3, 24, generator=generator) < 0.4).float()
    return [
        Case("three segments", logits, masks),
        Case("points at borders", logits, 0.25 + 0.5 * masks),
        Case("sure and wrong", 200 * logits.sign(), masks),
        Case("an empty mask", logits - 8, torch.zeros(1, 24)),
        Case("one point", logits[:, :1], masks[:, :1]),
        Case("no segment", logits, torch.zeros(0, 24)),
    ]


def _foreground_only(logits: Tensor, labels: Tensor) -> Tensor:
    return F.softplus(-logits) @ labels.T / logits.shape[1]


def _sum_of_points(logits: Tensor, labels: Tensor) -> Tensor:
    return bce_cost(logits, labels) * logits.shape[1]


def _swapped(logits: Tensor, labels: Tensor) -> Tensor:
    return bce_cost(logits, 1 - labels)


def _log_of_sigmoid(logits: Tensor, labels: Tensor) -> Tensor:
    p = logits.sigmoid()
    return -(p.log() @ labels.T + (1 - p).log() @ (1 - labels).T) / logits.shape[1]


def _sigmoid_twice(logits: Tensor, labels: Tensor) -> Tensor:
    return bce_cost(logits.sigmoid(), labels)


def _dice(logits: Tensor, labels: Tensor, two: float = 2.0, over: float = 1.0, under: float = 1.0) -> Tensor:
    p = logits.sigmoid()
    return 1 - (two * p @ labels.T + over) / (p.sum(1)[:, None] + labels.sum(1) + under)


def _dice_of_logits(logits: Tensor, labels: Tensor) -> Tensor:
    return 1 - (2 * logits @ labels.T + 1) / (logits.sum(1)[:, None] + labels.sum(1) + 1)


def _of(
    made: Callable[[Tensor], Tensor] = torch.sigmoid, power: int = 1, product: bool = False, mean: bool = False
) -> Callable[[Tensor, Tensor], Tensor]:
    """Dice of something else than probabilities, or divided by something else than their sums."""

    def dice(logits: Tensor, labels: Tensor) -> Tensor:
        p = made(logits)
        count = logits.shape[1] if mean else 1
        mine, theirs = (p**power).sum(1)[:, None] / count, labels.sum(1) / count
        return 1 - (2 * p @ labels.T / count + 1) / ((mine * theirs if product else mine + theirs) + 1)

    return dice


def _lacking(logits: Tensor, labels: Tensor, side: int) -> Tensor:
    """Dice without the size of the queries' masks (0), or of the segments (1), below the line."""
    p = logits.sigmoid()
    size = labels.sum(1) if side == 0 else p.sum(1)[:, None]
    return 1 - (2 * p @ labels.T + 1) / (size + 1)


def _iou(logits: Tensor, labels: Tensor) -> Tensor:
    p = logits.sigmoid()
    both = p @ labels.T
    return 1 - (both + 1) / (p.sum(1)[:, None] + labels.sum(1) - both + 1)


EXERCISES = (
    Exercise(
        id="08.1",
        name="class_cost",
        reference=class_cost,
        cases=_cases_class,
        drawn=results.class_costs,
        rules=Rules(never=("loops",)),
        mistakes=(
            Mistake("the loss takes the logarithm, the matcher does not: minus the probability itself",
                    _log_probability),
            Mistake("logits are not probabilities yet: take the softmax over the classes", _logits),
            Mistake("no object belongs to the softmax: a query that is silent must not look sure",
                    _without_no_object),
            Mistake("the sign: a likely class must cost less, not more", lambda *a: -class_cost(*a)),
            Mistake("the softmax runs over the classes of a query (last axis), not over the queries", _over_queries),
            Mistake("the probabilities of a query's classes add up to 1: a softmax, not a sigmoid", _sigmoid),
            Mistake("the softmax runs over the classes of a query (last axis), and the matcher takes no logarithm",
                    _log_over_queries),
            Mistake("labels are classes, so they choose columns, [:, labels]; [labels] chooses queries",
                    _rows_of_labels),
            Mistake("every query with every segment, [Q, G]: [:, labels] takes a column for each label; yours pairs "
                    "query 0 with label 0", _one_by_one),
            Mistake("class 0 is in column 0: nothing is to be added to the labels", _shifted(1)),
            Mistake("class 0 is in column 0: nothing is to be subtracted from the labels", _shifted(-1)),
            Mistake("minus the probability, not 1 minus it: the pairing is the same, the number is not",
                    lambda *a: 1 + class_cost(*a)),
        ),
    ),
    Exercise(
        id="08.2",
        name="bce_cost",
        reference=bce_cost,
        cases=_cases_masks,
        drawn=results.mask_costs,
        rules=Rules(never=("loops",), nothing_of=lambda logits, labels: len(logits) * labels.numel()),
        mistakes=(
            Mistake("points outside the segment count too: add (1 - y) softplus(x)", _foreground_only),
            Mistake("the cost is the mean over the points: divide by P", _sum_of_points),
            Mistake("a 1 costs softplus(-x), a 0 costs softplus(x); yours has them swapped", _swapped),
            Mistake("the log of a sigmoid becomes minus infinity for large logits: use softplus", _log_of_sigmoid),
            Mistake("softplus takes logits: no sigmoid before it", _sigmoid_twice),
        ),
    ),
    Exercise(
        id="08.3",
        name="dice_cost",
        reference=dice_cost,
        cases=_cases_masks,
        drawn=results.mask_costs,
        rules=Rules(never=("loops",), nothing_of=lambda logits, labels: len(logits) * labels.numel()),
        mistakes=(
            Mistake("dice compares probabilities: take the sigmoid first", _dice_of_logits),
            Mistake("add 1 above and below: without it an empty mask divides by nothing",
                    lambda x, y: _dice(x, y, over=0.0, under=0.0)),
            Mistake("the 1 stands above as well as below: an empty mask met by silence costs about 0",
                    lambda x, y: _dice(x, y, over=0.0)),
            Mistake("twice the overlap: else a perfect mask costs one half", lambda x, y: _dice(x, y, two=1.0)),
            Mistake("this is the overlap, not the cost: 1 minus it", lambda x, y: 1 - dice_cost(x, y)),
            Mistake("this is IoU: dice divides by both sizes, without subtracting the overlap", _iou),
            Mistake("below stand the sums of p and y themselves, not of their squares", _of(power=2)),
            Mistake("both sizes are added, not multiplied", _of(product=True)),
            Mistake("keep the probabilities as they are: thresholded, nothing could be learned from them",
                    _of(lambda x: (x > 0).float())),
            Mistake("each point has its own probability: a sigmoid, no softmax over the points",
                    _of(lambda x: x.softmax(-1))),
            Mistake("sums over the points, not means: beside means the 1 weighs far too much", _of(mean=True)),
            Mistake("one 1 above and one below: yours has 2 below", lambda x, y: _dice(x, y, under=2.0)),
            Mistake("the 1 stands below as well as above", lambda x, y: _dice(x, y, under=0.0)),
            Mistake("below stand both sizes: yours lacks that of the segment, the sum of y",
                    lambda x, y: _lacking(x, y, 1)),
            Mistake("below stand both sizes: yours lacks that of the query, the sum of p",
                    lambda x, y: _lacking(x, y, 0)),
        ),
    ),
    PAIRING,
)  # fmt: skip
