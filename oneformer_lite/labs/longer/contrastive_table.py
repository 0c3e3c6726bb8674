"""Exercises 07.2 and 07.3: the contrastive loss of a table of similarities, and its gradient."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..draws import results
from ..exercise import Case, Exercise, Mistake, Rules

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


def _with_labels(table: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    return F.cross_entropy(table, rows) + F.cross_entropy(table.T, columns)


def _mean_of_directions(table: Tensor) -> Tensor:
    return _loss(table) / 2


def _rows_only(table: Tensor) -> Tensor:
    return -_log_probabilities(table, 1).mean()


def _rows_twice(table: Tensor) -> Tensor:
    return -2 * _log_probabilities(table, 1).mean()


def _sum_over_images(table: Tensor) -> Tensor:
    return _loss(table) * len(table)


def _without_the_pair(table: Tensor) -> Tensor:
    others = table.masked_fill(torch.eye(len(table), dtype=torch.bool), -torch.inf)
    return (others.logsumexp(1) + others.logsumexp(0) - 2 * table.diagonal()).mean()


def _softmax_twice(table: Tensor) -> Tensor:
    labels = torch.arange(len(table))
    return F.cross_entropy(table.softmax(1), labels) + F.cross_entropy(table.softmax(0).T, labels)


def _whole_table(table: Tensor) -> Tensor:
    return -2 * (table - table.logsumexp((0, 1))).diagonal().mean()


def _one_direction_minus_the_other(table: Tensor) -> Tensor:
    return -_log_probabilities(table, 1).mean() + _log_probabilities(table, 0).mean()


def _no_softmax(table: Tensor) -> Tensor:
    return -2 * table.diagonal().mean()


def _no_logarithm(table: Tensor) -> Tensor:
    return -(table.softmax(1).diagonal() + table.softmax(0).diagonal()).mean()


def _every_cell(table: Tensor) -> Tensor:
    return -(table.log_softmax(1) + table.log_softmax(0)).mean()


def _every_cell_added(table: Tensor) -> Tensor:
    return len(table) * _every_cell(table)


def _cell_by_cell(table: Tensor) -> Tensor:
    return 2 * F.binary_cross_entropy_with_logits(table, torch.eye(len(table)))


def _cold_again(table: Tensor) -> Tensor:
    return _loss(table / 0.07)


def _first_is_right(table: Tensor) -> Tensor:
    labels = torch.zeros(len(table), dtype=torch.int64)
    return F.cross_entropy(table, labels) + F.cross_entropy(table.T, labels)


def _multiplied(table: Tensor) -> Tensor:
    return _rows_only(table) * _rows_only(table.T)


def _second_counts_half(table: Tensor) -> Tensor:
    return _rows_only(table) + _rows_only(table.T) / 2


def _first_counts_half(table: Tensor) -> Tensor:
    return _second_counts_half(table.T)


def _sum_and_mean(table: Tensor) -> Tensor:
    return len(table) * _rows_only(table) + _rows_only(table.T)


def _mean_and_sum(table: Tensor) -> Tensor:
    return _sum_and_mean(table.T)


def _distance(table: Tensor) -> Tensor:
    return F.mse_loss(table, torch.eye(len(table)))


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


def _gradient_not_back(table: Tensor) -> Tensor:
    return (table.softmax(1) + table.T.softmax(1) - 2 * torch.eye(len(table))) / len(table)


def _gradient_one_truth(table: Tensor) -> Tensor:
    return (table.softmax(1) + table.softmax(0) - torch.eye(len(table))) / len(table)


OF_A_TABLE = (
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
            Mistake("both directions are added: yours subtracts one from the other, a sign is missing",
                    _one_direction_minus_the_other),
            Mistake("probabilities are missing: nll_loss, or minus the diagonal, takes log_softmax of the table",
                    _no_softmax),
            Mistake("minus the LOG-probability: the logarithm is missing", _no_logarithm),
            Mistake("only the diagonal belongs together: yours averages every cell of the table", _every_cell),
            Mistake("only the diagonal belongs together: yours adds up every cell of a row", _every_cell_added),
            Mistake("one softmax for a row, not a yes or no for each cell: cross_entropy, no binary one",
                    _cell_by_cell),
            Mistake("the table is divided by the temperature already", _cold_again),
            Mistake("image b belongs to text b: the labels are 0, 1, 2, ..., torch.arange(B)", _first_is_right),
            Mistake("the labels are what is true, not what the table finds likeliest: torch.arange(B)",
                    lambda table: _with_labels(table, table.argmax(1), table.argmax(0))),
            Mistake("image 0 belongs to text 0: yours counts the labels from 1, or moves them by one",
                    lambda table: _with_labels(table, *2 * [(torch.arange(len(table)) + 1) % len(table)])),
            Mistake("image 0 belongs to text 0: yours counts the labels down",
                    lambda table: _with_labels(table, *2 * [torch.arange(len(table)).flip(0)])),
            Mistake("the loss is the SUM of both directions, not their product", _multiplied),
            Mistake("both directions count whole: yours halves that of the columns", _second_counts_half),
            Mistake("both directions count whole: yours halves that of the rows", _first_counts_half),
            Mistake("each direction is a mean over the images: yours adds up the rows", _sum_and_mean),
            Mistake("each direction is a mean over the images: yours adds up the columns", _mean_and_sum),
            Mistake("each direction has a softmax of its own: add the two losses, not the two tables",
                    lambda table: F.cross_entropy(table + table.T, torch.arange(len(table)))),
            Mistake("both directions are added: yours keeps the larger one",
                    lambda table: torch.maximum(_rows_only(table), _rows_only(table.T))),
            Mistake("the pair itself belongs to the softmax: the sum below runs over all of a row, with the diagonal",
                    _without_the_pair),
            Mistake("the diagonal is subtracted in both directions: yours has it in one alone",
                    lambda table: _loss(table) + table.diagonal().mean()),
            Mistake("a distance to the identity tells nothing apart: minus the log of the softmax at the diagonal",
                    _distance),
            Mistake("no distance to the identity is asked for: minus the log of the softmax at the diagonal",
                    lambda table: 2 * _distance(table)),
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
            Mistake("this is the gradient of the rows alone, and not divided by B: the columns add theirs, and each "
                    "direction is a mean", lambda t: len(t) * _gradient_rows_only(t)),
            Mistake("the rows count twice: the columns have a softmax of their own, over axis 0",
                    lambda t: 2 * _gradient_rows_only(t)),
            Mistake("a softmax of the transposed table is itself transposed: bring it back, or take softmax(0)",
                    _gradient_not_back),
            Mistake("each direction is a mean over the B images, not over the two directions: divide by B",
                    lambda t: _gradient(t) * len(t) / 2),
        ),
    ),
)  # fmt: skip
