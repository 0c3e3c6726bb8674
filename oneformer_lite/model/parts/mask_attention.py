"""DETR's masks: where a query looks, one map for each head, through convolutions that add detail level by level.

Carion et al., "End-to-End Object Detection with Transformers" (ECCV 2020), section 4.4 and figure 8; official
``models/segmentation.py`` (``MHAttentionMap``, ``MaskHeadSmallConv``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..fast.linear import Linear
from .layers import fan_in_uniform


class MaskAttention(nn.Module):
    """An attention that is never multiplied with values: its weights are what counts.

    One softmax over heads and places together: the maps of all heads of a query sum to 1. Lesson 16.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.num_heads = heads
        self.q_proj, self.k_proj = Linear(dim, dim), Linear(dim, dim)
        for proj in (self.q_proj, self.k_proj):
            nn.init.xavier_uniform_(proj.weight)
            nn.init.zeros_(proj.bias)

    def forward(
        self,
        queries: Float[Tensor, "B Q C"],
        memory: Float[Tensor, "B C h w"],
        valid: Bool[Tensor, "B h w"],
    ) -> Float[Tensor, "B Q M h w"]:
        """``valid``: the places of ``memory`` that are picture; the others get no weight."""
        keys = self.k_proj(memory.flatten(2).transpose(1, 2))
        q, k = (x.unflatten(-1, (self.num_heads, -1)) for x in (self.q_proj(queries), keys))
        scores = torch.einsum("bqmd,bsmd->bqms", q / math.sqrt(q.shape[-1]), k)
        scores = scores.masked_fill(~valid.flatten(1)[:, None, None], float("-inf"))
        return scores.flatten(2).softmax(-1).view(*scores.shape[:-1], *memory.shape[-2:])


class MaskHead(nn.Module):
    """Attention maps to masks: five blocks of 3x3 convolution, GroupNorm and ReLU, then one channel.

    Each query is a picture of its own here, of its attention maps on top of the map that the encoder was given. After
    the second, third and fourth block it becomes twice as large (nearest), and the backbone's map of that size is
    added.
    """

    def __init__(self, dim: int, heads: int, channels: Sequence[int]) -> None:
        """``channels`` of the backbone's maps at strides 16, 8 and 4."""
        super().__init__()
        widths = [dim + heads, dim + heads, dim // 2, dim // 4, dim // 8, dim // 16]
        self.blocks = nn.ModuleList(_block(a, b) for a, b in zip(widths, widths[1:]))
        self.lateral = nn.ModuleList(
            fan_in_uniform(nn.Conv2d(c, width, kernel_size=1)) for c, width in zip(channels, widths[2:])
        )
        self.out = fan_in_uniform(nn.Conv2d(widths[-1], 1, kernel_size=3, padding=1))

    def forward(
        self,
        attention: Float[Tensor, "B Q M h w"],
        projected: Float[Tensor, "B C h w"],
        maps: Sequence[Float[Tensor, "B _c _h _w"]],
    ) -> Float[Tensor, "B Q h4 w4"]:
        """``maps`` at strides 16, 8 and 4."""
        count = attention.shape[1]
        shared = projected[:, None].expand(-1, count, -1, -1, -1)
        x = torch.cat([shared, attention], dim=2).flatten(0, 1)
        x = self.blocks[1](self.blocks[0](x))
        for lateral, finer, block in zip(self.lateral, maps, self.blocks[2:]):
            detail = lateral(finer)
            larger = F.interpolate(x, size=detail.shape[-2:], mode="nearest").unflatten(0, (-1, count))
            x = block((larger + detail[:, None]).flatten(0, 1))
        return self.out(x)[:, 0].unflatten(0, (-1, count))


def _block(in_dim: int, out_dim: int) -> nn.Sequential:
    convolution = fan_in_uniform(nn.Conv2d(in_dim, out_dim, kernel_size=3, padding=1))
    return nn.Sequential(convolution, nn.GroupNorm(math.gcd(8, out_dim), out_dim), nn.ReLU())
