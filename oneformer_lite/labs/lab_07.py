"""Lab 07: similarity of queries and texts, the symmetric loss, its gradient, false negatives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..inspectors.contrast.reading import Encoded, false_negatives
from ..losses.contrastive import similarity
from .draws import results
from .exercise import Case, Exercise, Mistake, Rules
from .longer.contrastive_table import OF_A_TABLE

# -- 07.1: queries [B, Q, C], texts [D, Q, C] -> cosines [B, D]


def _cosines(queries: Tensor, texts: Tensor) -> Tensor:
    return similarity(queries, texts, torch.zeros(()))  # the exponential of 0: no temperature


def _cases_cosines() -> list[Case]:
    generator = torch.Generator().manual_seed(7)
    queries, texts = torch.randn(4, 3, 5, generator=generator), torch.randn(4, 3, 5, generator=generator)
    return [
        Case("four images", queries, texts),
        Case("two images, three text lists", queries[:2], texts[:3]),
        Case("long vectors", 50 * queries, texts / 9),
        Case("slots of unequal length", queries * torch.tensor([[[9.0], [1.0], [0.1]]]), texts),
        Case("one image", queries[:1], texts[:1]),
        Case("an image of zeros", torch.zeros(1, 3, 5), texts),
    ]


def _dot_products(queries: Tensor, texts: Tensor) -> Tensor:
    return queries.flatten(1) @ texts.flatten(1).T


def _slot_by_slot(queries: Tensor, texts: Tensor) -> Tensor:
    table = torch.einsum("bqc,dqc->bd", F.normalize(queries, dim=-1), F.normalize(texts, dim=-1))
    return table / queries.shape[1]


def _mean_over_slots(queries: Tensor, texts: Tensor) -> Tensor:
    return F.normalize(queries.mean(1), dim=-1) @ F.normalize(texts.mean(1), dim=-1).T


def _sum_over_slots(queries: Tensor, texts: Tensor) -> Tensor:
    return _slot_by_slot(queries, texts) * queries.shape[1]


def _all_slots_with_all(queries: Tensor, texts: Tensor) -> Tensor:
    return F.normalize(queries, dim=-1).sum(1) @ F.normalize(texts, dim=-1).sum(1).T


def _one_length_for_all(queries: Tensor, texts: Tensor) -> Tensor:
    return _dot_products(queries, texts) / (queries.norm() * texts.norm()).clamp(min=1e-12)


def _absolute_lengths(queries: Tensor, texts: Tensor) -> Tensor:
    return F.normalize(queries.flatten(1), p=1, dim=-1) @ F.normalize(texts.flatten(1), p=1, dim=-1).T


def _probabilities(queries: Tensor, texts: Tensor) -> Tensor:
    return _cosines(queries, texts).softmax(-1)


def _distances(queries: Tensor, texts: Tensor) -> Tensor:
    return torch.cdist(queries.flatten(1), texts.flatten(1))


def _divided_by_zero(queries: Tensor, texts: Tensor) -> Tensor:
    lengths = queries.flatten(1).norm(dim=1)[:, None] * texts.flatten(1).norm(dim=1)
    return _dot_products(queries, texts) / lengths


def _rows_are_texts(queries: Tensor, texts: Tensor) -> Tensor:
    return _cosines(texts, queries)


# -- 07.4: text lists, tasks -> bool [B, B]


def _equal_lists(texts: Sequence[Sequence[str]], tasks: Sequence[str]) -> Tensor:
    none = np.zeros((0, 0))
    batch = [Encoded(i, task, tuple(t), len(t), none, none) for i, (t, task) in enumerate(zip(texts, tasks))]
    return torch.from_numpy(false_negatives(batch, threshold=1.0))


def _cases_lists() -> list[Case]:
    one_tree, two_trees, bus = ["a photo with a tree"], ["a photo with a tree"] * 2, ["a photo with a bus"]
    return [
        Case("two of three are equal", [bus, two_trees, bus], ["panoptic"] * 3),
        Case("one tree and two trees", [one_tree, two_trees, one_tree], ["instance"] * 3),
        Case("the same list under two tasks", [bus, bus, bus], ["semantic", "instance", "semantic"]),
        Case("two images without any thing", [[], bus, []], ["instance"] * 3),
        Case("all equal", [bus] * 4, ["panoptic"] * 4),
        Case("one image", [two_trees], ["panoptic"]),
    ]


def _table_of(texts: Sequence[Sequence[str]], tasks: Sequence[str], same) -> Tensor:
    """bool [B, B]: ``same(i, j)`` off the diagonal."""
    count = range(len(texts))
    return torch.tensor([[i != j and same(i, j) for j in count] for i in count], dtype=torch.bool)


def _as_sets(texts: Sequence[Sequence[str]], tasks: Sequence[str]) -> Tensor:
    return _table_of(texts, tasks, lambda i, j: set(texts[i]) == set(texts[j]) and tasks[i] == tasks[j])


def _any_task(texts: Sequence[Sequence[str]], tasks: Sequence[str]) -> Tensor:
    return _table_of(texts, tasks, lambda i, j: list(texts[i]) == list(texts[j]))


def _not_empty(texts: Sequence[Sequence[str]], tasks: Sequence[str]) -> Tensor:
    return _equal_lists(texts, tasks) & _table_of(texts, tasks, lambda i, j: bool(texts[i]))


def _with_diagonal(texts: Sequence[Sequence[str]], tasks: Sequence[str]) -> Tensor:
    return _equal_lists(texts, tasks) | torch.eye(len(texts), dtype=torch.bool)


def _upper_half(texts: Sequence[Sequence[str]], tasks: Sequence[str]) -> Tensor:
    return _equal_lists(texts, tasks).triu()


EXERCISES = (
    Exercise(
        id="07.1",
        name="similarity",
        reference=_cosines,
        cases=_cases_cosines,
        drawn=results.queries_and_texts,
        gradients=True,
        rules=Rules(never=("loops",)),
        mistakes=(
            Mistake("the vectors must be normalised: a dot product grows with their length", _dot_products),
            Mistake("this is the mean of the slots' cosines: lay all slots end to end first, then normalise the whole",
                    _slot_by_slot),
            Mistake("flatten the slots, do not average them: their order would be lost", _mean_over_slots),
            Mistake("rows are images and columns are text lists; yours is the transpose", _rows_are_texts),
            Mistake("this is the sum of the slots' cosines: an image is one vector, so flatten first, then normalise",
                    _sum_over_slots),
            Mistake("yours meets every slot with every other: lay the slots end to end, so that each meets its own",
                    _all_slots_with_all),
            Mistake("each image has a length of its own: norm(dim=-1), not the norm of the whole batch",
                    _one_length_for_all),
            Mistake("a length is the root of the sum of squares, not the sum of absolute values (p=1)",
                    _absolute_lengths),
            Mistake("cosines are asked for: the softmax comes later, in the loss", _probabilities),
            Mistake("a distance says how far apart, a cosine how much alike: normalise, then a matrix product",
                    _distances),
            Mistake("a vector of zeros has the length 0, and 0 / 0 is NaN: F.normalize divides by 1e-12 at least",
                    _divided_by_zero),
        ),
    ),
    *OF_A_TABLE,
    Exercise(
        id="07.4",
        name="false_negatives",
        reference=_equal_lists,
        cases=_cases_lists,
        drawn=results.text_lists,
        mistakes=(
            Mistake("two trees are two sentences: compare lists, not sets", _as_sets),
            Mistake("the padding differs between tasks, so equal sentences under two tasks are not equal lists",
                    _any_task),
            Mistake("two empty lists of one task are equal: both are all padding", _not_empty),
            Mistake("the diagonal holds the positives: an image is no false negative of itself", _with_diagonal),
            Mistake("mark both halves: (j, i) is as false as (i, j)", _upper_half),
        ),
    ),
)  # fmt: skip
