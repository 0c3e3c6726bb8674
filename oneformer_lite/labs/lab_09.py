"""Lab 09: the weighted class loss, dice, points where the model hesitates, and a criterion with two bugs."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..config import ModelConfig
from ..data.targets import Targets
from ..losses.masks import dice_loss
from ..losses.terms import class_loss
from ..model.output import Predictions
from .draws import results
from .exercise import Case, Exercise, Mistake, Rules
from .longer.hard_points import HARD_POINTS

# -- 09.1: [Q, K+1], [Q], weight of "no object" -> scalar


def _class_loss(class_logits: Tensor, classes: Tensor, no_object: float) -> Tensor:
    """The package's, for one image whose queries have found these classes."""
    count = class_logits.shape[1] - 1
    queries = torch.nonzero(classes != count)[:, 0]
    target = Targets(torch.zeros(len(queries), 1, 1, dtype=torch.bool), classes[queries], [""] * len(queries))
    prediction = Predictions(class_logits[None], torch.zeros(1, len(classes), 1, 1))
    config = ModelConfig(num_classes=count, no_object_weight=no_object)
    return class_loss(prediction, [target], [queries], config)


def _weights_turned(logits: Tensor, classes: Tensor, no_object: float) -> Tensor:
    weights = torch.full((logits.shape[1],), float(no_object))
    weights[-1] = 1.0
    return F.cross_entropy(logits, classes, weights)


def _cases_class_loss() -> list[Case]:
    generator = torch.Generator().manual_seed(1)
    by_hand = torch.zeros(3, 4)
    by_hand[0, 2] = math.log(3)
    logits = 2 * torch.randn(6, 4, generator=generator)
    return [
        Case("by hand", by_hand, torch.tensor([2, 3, 3]), 0.1),
        Case("two of six have a mask", logits, torch.tensor([3, 0, 3, 3, 1, 3]), 0.1),
        Case("nobody has a mask", logits, torch.full((6,), 3), 0.1),
        Case("another weight", logits, torch.tensor([0, 3, 2, 3, 3, 3]), 0.5),
        Case("large logits", 300 * logits, torch.tensor([3, 0, 3, 3, 1, 3]), 0.1),
    ]


def _entropies(class_logits: Tensor, classes: Tensor) -> Tensor:
    return F.cross_entropy(class_logits, classes, reduction="none")


def _weights(class_logits: Tensor, no_object: float) -> Tensor:
    weights = torch.ones(class_logits.shape[1])
    weights[-1] = no_object
    return weights


def _divided_by_queries(class_logits: Tensor, classes: Tensor, no_object: float) -> Tensor:
    return (_weights(class_logits, no_object)[classes] * _entropies(class_logits, classes)).mean()


def _no_object_first(class_logits: Tensor, classes: Tensor, no_object: float) -> Tensor:
    return F.cross_entropy(class_logits, classes, _weights(class_logits, no_object).flip(0))


def _of_probabilities(class_logits: Tensor, classes: Tensor, no_object: float) -> Tensor:
    return F.cross_entropy(class_logits.softmax(-1), classes, _weights(class_logits, no_object))


def _log_of_softmax(class_logits: Tensor, classes: Tensor, no_object: float) -> Tensor:
    entropies = -class_logits.softmax(-1)[torch.arange(len(classes)), classes].log()
    weights = _weights(class_logits, no_object)[classes]
    return (weights * entropies).sum() / weights.sum()


# -- 09.2: [N, P], [N, P] -> [N]


def _cases_dice() -> list[Case]:
    generator = torch.Generator().manual_seed(2)
    x, y = 3 * torch.randn(4, 20, generator=generator), (torch.rand(4, 20, generator=generator) < 0.3).float()
    return [
        Case("by hand", torch.tensor([[0.0, math.log(3)]]), torch.tensor([[1.0, 0.0]])),
        Case("four masks", x, y),
        Case("an empty mask", x[:1], torch.zeros(1, 20)),
        Case("sure and right", 1000 * (2 * y - 1), y),
        Case("a single point", x[:, :1], y[:, :1]),
    ]


def _dice_without_ones(x: Tensor, y: Tensor) -> Tensor:
    p = x.sigmoid()
    return 1 - 2 * (p * y).sum(1) / (p.sum(1) + y.sum(1))


def _dice_of_logits(x: Tensor, y: Tensor) -> Tensor:
    return 1 - (2 * (x * y).sum(1) + 1) / (x.sum(1) + y.sum(1) + 1)


def _dice_of(
    made: Callable[[Tensor], Tensor] = torch.sigmoid, power: int = 1, two: float = 2.0, over: float = 1.0,
    under: float = 1.0, union: bool = False, mean: bool = False,
) -> Callable[[Tensor, Tensor], Tensor]:  # fmt: skip
    """Dice with switches for what goes wrong."""

    def dice(x: Tensor, y: Tensor) -> Tensor:
        p = made(x)
        total = torch.mean if mean else torch.sum
        both, sizes = total(p * y, 1), total(p**power, 1) + total(y, 1)
        return 1 - (two * both + over) / (sizes - union * both + under)

    return dice


def _dice_over_all(x: Tensor, y: Tensor) -> Tensor:
    p = x.sigmoid()
    return (1 - (2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1)).expand(len(x))


