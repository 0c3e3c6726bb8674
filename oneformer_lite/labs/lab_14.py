"""Lab 14: another batch size, micro-batches, and the share of one process: what a large training has to get right."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

from ..training import rescaled, toytown_training
from .draws import first
from .exercise import Case, Exercise, Mistake

# -- 14.1: rate, steps, batch size before and after -> rate, steps


def _rescaled(lr: float, steps: int, before: int, after: int) -> tuple[float, int]:
    """The package's, of a recipe with these numbers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says what it changes; here that is the answer
        recipe = rescaled(toytown_training(lr=lr, steps=steps, batch_size=before, warmup_steps=0), after)
    return recipe.lr, recipe.steps


def _cases_rescaled() -> list[Case]:
    return [
        Case("four times as many", 0.002, 1000, 4, 16),
        Case("half as many", 0.001, 500, 16, 8),
        Case("the same", 0.001, 300, 8, 8),
        Case("steps that must be rounded", 0.0005, 1000, 4, 6),
        Case("a batch of two", 0.0001, 90, 16, 2),
    ]


def _rule(power: float, steps: int, ratio_power: float = 1.0):
    """The rate by a power of the ratio; the steps by another, if ``steps``."""

    def rule(lr: float, count: int, before: int, after: int) -> tuple[float, int]:
        ratio = after / before
        return lr * ratio**power, round(count / ratio**ratio_power) if steps else count

    return rule


# -- 14.2: mean gradients of micro-batches, their sizes -> the gradient of the whole batch


def _accumulated(gradients: Sequence[Tensor], sizes: Sequence[int]) -> Tensor:
    weights = torch.tensor(sizes, dtype=torch.float32)
    return torch.einsum("n,n...->...", weights / weights.sum(), torch.stack(list(gradients)))


def _cases_accumulated() -> list[Case]:
    draw = torch.Generator().manual_seed(6)
    g = [torch.randn(2, 3, generator=draw) for _ in range(4)]
    return [
        Case("two of one size", g[:2], [2, 2]),
        Case("a smaller last one", g[:3], [4, 4, 1]),
        Case("one alone", g[:1], [5]),
        Case("four of one picture", g, [1, 1, 1, 1]),
        Case("very unequal", g[:2], [1, 63]),
    ]


def _sum_of_means(gradients: Sequence[Tensor], sizes: Sequence[int]) -> Tensor:
    return torch.stack(list(gradients)).sum(0)


def _mean_of_means(gradients: Sequence[Tensor], sizes: Sequence[int]) -> Tensor:
    return torch.stack(list(gradients)).mean(0)


def _weighted_sum(gradients: Sequence[Tensor], sizes: Sequence[int]) -> Tensor:
    return _accumulated(gradients, sizes) * sum(sizes)


def _by_number(gradients: Sequence[Tensor], sizes: Sequence[int]) -> Tensor:
    return _weighted_sum(gradients, sizes) / len(sizes)


def _last_alone(gradients: Sequence[Tensor], sizes: Sequence[int]) -> Tensor:
    return list(gradients)[-1]


# -- 14.3: order of the pictures, batch size, processes, rank -> the pictures of this process, batch by batch


