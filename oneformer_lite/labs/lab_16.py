"""Lab 16: rungs of the ladder: what a box costs, where DETR looks, who may look in EoMT, masks that fade out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from ..model.eomt import EoMT
from ..model.output import MaskProduct
from ..model.parts.mask_attention import MaskAttention
from .draws import ladder
from .exercise import Case, Exercise, Mistake, Rules
from .longer.box_costs import BOX_COSTS

# -- 16.2: queries [Q, M, d], keys [S, M, d] of M heads -> weights [Q, M, S]


def _looks(q: Tensor, k: Tensor) -> Tensor:
    """The package's mask attention without its projections."""
    attention = MaskAttention(q.shape[1] * q.shape[2], q.shape[1])
    attention.q_proj = attention.k_proj = nn.Identity()
    everywhere = torch.ones(1, 1, len(k), dtype=torch.bool)
    return attention(q.flatten(1)[None], k.flatten(1).T[None, :, None], everywhere)[0, :, :, 0]


def _cases_looks() -> list[Case]:
    draw = torch.Generator().manual_seed(2)
    q, k = torch.randn(3, 4, 5, generator=draw), torch.randn(7, 4, 5, generator=draw)
    return [
        Case("three queries, four heads", q, k),
        Case("one head", q[:, :1], k[:, :1]),
        Case("one place", q, k[:1]),
        Case("one head that finds something", torch.eye(2)[None] * 6, torch.eye(2)[None].repeat(3, 1, 1) * 4),
        Case("nothing to choose by", torch.zeros(2, 3, 4), k[:, :3, :4]),
    ]


def _scores(q: Tensor, k: Tensor) -> Tensor:
    return torch.einsum("qmd,smd->qms", q, k)


def _jointly(scores: Tensor) -> Tensor:
    return scores.flatten(1).softmax(-1).view(scores.shape)


# -- 16.3: inside bool [Q, S], number of other tokens -> bool [T, T], T = Q + others + S


def _may_look(inside: Tensor, others: int) -> Tensor:
    """EoMT's own, with the regions as masks: an embedding of +-1 at each patch, and a feature for each patch alone."""
    queries, patches = inside.shape
    masks = MaskProduct(2.0 * inside[None] - 1, torch.eye(patches)[None, :, None])
    plain = SimpleNamespace(training=False)
    return EoMT.allowed(plain, masks, (1, patches), 1.0, queries + others + patches)[0, 0]


def _cases_may_look() -> list[Case]:
    draw = torch.Generator().manual_seed(3)
    inside = torch.rand(4, 9, generator=draw) < 0.5
    empty = inside.clone()
    empty[2] = False
    return [
        Case("by hand", torch.tensor([[True, False, False], [False, True, True]]), 1),
        Case("four queries, five other tokens", inside, 5),
        Case("an empty mask", empty, 2),
        Case("no other token", inside[:, :6], 0),
        Case("one query that sees all", torch.ones(1, 4, dtype=torch.bool), 1),
    ]


def _bound(
    inside: Tensor, others: int, *, rescue: bool = False, both: bool = False, apart: bool = False, last: bool = False,
    early: bool = False, blind: bool = False, lone: bool = False, nothing: bool = False, unseen: bool = False,
    others_too: bool = False,
) -> Tensor:  # fmt: skip
    """The answer written once more, with switches for what goes wrong."""
    queries, patches = inside.shape
    tokens = queries + others + patches
    may = torch.full((tokens, tokens), not nothing)
    if blind:
        may[:queries] = False
    if unseen:
        may[:queries, queries : tokens - patches] = False
    if others_too:
        may[queries : tokens - patches, tokens - patches :] = inside.any(0)
    if rescue:
        inside = inside | ~inside.any(-1, keepdim=True)
    rows, columns = slice(0, queries), slice(tokens - patches, tokens)
    if last:
        rows, columns = slice(tokens - queries, tokens), slice(others, others + patches)
    if early:
        columns = slice(queries, queries + patches)
    may[rows, columns] = inside
    if both:
        may[columns, rows] = inside.T
    if apart:
        may[rows, rows] = torch.eye(queries, dtype=torch.bool)
    if lone:
        may.fill_diagonal_(False)
    return may


# -- 16.4: share of the training, (begin, end) of each block -> share of bound queries in each block


def _shares(progress: float, spans: Sequence[tuple[float, float]]) -> list[float]:
    """What EoMT sets its blocks to."""
    found: list[float] = []
    model = SimpleNamespace(config=SimpleNamespace(annealing=spans), set_shares=found.extend)
    EoMT.anneal(model, progress)
    return found


def _cases_shares() -> list[Case]:
    sixths = [(1 / 6, 2 / 6), (3 / 6, 4 / 6)]
    return [
        Case("in the middle of the first block's time", 0.25, sixths),
        Case("before anything fades", 0.1, sixths),
        Case("at the end", 1.0, sixths),
        Case("blocks that fade together", 0.4, [(0.0, 0.8), (0.2, 1.0), (0.3, 0.5)]),
        Case("the last moment of one", 0.65, sixths),
    ]