# -- 09.4: labels [G], queries [G], Q, K, weight -> classes [Q] and weights [K+1]


def _asked(labels: Tensor, queries: Tensor, num_queries: int, num_classes: int, no_object: float):
    classes, weights = torch.full((num_queries,), num_classes), torch.ones(num_classes + 1)
    classes[queries], weights[-1] = labels, no_object
    return classes, weights


def _cases_asked() -> list[Case]:
    labels, queries = torch.tensor([0, 2, 2]), torch.tensor([4, 0, 3])
    return [
        Case("three of six", labels, queries, 6, 3, 0.1),
        Case("no mask", labels[:0], queries[:0], 4, 3, 0.1),
        Case("every query has one", labels, torch.tensor([2, 0, 1]), 3, 5, 0.1),
        Case("one class", torch.tensor([0]), torch.tensor([1]), 3, 1, 0.5),
    ]


def _compared(labels, queries, num_queries, num_classes, no_object):
    return torch.full((num_queries,), num_classes), _asked(labels, queries, num_queries, num_classes, no_object)[1]


def _only_no_object_weighs(labels, queries, num_queries, num_classes, no_object):
    classes, weights = _asked(labels, queries, num_queries, num_classes, no_object)
    weights[:-1] = 0
    return classes, weights


def _both_bugs(labels, queries, num_queries, num_classes, no_object):
    classes = _compared(labels, queries, num_queries, num_classes, no_object)[0]
    return classes, _only_no_object_weighs(labels, queries, num_queries, num_classes, no_object)[1]


def _class_zero(labels, queries, num_queries, num_classes, no_object):
    classes, weights = torch.zeros(num_queries, dtype=torch.int64), torch.ones(num_classes + 1)
    classes[queries], weights[-1] = labels, no_object
    return classes, weights


def _first_queries(labels, queries, num_queries, num_classes, no_object):
    return _asked(labels, torch.arange(len(labels)), num_queries, num_classes, no_object)


EXERCISES = (
    Exercise(
        id="09.1",
        name="class_loss",
        reference=_class_loss,
        cases=_cases_class_loss,
        drawn=results.named_queries,
        gradients=True,
        mistakes=(
            Mistake("divide by the sum of the weights, not by the number of queries", _divided_by_queries),
            Mistake("all queries count alike: 'no object' should count no_object",
                    lambda logits, classes, no_object: F.cross_entropy(logits, classes)),
            Mistake("'no object' is the last class, index K; your weight is at index 0", _no_object_first),
            Mistake("cross_entropy takes logits: it does the softmax itself", _of_probabilities),
            Mistake("'no object' counts no_object and a class 1: yours has the two weights the other way round",
                    _weights_turned),
            Mistake("the softmax of large logits is 0, its logarithm minus infinity: use log_softmax", _log_of_softmax),
        ),
    ),
    Exercise(
        id="09.2",
        name="dice",
        reference=dice_loss,
        cases=_cases_dice,
        drawn=results.masks_on_points,
        gradients=True,
        rules=Rules(never=("loops",)),
        mistakes=(
            Mistake("add 1 above and below the line: they keep empty masks defined", _dice_without_ones),
            Mistake("p are probabilities: take the sigmoid of the logits first", _dice_of_logits),
            Mistake("each mask has its own dice: sum over the points (axis 1), not over all", _dice_over_all),
            Mistake("this is the overlap; the loss is one minus it", lambda x, y: 1 - dice_loss(x, y)),
            Mistake("twice the overlap: else a perfect mask still costs one half", _dice_of(two=1.0)),
            Mistake("this is IoU: dice divides by both sizes, without subtracting the overlap",
                    _dice_of(two=1.0, union=True)),
            Mistake("below stand the sums of p and y themselves, not of their squares", _dice_of(power=2)),
            Mistake("the 1 stands above as well as below", _dice_of(over=0.0)),
            Mistake("the 1 stands below as well as above", _dice_of(under=0.0)),
            Mistake("one 1 above and one below: yours has 2 below", _dice_of(under=2.0)),
            Mistake("sums over the points, not means: beside means the 1 weighs far too much", _dice_of(mean=True)),
            Mistake("each point has its own probability: a sigmoid, no softmax over the points",
                    _dice_of(lambda x: x.softmax(1))),
            Mistake("keep the probabilities as they are: thresholded, nothing can be learned from them",
                    _dice_of(lambda x: (x > 0).float())),
        ),
    ),
    HARD_POINTS,
    Exercise(
        id="09.4",
        name="asked",
        reference=_asked,
        cases=_cases_asked,
        drawn=results.found,
        mistakes=(
            Mistake("one bug is left: == compares, = assigns: every query is still asked for 'no object'", _compared),
            Mistake("one bug is left: all classes but 'no object' weigh 0, so names are never asked for",
                    _only_no_object_weighs),
            Mistake("both bugs are still there: look at each line that should put something into a tensor", _both_bugs),
            Mistake("queries without a mask are asked for class 0: 'no object' is the last, index K", _class_zero),
            Mistake("mask g belongs to query queries[g], not to query g", _first_queries),
        ),
    ),
)  # fmt: skip
