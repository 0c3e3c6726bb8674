"""Dropout for training on a CPU: a byte an element is kept for the backward pass, not a float, and drawn faster.

The published models drop a tenth of many activations and, in the query transformer, of the attention weights of every
query over every pixel: there PyTorch's dropout takes as long on a CPU as the attention itself. On a GPU it is fast,
and is used.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

_LEAST = torch.iinfo(torch.int64).min
_STEPS = 2**16


class Dropout(nn.Dropout):
    """``nn.Dropout``: each element is 0 with probability p, else divided by 1 - p."""

    def forward(self, x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        if not self.training or self.p == 0 or x.device.type != "cpu":
            return super().forward(x)
        return torch.where(draw_kept(x.shape, self.p), x, 0.0).mul_(1 / (1 - self.p))


def draw_kept(shape: torch.Size | tuple[int, ...], p: float) -> Bool[Tensor, "*n"]:
    """True with probability 1 - p, to within 2 ** -17: four elements for each 64-bit number of the global generator."""
    count = math.prod(shape)
    numbers = torch.empty(-(-count // 4), dtype=torch.int64).random_(_LEAST, None).view(torch.int16)
    return (numbers[:count] >= round(p * _STEPS) - _STEPS // 2).view(shape)


def attend_with_dropout(
    q: Float[Tensor, "B M Q d"], k: Float[Tensor, "B M S d"], v: Float[Tensor, "B M S d"], p: float
) -> Float[Tensor, "B M Q d"]:
    """``dropout(softmax(q k^T / sqrt(d))) v``, whose backward pass computes the weights again instead of keeping them.

    As FlashAttention does (Dao et al., NeurIPS 2022, section 3): of all Q * S weights only what was dropped is kept,
    and the logarithm of each query's sum.
    """
    return _DroppedAttention.apply(q / math.sqrt(q.shape[-1]), k, v, p)


class _DroppedAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q: Tensor, k: Tensor, v: Tensor, p: float) -> Tensor:
        scores = q @ k.transpose(-2, -1)
        sums = scores.logsumexp(-1, keepdim=True)
        kept = draw_kept(scores.shape, p)
        ctx.save_for_backward(q, k, v, kept, sums)
        ctx.scale = 1 / (1 - p)
        return (scores.sub_(sums).exp_().masked_fill_(~kept, 0.0) @ v).mul_(ctx.scale)

    @staticmethod
    def backward(ctx, upstream: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        q, k, v, kept, sums = ctx.saved_tensors
        upstream = upstream * ctx.scale
        weights = (q @ k.transpose(-2, -1)).sub_(sums).exp_()
        dropped = ~kept
        for_v = weights.masked_fill(dropped, 0.0).transpose(-2, -1) @ upstream
        for_weights = (upstream @ v.transpose(-2, -1)).masked_fill_(dropped, 0.0)
        # softmax: w * (g - sum of w * g)
        mean = torch.einsum("...qs,...qs->...q", weights, for_weights)[..., None]
        for_scores = for_weights.sub_(mean).mul_(weights)
        return for_scores @ k, for_scores.transpose(-2, -1) @ q, for_v, None
