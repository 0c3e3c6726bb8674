"""Lab 08: the three costs of a pair, and the cheapest pairing."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ..losses.matching import assign, bce_cost, class_cost, dice_cost
from .draws import results
from .exercise import Case, Exercise, Mistake, Rules

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


def _iou(logits: Tensor, labels: Tensor) -> Tensor:
    p = logits.sigmoid()
    both = p @ labels.T
    return 1 - (both + 1) / (p.sum(1)[:, None] + labels.sum(1) - both + 1)


# -- 08.4: costs [Q, G] -> the query of each segment, a list


def _pairing(table: Tensor) -> list[int]:
    return assign(table.nan_to_num(nan=100.0), len(table), [table.shape[1]])[0][0].tolist()


def _cases_tables() -> list[Case]:
    generator = torch.Generator().manual_seed(0)
    table = 10 * torch.rand(6, 4, generator=generator) - 3
    broken = table.clone()
    broken[_pairing(table)[2]] = float("nan")
    return [
        Case("a trap for the greedy", torch.tensor([[1.0, 2.0], [2.0, 9.0], [9.0, 9.5]])),
        Case("two segments like one query", torch.tensor([[1.0, 1.5], [3.0, 5.0], [6.0, 4.0]])),
        Case("six queries, four segments", table),
        Case("as many queries as segments", table[:4]),
        Case("a query that is not a number", broken),
        Case("no segment", table[:, :0]),
    ]


def _greedy(table: Tensor) -> list[int]:
    costs, queries = table.nan_to_num(nan=100.0).numpy().copy(), [0] * table.shape[1]
    for _ in queries:
        q, g = np.unravel_index(costs.argmin(), costs.shape)
        queries[g], costs[q], costs[:, g] = int(q), np.inf, np.inf
    return queries


def _one_after_the_other(table: Tensor) -> list[int]:
    costs, queries = table.nan_to_num(nan=100.0).clone(), []
    for g in range(costs.shape[1]):
        queries.append(int(costs[:, g].argmin()))
        costs[queries[-1]] = float("inf")
    return queries


def _each_its_cheapest(table: Tensor) -> list[int]:
    return table.nan_to_num(nan=100.0).argmin(0).tolist() if table.numel() else []


def _most_expensive(table: Tensor) -> list[int]:
    return linear_sum_assignment(table.nan_to_num(nan=100.0).T.numpy(), maximize=True)[1].tolist()


def _in_order_of_queries(table: Tensor) -> list[int]:
    return sorted(_pairing(table))


def _trusting(table: Tensor) -> list[int]:
    return linear_sum_assignment(table.T.numpy())[1].tolist()


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
        ),
    ),
    Exercise(
        id="08.4",
        name="pairing",
        reference=_pairing,
        cases=_cases_tables,
        drawn=results.costs,
        mistakes=(
            Mistake("the cheapest pair first can force an expensive pair later: compare whole pairings", _greedy),
            Mistake("segment after segment, each taking its cheapest free query: the order decides, not the sum",
                    _one_after_the_other),
            Mistake("a query can answer for one segment only: yours gives it out twice", _each_its_cheapest),
            Mistake("this is the most expensive pairing: costs are to be small", _most_expensive),
            Mistake("the right queries in the wrong order: the first belongs to segment 0", _in_order_of_queries),
            Mistake("a cost that is not a number counts 100, so that one bad query ends no run", _trusting),
        ),
    ),
)  # fmt: skip
