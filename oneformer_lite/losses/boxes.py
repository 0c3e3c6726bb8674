"""What a box costs: L1 and generalised IoU, which DETR matches and learns by.

Carion et al., "DETR" (ECCV 2020), equations 1, 2 and appendix A.2; Rezatofighi et al., "Generalized Intersection over
Union" (CVPR 2019); official ``models/matcher.py``, ``models/detr.py`` and ``util/box_ops.py``.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ..model.parts.boxes import boxes_of as boxes_of  # what these losses compare with


def corners(boxes: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 4"]:
    """Left, top, right, bottom of boxes given by centre, width and height."""
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def l1_cost(boxes: Float[Tensor, "Q 4"], targets: Float[Tensor, "G 4"]) -> Float[Tensor, "Q G"]:
    """The sum of the differences of all four numbers."""
    return (boxes[:, None] - targets[None]).abs().sum(-1)


def giou_cost(
    boxes: Float[Tensor, "Q 4"], targets: Float[Tensor, "G 4"], epsilon: float = 0.0
) -> Float[Tensor, "Q G"]:
    """Minus the generalised IoU of every query with every target."""
    return -giou(boxes[:, None], targets[None], epsilon)


def l1_loss(boxes: Float[Tensor, "N 4"], targets: Float[Tensor, "N 4"]) -> Float[Tensor, "N"]:
    """The same of pairs."""
    return (boxes - targets).abs().sum(-1)


def giou_loss(
    boxes: Float[Tensor, "N 4"], targets: Float[Tensor, "N 4"], epsilon: float = 0.0
) -> Float[Tensor, "N"]:
    """One minus the generalised IoU of pairs."""
    return 1 - giou(boxes, targets, epsilon)


def giou(a: Float[Tensor, "*n 4"], b: Float[Tensor, "*m 4"], epsilon: float = 0.0) -> Float[Tensor, "*k"]:
    """IoU minus the share of the smallest box around both that neither covers: below 0 where they do not touch, and
    the further apart the less, so that there is a slope to follow. -1 to 1. ``epsilon`` is added to areas that are
    divided by, for boxes that have none. Lesson 16."""
    a, b = corners(a), corners(b)
    shared = _area(torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:]))
    union = _area(a[..., :2], a[..., 2:]) + _area(b[..., :2], b[..., 2:]) - shared
    around = _area(torch.minimum(a[..., :2], b[..., :2]), torch.maximum(a[..., 2:], b[..., 2:]))
    return shared / (union + epsilon) - (around - union) / (around + epsilon)


def _area(first: Float[Tensor, "*n 2"], last: Float[Tensor, "*n 2"]) -> Float[Tensor, "*n"]:
    """0 where the last corner is not beyond the first."""
    return (last - first).clamp_min(0).prod(-1)
