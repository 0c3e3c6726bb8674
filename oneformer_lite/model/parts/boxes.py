"""Boxes: centre x, y, width and height in shares of the picture, and how layers refine them.

Zhu et al., "Deformable DETR" (ICLR 2021), appendix A.4; Zhang et al., "DINO" (ICLR 2023), section 3.5; official
``maskdino/utils/utils.py`` and ``box_ops.py``.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ...data.targets import Targets
from .layers import MLP, waves

_EPSILON = 1e-5  # how near to 0 and 1 a share counts
_FAR = 1e8


def inverse_sigmoid(shares: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """The logits of shares; those of 0 and 1, and of what lies beyond, are finite: -11.5 and 11.5."""
    shares = shares.clamp(0, 1)
    return (shares.clamp_min(_EPSILON) / (1 - shares).clamp_min(_EPSILON)).log()


def refined(places: Float[Tensor, "*n _xy"], steps: Float[Tensor, "*n _d"]) -> Float[Tensor, "*n _d"]:
    """Boxes that have moved by ``steps`` on the way from -infinity to infinity that a share is a sigmoid of: from
    boxes, or from points [*n, 2], which say nothing of width and height.

    Lesson 17.
    """
    known = inverse_sigmoid(places)
    if unknown := steps.shape[-1] - known.shape[-1]:
        known = torch.cat([known, known.new_zeros(*known.shape[:-1], unknown)], dim=-1)
    return (known + steps).sigmoid()


def box_head(dim: int) -> MLP:
    """What says the steps of boxes: none at first."""
    head = MLP(dim, dim, 4, num_layers=3)
    for parameter in head.layers[-1].parameters():
        nn.init.zeros_(parameter)
    return head


def box_positions(boxes: Float[Tensor, "*n 4"], dim: int) -> Float[Tensor, "*n D"]:
    """Sines and cosines of y, x, width and height (in this order), ``dim`` / 2 of each: what a box is to a query."""
    x, y, width, height = (boxes * (2 * math.pi)).unbind(-1)
    return torch.cat([waves(share, dim // 2) for share in (y, x, width, height)], dim=-1)


def boxes_of(target: Targets, with_padding: bool = False) -> Float[Tensor, "G 4"]:
    """The boxes around the masks of one image, in shares of the picture, without its padding or ``with_padding``."""
    padded = tuple(target.masks.shape[-2:])
    return around(target.masks > 0, padded if with_padding else target.size or padded)


def around(masks: Bool[Tensor, "*n h w"], size: tuple[int, int]) -> Float[Tensor, "*n 4"]:
    """The boxes around masks, in shares of ``size``; around nothing as if it were all."""
    left, right = _extent(masks.any(-2))
    top, bottom = _extent(masks.any(-1))
    box = torch.stack([left + right, top + bottom, 2 * (right - left), 2 * (bottom - top)], dim=-1) / 2
    height, width = size
    return box / box.new_tensor([width, height, width, height])


def boxes_of_masks(mask_logits: Float[Tensor, "B Q h w"], rule: str) -> Float[Tensor, "B Q 4"]:
    """The boxes around predicted masks, where their logits are above 0, by one of two published rules. "bitmask":
    :func:`around`, and of an empty mask a box of no size at the origin. "mask2box": its right and bottom border go
    through the last pixels' left and upper ones, and the box of an empty mask has its centre far to the lower right."""
    inside, (height, width) = mask_logits > 0, mask_logits.shape[-2:]
    boxes, empty = around(inside, (height, width)), ~inside.any(-1).any(-1)
    if rule == "bitmask":
        return boxes.masked_fill(empty[..., None], 0)
    pixel = boxes.new_tensor([1 / width, 1 / height])
    boxes = torch.cat([boxes[..., :2] - pixel / 2, boxes[..., 2:] - pixel], dim=-1)
    nowhere = boxes.new_tensor([_FAR / 2, _FAR / 2, -_FAR, -_FAR]) * pixel.repeat(2)
    return torch.where(empty[..., None], nowhere, boxes)


def _extent(line: Bool[Tensor, "*n L"]) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n"]]:
    """Where each row's first True begins and its last one ends."""
    hits = line.int()
    first = hits.argmax(-1) if line.shape[-1] else hits.sum(-1)
    last = line.shape[-1] - hits.flip(-1).argmax(-1) if line.shape[-1] else first
    return first.float(), last.float()
