"""What a model says that has one mask for each class, as predictions of queries that are those classes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..output import Predictions

_SURE = 128.0  # e ** -128 is 0 in float32: a probability of 1, and of 0


def of_classes(maps: Float[Tensor, "B K H W"], mask_loss: str) -> Predictions:
    """Query k is class k, surely. ``maps`` are the logits of its masks; or, learned with ``mask_loss="softmax"``, what
    all classes share a softmax of."""
    classes = maps.shape[1]
    own = _SURE * torch.eye(classes, classes + 1, device=maps.device, dtype=maps.dtype)
    masks = odds(maps) if mask_loss == "softmax" else maps
    return Predictions(own.expand(maps.shape[0], -1, -1), masks)


def odds(maps: Float[Tensor, "B K H W"]) -> Float[Tensor, "B K H W"]:
    """The numbers whose sigmoid is the softmax of ``maps`` over the classes: x_k - log of the sum of the others' e^x.

    Above 0 lies a class that is likelier than all others together. The others' sum is that of all without the class's
    own, except for the greatest, for which little would be left of it: that one is summed without it. In float32 at
    least.
    """
    maps = maps.to(torch.promote_types(maps.dtype, torch.float32))
    top = F.one_hot(maps.argmax(1), maps.shape[1]).movedim(-1, 1).bool()
    shifted = maps - maps.amax(1, keepdim=True)
    exps = shifted.exp()
    rest = exps.masked_fill(top, 0.0).sum(1, keepdim=True)  # of all but the greatest, which is 1
    others = torch.where(top, rest, (1 + rest - exps).clamp_min(1.0))
    return shifted - others.clamp_min(torch.finfo(maps.dtype).tiny).log()


class PatchHead(nn.Module):
    """A transposed convolution whose stride is its size: each cell becomes a patch of every class.

    ``weight`` [K, C, p, p]: its rows are classes, as in every ``class_head``.
    """

    def __init__(self, dim: int, classes: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        start = nn.ConvTranspose2d(dim, classes, patch, stride=patch)
        self.weight, self.bias = nn.Parameter(start.weight.detach().transpose(0, 1).clone()), start.bias

    def forward(self, x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B K H W"]:
        return F.conv_transpose2d(x, self.weight.transpose(0, 1), self.bias, stride=self.patch)
