"""Losses over all cells of a picture, as K-Net has them: whose mask a cell belongs to, and of which class it is.

Targets are the masks at the size of the predicted ones, resized and so soft at their edges: a cell belongs to every
mask that has anything of it, and where there are several, to the last in some order. Zhang et al., "K-Net" (NeurIPS
2021); official ``knet/det/kernel_head.py`` and ``kernel_update_head.py`` (the rank loss is in the code alone).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .masks import focal_values


def owners(masks: Float[Tensor, "G h w"], order: Int[Tensor, "G"]) -> Int[Tensor, "h w"]:
    """The mask of each cell, -1 for none: of those with anything of it that of the greatest ``order`` (0 or more)."""
    if not len(masks):
        return torch.full(masks.shape[1:], -1, dtype=torch.int64, device=masks.device)
    places, mask = torch.where(masks > 0, order[:, None, None], -1).max(0)
    return torch.where(places < 0, -1, mask)


def rank_loss(
    logits: Float[Tensor, "B Q h w"], rows: Int[Tensor, "B h w"], competing: Bool[Tensor, "Q"]
) -> Float[Tensor, ""]:
    """The masks of the ``competing`` queries share a softmax at each cell, which should be of the query that answers
    for it: ``rows`` [B, h, w], -1 for none. The mean over all cells, those of nobody among them."""
    logits = logits.masked_fill(~competing[:, None, None], float("-inf"))
    return F.cross_entropy(logits, rows, ignore_index=-1, reduction="sum") / rows.numel()


def semantic_loss(logits: Float[Tensor, "B K h w"], classes: Int[Tensor, "B h w"]) -> Float[Tensor, ""]:
    """Focal loss of each cell and class, as a sum: a cell of no class (-1) should say no to all of them. Who asks
    divides it by the number of cells with one."""
    wanted = F.one_hot(classes + 1, logits.shape[1] + 1)[..., 1:].movedim(-1, 1)
    return focal_values(logits, wanted.to(logits)).sum()