def _share(order: Sequence[int], batch: int, processes: int, rank: int) -> list[list[int]]:
    each = batch // processes
    starts = range(rank * each, len(order) // batch * batch, batch)
    return [list(order[start : start + each]) for start in starts]


def _cases_share() -> list[Case]:
    order = [5, 0, 7, 2, 6, 1, 4, 3]
    return [
        Case("two processes, the first", order, 4, 2, 0),
        Case("two processes, the second", order, 4, 2, 1),
        Case("one process", order, 4, 1, 0),
        Case("a rest that makes no batch", [*order, 9, 8], 4, 2, 1),
        Case("one picture each", order, 4, 4, 2),
        Case("fewer pictures than a batch", [1, 0], 4, 2, 0),
    ]


def _last_batch_lost(order: Sequence[int], batch: int, *rest: int) -> list[list[int]]:
    return _share(order, batch, *rest)[: (len(order) - 1) // batch]


def _with_rest(order: Sequence[int], batch: int, processes: int, rank: int) -> list[list[int]]:
    each = batch // processes
    parts = (list(order[start + rank * each :][:each]) for start in range(0, len(order), batch))
    return [part for part in parts if part]


def _own_region(order: Sequence[int], batch: int, processes: int, rank: int) -> list[list[int]]:
    each, batches = batch // processes, len(order) // batch
    own = list(order[rank * each * batches :][: each * batches])
    return [own[n * each :][:each] for n in range(batches)]


def _striped(order: Sequence[int], batch: int, processes: int, rank: int) -> list[list[int]]:
    return [list(order[n * batch :][:batch][rank::processes]) for n in range(len(order) // batch)]


def _whole_batches(order: Sequence[int], batch: int, processes: int, rank: int) -> list[list[int]]:
    return _share(order, batch, 1, 0)


def _flat(order: Sequence[int], batch: int, processes: int, rank: int) -> list[int]:
    return [i for part in _share(order, batch, processes, rank) for i in part]


EXERCISES = (
    Exercise(
        id="14.1",
        name="rescaled",
        reference=_rescaled,
        cases=_cases_rescaled,
        drawn=first.batch_sizes,
        mistakes=(
            Mistake("linear is SGD's rule: AdamW's rate grows with the root of the batch size", _rule(1.0, 1)),
            Mistake("the rate must change too, with the root of the batch size", _rule(0.0, 1)),
            Mistake("as many pictures in all: a larger batch needs fewer steps", _rule(0.5, 0)),
            Mistake("the wrong way round: a larger batch needs fewer steps", _rule(0.5, 1, -1.0)),
            Mistake("the rate grows with the batch, it does not shrink", _rule(-0.5, 1)),
            Mistake("round to the nearest step: yours cuts the decimals off",
                    lambda lr, steps, before, after: (_rescaled(lr, steps, before, after)[0], steps * before // after)),
            Mistake("the root is for the rate alone: as many pictures in all, so steps shrink with the batch itself",
                    _rule(0.5, 1, 0.5)),
            Mistake("the rate grows with the ROOT of the batch size, not with its square", _rule(2.0, 1)),
        ),
    ),
    Exercise(
        id="14.2",
        name="accumulated",
        reference=_accumulated,
        cases=_cases_accumulated,
        drawn=first.micro_batches,
        gradients=True,
        mistakes=(
            Mistake("each is a mean already: their sum grows with the number of micro-batches", _sum_of_means),
            Mistake("a small micro-batch would count as much as a large one: weight by the sizes", _mean_of_means),
            Mistake("divide by the number of pictures in the end", _weighted_sum),
            Mistake("divide by the number of pictures, not of micro-batches", _by_number),
            Mistake("this is the last one alone: they add up", _last_alone),
            Mistake("a larger piece counts more: multiply by its size, do not divide",
                    lambda gradients, n: _sum_of_means([g / m for g, m in zip(gradients, n, strict=True)], n)),
            Mistake("each gradient is a mean already: times its size before you divide by the number of pictures",
                    lambda gradients, sizes: _sum_of_means(gradients, sizes) / sum(sizes)),
        ),
    ),
    Exercise(
        id="14.3",
        name="share",
        reference=_share,
        cases=_cases_share,
        drawn=first.processes,
        mistakes=(
            Mistake("a rest that makes no whole batch is left out: some processes would wait for others for ever",
                    _with_rest),
            Mistake("split every batch, not the whole order: together the processes make the batches of one",
                    _own_region),
            Mistake("each process takes a run of neighbours, not every n-th", _striped),
            Mistake("these are whole batches: each process takes its part of every one", _whole_batches),
            Mistake("keep the batches apart: a list for each", _flat),
            Mistake("the order is shuffled on purpose: leave it as it is", lambda o, *rest: _share(sorted(o), *rest)),
            Mistake("ranks count from 0: process 0 takes the first part", lambda o, b, n, r: _share(o, b, n, r - 1)),
            Mistake("the last whole batch belongs to it: where does 'range' end?", _last_batch_lost),
        ),
    ),
)  # fmt: skip
