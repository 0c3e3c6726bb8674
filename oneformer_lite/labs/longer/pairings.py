"""Exercise 08.4: the cheapest pairing of queries and segments."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ...losses.matching import assign
from ..draws import results
from ..exercise import Case, Exercise, Mistake

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


PAIRING = Exercise(
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
)  # fmt: skip
