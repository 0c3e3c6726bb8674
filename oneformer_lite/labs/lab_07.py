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


def _rows_are_texts(queries: Tensor, texts: Tensor) -> Tensor:
    return _cosines(texts, queries)


# -- 07.2: table [B, B], rows images, columns texts, divided by the temperature -> a number


def _loss(table: Tensor) -> Tensor:
    """As the package has it, of a table alone; a test compares both."""
    labels = torch.arange(len(table))
    return F.cross_entropy(table, labels) + F.cross_entropy(table.T, labels)


def _cases_table() -> list[Case]:
    table = 3 * torch.randn(4, 4, generator=torch.Generator().manual_seed(3))
    hub = torch.eye(3) * 2
    hub[:, 0] += 4  # every image likes the first text list
    return [
        Case("four images", table),
        Case("all images like one text list", hub),
        Case("nothing is told apart", torch.zeros(5, 5)),
        Case("a batch of one", torch.full((1, 1), -3.0)),
        Case("large values", 100 * torch.eye(3) - torch.arange(9.0).view(3, 3)),
    ]


def _log_probabilities(table: Tensor, dim: int) -> Tensor:
    return table.log_softmax(dim).diagonal()


def _mean_of_directions(table: Tensor) -> Tensor:
    return _loss(table) / 2


def _rows_only(table: Tensor) -> Tensor:
    return -_log_probabilities(table, 1).mean()


def _rows_twice(table: Tensor) -> Tensor:
    return -2 * _log_probabilities(table, 1).mean()


def _sum_over_images(table: Tensor) -> Tensor:
    return _loss(table) * len(table)


def _softmax_twice(table: Tensor) -> Tensor:
    labels = torch.arange(len(table))
    return F.cross_entropy(table.softmax(1), labels) + F.cross_entropy(table.softmax(0).T, labels)


def _whole_table(table: Tensor) -> Tensor:
    return -2 * (table - table.logsumexp((0, 1))).diagonal().mean()


def _overflowing(table: Tensor) -> Tensor:
    right, power = table.diagonal().exp(), table.exp()
    return -((right / power.sum(1)).log() + (right / power.sum(0)).log()).mean()


# -- 07.3: the gradient of that number, [B, B]


def _gradient(table: Tensor) -> Tensor:
    with torch.enable_grad():
        leaf, labels = table.detach().clone().requires_grad_(), torch.arange(len(table))
        loss = F.cross_entropy(leaf, labels) + F.cross_entropy(leaf.T, labels)
        return torch.autograd.grad(loss, leaf)[0]


def _gradient_rows_only(table: Tensor) -> Tensor:
    return (table.softmax(1) - torch.eye(len(table))) / len(table)


def _gradient_one_truth(table: Tensor) -> Tensor:
    return (table.softmax(1) + table.softmax(0) - torch.eye(len(table))) / len(table)


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
        ),
    ),
    Exercise(
        id="07.2",
        name="contrastive_loss",
        reference=_loss,
        cases=_cases_table,
        drawn=results.table,
        gradients=True,
        rules=Rules(never=("loops",)),
        mistakes=(
            Mistake("the loss is the sum of both directions, not their mean", _mean_of_directions),
            Mistake("these are the rows alone: the texts must find their images too", _rows_only),
            Mistake("the rows count twice: transpose the table for the second direction", _rows_twice),
            Mistake("divide by the number of images: each direction is a mean", _sum_over_images),
            Mistake("cross_entropy takes the softmax itself: give it the table as it is", _softmax_twice),
            Mistake("a softmax belongs to one row, or one column, not to the whole table", _whole_table),
            Mistake("exp of a large value overflows: use log_softmax or cross_entropy", _overflowing),
        ),
    ),
    Exercise(
        id="07.3",
        name="gradient",
        reference=_gradient,
        cases=_cases_table,
        drawn=results.table,
        rules=Rules(never=("grad", "backward", "jacobian", "jacrev")),
        mistakes=(
            Mistake("each direction is a mean over the images: divide by B", lambda t: _gradient(t) * len(t)),
            Mistake("the sign: probability minus truth, so that a step against it raises the diagonal",
                    lambda t: -_gradient(t)),
            Mistake("this is the gradient of the rows alone: the columns add theirs", _gradient_rows_only),
            Mistake("both directions have a truth: subtract the identity twice", _gradient_one_truth),
        ),
    ),
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
