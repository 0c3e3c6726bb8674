"""Exercise 16.1: what a box costs in matching, with the package's own costs for reference."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ...losses.boxes import giou_cost, l1_cost
from ..draws import ladder
from ..exercise import Case, Exercise, Mistake, Rules

# -- 16.1: boxes [Q, 4] and [G, 4], as centre x, centre y, width, height -> costs [Q, G]


def _box_costs(said: Tensor, wanted: Tensor) -> Tensor:
    """With DETR's weights."""
    return 5 * l1_cost(said, wanted) + 2 * giou_cost(said, wanted)


def _cases_box_costs() -> list[Case]:
    one, left, other = [0.3, 0.4, 0.2, 0.4], [0.1, 0.4, 0.1, 0.2], [0.8, 0.9, 0.2, 0.1]
    inside, wide = [0.3, 0.4, 0.1, 0.1], [0.5, 0.5, 1.0, 1.0]
    return [
        Case("the same box", torch.tensor([one]), torch.tensor([one])),
        Case("boxes that do not touch", torch.tensor([left, other]), torch.tensor([one])),
        Case("one inside the other", torch.tensor([inside, one]), torch.tensor([one, wide])),
        Case("apart in both directions", torch.tensor([left]), torch.tensor([other])),
        Case("many", torch.tensor([one, left, other, wide]), torch.tensor([inside, other, left])),
    ]


def _ends(boxes: Tensor) -> tuple[Tensor, Tensor]:
    return boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2


def _costs(
    said: Tensor, wanted: Tensor, *, clamped: bool = True, general: bool = True, mean: bool = False,
    whole: bool = False, ends: Callable[[Tensor], tuple[Tensor, Tensor]] = _ends,
    weights: tuple[float, float] = (5.0, 2.0),
) -> Tensor:  # fmt: skip
    """The answer written once more, with switches for what goes wrong."""
    a, b = said[:, None], wanted[None]
    (a1, a2), (b1, b2) = ends(a), ends(b)

    def area(low: Tensor, high: Tensor) -> Tensor:
        size = high - low
        return (size.clamp_min(0) if clamped else size).prod(-1)

    shared = area(torch.maximum(a1, b1), torch.minimum(a2, b2))
    union = area(a1, a2) + area(b1, b2) - shared
    around = area(torch.minimum(a1, b1), torch.maximum(a2, b2))
    lost = (around - union) / (1 if whole else around)
    distance = (a - b).abs()
    l1 = distance.mean(-1) if mean else distance.sum(-1)
    return weights[0] * l1 - weights[1] * (shared / union - (lost if general else 0))


def _squares_for_sizes(said: Tensor, wanted: Tensor) -> Tensor:
    """What squares are more than absolute values, summed over the four numbers of a box."""
    apart = said[:, None] - wanted[None]
    return (apart.square() - apart.abs()).sum(-1)


BOX_COSTS = Exercise(
    id="16.1",
    name="box_costs",
    reference=_box_costs,
    cases=_cases_box_costs,
    drawn=ladder.boxes,
    gradients=True,
    rules=Rules(never=("loops",)),
    mistakes=(
        Mistake("sides of the shared part are at least 0: two negative ones have a positive product",
                lambda a, b: _costs(a, b, clamped=False)),
        Mistake("this is IoU: GIoU also takes away the share of the box around both that neither covers",
                lambda a, b: _costs(a, b, general=False)),
        Mistake("the boxes are centre, width and height: take half of the size to both sides of the centre",
                lambda a, b: _costs(a, b, ends=lambda boxes: (boxes[..., :2], boxes[..., 2:]))),
        Mistake("the centre lies in the middle: add and take away half of the size, not all of it",
                lambda a, b: _costs(a, b, ends=lambda x: (x[..., :2] - x[..., 2:], x[..., :2] + x[..., 2:]))),
        Mistake("a large GIoU is good, so it makes the cost smaller",
                lambda a, b: _costs(a, b, weights=(5.0, -2.0))),
        Mistake("the weights are swapped: 5 for L1, 2 for GIoU", lambda a, b: _costs(a, b, weights=(2.0, 5.0))),
        Mistake("L1 counts five times: multiply it by 5", lambda a, b: _costs(a, b, weights=(1.0, 2.0))),
        Mistake("L1 is the sum of the four differences, not their mean", lambda a, b: _costs(a, b, mean=True)),
        Mistake("L1 is the sum of the absolute differences, not of their squares",
                lambda a, b: _box_costs(a, b) + 5 * _squares_for_sizes(a, b)),
        Mistake("what neither covers is a share: divide it by the area of the box around both",
                lambda a, b: _costs(a, b, whole=True)),
    ),
)