def _faded(rule: Callable[[float], float], least: float = 0.0, most: float = 1.0) -> Callable[..., list[float]]:
    """With another rule for the used share of a block's time, or other limits of that share."""

    def shares(progress: float, spans: Sequence[tuple[float, float]]) -> list[float]:
        return [rule(min(most, max(least, (progress - begin) / (end - begin)))) for begin, end in spans]

    return shares


def _left(p: float) -> float:
    return (1 - p) ** 0.9


def _of_the_whole(progress: float, spans: Sequence[tuple[float, float]]) -> list[float]:
    return [(1 - progress) ** 0.9 for _ in spans]


def _until_the_end(progress: float, spans: Sequence[tuple[float, float]]) -> list[float]:
    return [(1 - min(1.0, progress / end)) ** 0.9 for _, end in spans]


def _at_once(progress: float, spans: Sequence[tuple[float, float]]) -> list[float]:
    return [1.0 if progress < end else 0.0 for _, end in spans]


EXERCISES = (
    BOX_COSTS,
    Exercise(
        id="16.2",
        name="looks",
        reference=_looks,
        cases=_cases_looks,
        drawn=ladder.heads,
        gradients=True,
        rules=Rules(never=("loops",)),
        mistakes=(
            Mistake("one softmax for all heads of a query together: yours lets each head's weights sum to 1",
                    lambda q, k: (_scores(q, k) / q.shape[-1] ** 0.5).softmax(-1)),
            Mistake("the softmax runs over heads and places, not over heads alone",
                    lambda q, k: (_scores(q, k) / q.shape[-1] ** 0.5).softmax(1)),
            Mistake("divide the scores by sqrt(d)", lambda q, k: _jointly(_scores(q, k))),
            Mistake("d is the width of one head: divide by its root, not by that of all heads together",
                    lambda q, k: _jointly(_scores(q, k) / (q.shape[1] * q.shape[2]) ** 0.5)),
            Mistake("each query has a softmax of its own: yours shares one among all queries",
                    lambda q, k: (_scores(q, k) / q.shape[-1] ** 0.5).flatten().softmax(0).view(len(q), -1, len(k))),
            Mistake("every head has its own keys: yours sums over the heads and repeats",
                    lambda q, k: _jointly(_scores(q, k).sum(1, keepdim=True).expand(-1, q.shape[1], -1)
                                          / q.shape[-1] ** 0.5)),
        ),
    ),
    Exercise(
        id="16.3",
        name="may_look",
        reference=_may_look,
        cases=_cases_may_look,
        drawn=ladder.regions,
        rules=Rules(never=("loops",)),
        mistakes=(
            Mistake("no rescue here: a query without a patch still sees the queries and the other tokens",
                    lambda inside, others: _bound(inside, others, rescue=True)),
            Mistake("only the queries are bound: patches may look at all queries",
                    lambda inside, others: _bound(inside, others, both=True)),
            Mistake("queries see each other, whatever their masks",
                    lambda inside, others: _bound(inside, others, apart=True)),
            Mistake("the queries are the first tokens, the patches the last",
                    lambda inside, others: _bound(inside, others, last=True)),
            Mistake("the patches are the last S columns; yours begins right after the queries, where the others are",
                    lambda inside, others: _bound(inside, others, early=True)),
            Mistake("only queries that look at patches are bound: begin with True everywhere",
                    lambda inside, others: _bound(inside, others, nothing=True)),
            Mistake("a query is bound to its region among the patches alone: it sees all queries and other tokens",
                    lambda inside, others: _bound(inside, others, blind=True)),
            Mistake("queries see the other tokens, whatever their masks",
                    lambda inside, others: _bound(inside, others, unseen=True)),
            Mistake("the other tokens are bound by no mask: they see every patch",
                    lambda inside, others: _bound(inside, others, others_too=True)),
            Mistake("a token sees itself as well: leave the diagonal True",
                    lambda inside, others: _bound(inside, others, lone=True)),
            Mistake("True means may look; yours says where not", lambda inside, others: ~_bound(inside, others)),
            Mistake("rows look, columns are looked at: yours is transposed",
                    lambda inside, others: _bound(inside, others).T),
        ),
    ),
    Exercise(
        id="16.4",
        name="shares",
        reference=_shares,
        cases=_cases_shares,
        drawn=ladder.fading,
        mistakes=(
            Mistake("the power is missing: (1 - p) to the 0.9", _faded(lambda p: 1 - p)),
            Mistake("masks fade out: 1 at the beginning of a block's time, 0 at its end", _faded(lambda p: p**0.9)),
            Mistake("the power is taken of what is left: (1 - p) ** 0.9, not 1 - p ** 0.9",
                    _faded(lambda p: 1 - p**0.9)),
            Mistake("keep p within 0 and 1: before its begin a block binds all, after its end none",
                    _faded(_left, -math.inf, math.inf)),
            Mistake("keep p below 1 as well: after its end a block binds none", _faded(_left, most=math.inf)),
            Mistake("keep p above 0 as well: before its begin a block binds all", _faded(_left, least=-math.inf)),
            Mistake("each block has a time of its own: p is the used share of it, not of the whole training",
                    _of_the_whole),
            Mistake("a block's masks begin to fade at its begin, not at the start of the training", _until_the_end),
            Mistake("they fade, and do not go at once", _at_once),
        ),
    ),
)  # fmt: skip
