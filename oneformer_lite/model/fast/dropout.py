"""Dropout for training on a CPU: a byte an element is kept for the backward pass, not a float, and drawn faster.

The published models drop a tenth of many activations and, in the query transformer, of the attention weights of every
query over every pixel: there PyTorch's dropout takes as long on a CPU as the attention itself. On a GPU it is fast,
and is used.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

_LEAST = torch.iinfo(torch.int64).min
_STEPS = 2**16
_AT_ONCE = 2**21  # attention weights: 8 MB


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
    and the logarithm of each query's sum; and few heads are computed at once, whose weights stay in the cache.
    """
    q = q / math.sqrt(q.shape[-1])
    mixed = _DroppedAttention.apply(*(part.flatten(0, 1) for part in (q, k, v)), p)
    return mixed.unflatten(0, q.shape[:2])


class _DroppedAttention(torch.autograd.Function):
    """Of N heads of all images: ``q`` [N, Q, d], ``k`` and ``v`` [N, S, d]."""

    @staticmethod
    def forward(ctx, q: Tensor, k: Tensor, v: Tensor, p: float) -> Tensor:
        kept = draw_kept((*q.shape[:2], k.shape[1]), p)
        sums, mixed = [], []
        for q_, k_, v_, kept_ in _few_at_once(q, k, v, kept):
            scores = _scores(q_, k_)
            sums.append(scores.logsumexp(-1, keepdim=True))
            mixed.append(scores.sub_(sums[-1]).exp_().masked_fill_(~kept_, 0.0).to(v) @ v_)
        ctx.save_for_backward(q, k, v, kept, torch.cat(sums))
        ctx.scale = 1 / (1 - p)
        return torch.cat(mixed).mul_(ctx.scale)

    @staticmethod
    def backward(ctx, upstream: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        q, k, v, kept, sums = ctx.saved_tensors
        gradients = []
        for q_, k_, v_, upstream_, kept_, sums_ in _few_at_once(q, k, v, upstream * ctx.scale, kept, sums):
            weights, dropped = _scores(q_, k_).sub_(sums_).exp_().to(v), ~kept_
            for_v = weights.masked_fill(dropped, 0.0).transpose(-2, -1) @ upstream_
            for_weights = (upstream_ @ v_.transpose(-2, -1)).masked_fill_(dropped, 0.0)
            # softmax: w * (g - sum of w * g)
            mean = torch.einsum("nqs,nqs->nq", weights, for_weights)[..., None]
            for_scores = for_weights.sub_(mean).mul_(weights)
            gradients.append((for_scores @ k_, for_scores.transpose(-2, -1) @ q_, for_v))
        return *(torch.cat(parts) for parts in zip(*gradients)), None


def _scores(q: Tensor, k: Tensor) -> Tensor:
    """In float32 at least: bfloat16 tells two logarithms near 10 apart by 0.06, six per cent of a weight."""
    scores = q @ k.transpose(-2, -1)
    return scores.to(torch.promote_types(scores.dtype, torch.float32))


def _few_at_once(q: Tensor, k: Tensor, *others: Tensor) -> Iterable[tuple[Tensor, ...]]:
    """The heads in turns, with about :data:`_AT_ONCE` weights each, one head at least."""
    heads = max(1, _AT_ONCE // max(1, q.shape[1] * k.shape[1]))
    return zip(*(part.split(heads) for part in (q, k, *others)))
