"""Lab 00b: attention with your own hands, a match by trying, residual and norm."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from .draws import sixty
from .exercise import Case, Exercise, Mistake, Rules


def _random(seed: int, *shape: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# -- 00b.1: queries [n, d], keys [m, d], values [m, c] -> results [n, c]


def _attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _weights(q, k) @ v


def _weights(q: Tensor, k: Tensor) -> Tensor:
    return (q @ k.T / math.sqrt(q.shape[1])).softmax(-1)


def _cases_attention() -> list[Case]:
    q = torch.tensor([[1.0, 1, 0, 0], [2, 0, 0, 0], [0, 0, 1, 0]])
    k = torch.tensor([[2.0, 0, 0, 0], [0, 2, 0, 0], [2, 2, 0, 0]])
    return [
        Case("the three vectors of the lesson", q, k, torch.tensor([[6.0, 0], [0, 6], [9, 6]])),
        Case("one key", _random(1, 4, 3), _random(2, 1, 3), _random(3, 1, 2)),
        Case("more keys than queries", _random(4, 2, 6), _random(5, 7, 6), _random(6, 7, 6)),
        Case("values of another width", _random(7, 5, 4), _random(8, 5, 4), _random(9, 5, 9)),
        Case("large scores", _random(10, 3, 8, scale=30), _random(11, 4, 8, scale=30), _random(12, 4, 8)),
    ]


def _over_the_queries(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return (q @ k.T / math.sqrt(q.shape[1])).softmax(0) @ v


def _without_e(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    scores = q @ k.T / math.sqrt(q.shape[1])
    return scores / scores.sum(-1, keepdim=True) @ v


def _overflowing(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    powers = (q @ k.T / math.sqrt(q.shape[1])).exp()
    return powers / powers.sum(-1, keepdim=True) @ v


# -- 00b.2: costs [Q, G] -> the query of each mask, cheapest in all


def _match(costs: Tensor) -> list[int]:
    queries, masks = costs.shape
    return list(min(itertools.permutations(range(queries), masks), key=lambda way: _total(costs, way)))


def _total(costs: Tensor, way: Iterable[int]) -> float:
    return sum(float(costs[q, g]) for g, q in enumerate(way))


def _cases_match() -> list[Case]:
    wanted_by_two = torch.tensor([[0.1, 0.2], [0.2, 2.0], [1.0, 1.5]])
    return [
        Case("three queries, two squares", torch.tensor([[-0.36, 1.33], [1.18, 0.01], [1.13, 1.0]])),
        Case("two squares want one query", wanted_by_two),
        Case("one square", _random(1, 4, 1)),
        Case("as many squares as queries", _random(2, 4, 4)),
        Case("five queries", _random(3, 5, 3)),
    ]


def _each_its_cheapest(costs: Tensor) -> list[int]:
    return costs.argmin(0).tolist()


def _one_after_the_other(costs: Tensor) -> list[int]:
    left, found = costs.clone(), []
    for g in range(costs.shape[1]):
        found.append(int(left[:, g].argmin()))
        left[found[-1]] = math.inf
    return found


def _cheapest_pair_first(costs: Tensor) -> list[int]:
    left, found = costs.clone(), [0] * costs.shape[1]
    for _ in found:
        q, g = divmod(int(left.argmin()), costs.shape[1])
        found[g] = q
        left[q], left[:, g] = math.inf, math.inf
    return found


def _most_expensive(costs: Tensor) -> list[int]:
    return _match(-costs)


def _in_rising_order(costs: Tensor) -> list[int]:
    queries, masks = costs.shape
    return list(min(itertools.combinations(range(queries), masks), key=lambda way: _total(costs, way)))


# -- 00b.3: x [..., C], what a layer found [..., C] -> their sum, normalised over the channels


def _add_and_norm(x: Tensor, update: Tensor) -> Tensor:
    return F.layer_norm(x + update, x.shape[-1:])


def _cases_norm() -> list[Case]:
    return [
        Case("four channels, by hand", torch.tensor([2.0, 1, 0, 3]), torch.tensor([-1.0, 2, 1, 0])),
        Case("three queries", _random(1, 3, 8), _random(2, 3, 8)),
        Case("a batch", _random(3, 2, 5, 6), _random(4, 2, 5, 6)),
        Case("all channels equal", torch.full((2, 4), 3.0), torch.full((2, 4), -1.0)),
        Case("channels that are nearly equal", torch.tensor([3.0, 3.002, 2.998, 3.0]), torch.full((4,), -1.0)),
        Case("a large update", _random(5, 2, 16), _random(6, 2, 16, scale=1000)),
    ]


def _root(total: Tensor, dim: int | tuple[int, ...] = -1, unbiased: bool = False, epsilon: float = 1e-5) -> Tensor:
    return (total.var(dim, correction=int(unbiased), keepdim=True) + epsilon).sqrt()


def _normed(total: Tensor, dim: int | tuple[int, ...] = -1, **how) -> Tensor:
    return (total - total.mean(dim, keepdim=True)) / _root(total, dim, **how)


def _epsilon_beside_the_root(x: Tensor, update: Tensor) -> Tensor:
    total = x + update
    return (total - total.mean(-1, keepdim=True)) / (_root(total, epsilon=0.0) + 1e-5)


EXERCISES = (
    Exercise(
        id="00b.1",
        name="attend_by_hand",
        reference=_attention,
        cases=_cases_attention,
        drawn=sixty.vectors,
        gradients=True,
        rules=Rules(never=("scaled_dot_product_attention",)),
        mistakes=(
            Mistake("divide the scores by the square root of the length of a query",
                    lambda q, k, v: (q @ k.T).softmax(-1) @ v),
            Mistake("by the square root of the length, not by the length",
                    lambda q, k, v: (q @ k.T / q.shape[1]).softmax(-1) @ v),
            Mistake("the weights of one query, a row, add up to 1: softmax over the keys (dim=-1)", _over_the_queries),
            Mistake("e to each score comes first, then the division by the sum", _without_e),
            Mistake("e to a large score overflows: softmax subtracts the largest score first", _overflowing),
            Mistake("these are the weights: the results are the sums of the values that they weigh",
                    lambda q, k, v: _weights(q, k)),
        ),
    ),
    Exercise(
        id="00b.2",
        name="match_by_trying",
        reference=_match,
        cases=_cases_match,
        drawn=sixty.costs,
        rules=Rules(never=("linear_sum_assignment",)),
        mistakes=(
            Mistake("a query may answer for one square only: yours gives it to two", _each_its_cheapest),
            Mistake("the first square takes what the second needs more: compare the totals of all ways",
                    _one_after_the_other),
            Mistake("the cheapest pair need not be part of the cheapest total: compare the totals of all ways",
                    _cheapest_pair_first),
            Mistake("the least total is wanted, not the largest", _most_expensive),
            Mistake("which query has which square matters: permutations, not combinations", _in_rising_order),
        ),
    ),
    Exercise(
        id="00b.3",
        name="add_and_norm",
        reference=_add_and_norm,
        cases=_cases_norm,
        drawn=sixty.updates,
        gradients=True,
        rules=Rules(never=("layer_norm",)),
        tolerance=1e-3,
        mistakes=(
            Mistake("what was there is lost: add x before the norm", lambda x, update: _normed(update)),
            Mistake("add first, then normalise the sum", lambda x, update: x + _normed(update)),
            Mistake("divide by the root of the mean square (correction=0): torch.std divides by n - 1",
                    lambda x, update: _normed(x + update, unbiased=True)),
            Mistake("less the mean of the channels, before the division",
                    lambda x, update: (x + update) / _root(x + update)),
            Mistake("each vector is normalised alone (dim=-1), not all of them together",
                    lambda x, update: _normed(x + update, tuple(range(x.dim())))),
            Mistake("the root is missing: the deviation is the root of the variance",
                    lambda x, update: _normed(x + update) / _root(x + update)),
            Mistake("1e-5 is added to the variance, before the root, not to the deviation", _epsilon_beside_the_root),
            Mistake("equal channels have no deviation: add 1e-5 to the variance",
                    lambda x, update: _normed(x + update, epsilon=0.0)),
        ),
    ),
)  # fmt: skip
