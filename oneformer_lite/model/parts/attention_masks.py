"""Attention maps that are masks: what a query's scores say before the softmax, head by head and level by level.

Li et al., "Panoptic SegFormer" (CVPR 2022), section 3.4 and figure 3; official ``panformer/mask_head.py``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..fast.linear import Linear
from .deformable_attention import Shapes
from .layers import MLP, Attention


class AttentionMask(nn.Module):
    """Scores of every query with every place, and the mask that they make.

    The scores of M heads go through a small layer of their level; coarser levels are enlarged to the finest; one number
    is made of all heads and levels, and what is below 0 becomes 0. So a mask holds numbers from 0 on, which dice
    teaches to be 0 outside and 1 inside; above one half counts as inside. The softmax has no part in it.

    Lesson 17.
    """

    def __init__(self, dim: int, num_heads: int, num_levels: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q_proj, self.k_proj = Linear(dim, dim), Linear(dim, dim)
        self.levels = nn.ModuleList(Linear(num_heads, num_heads) for _ in range(num_levels))
        self.together = Linear(num_levels * num_heads, 1)
        for linear in (self.q_proj, self.k_proj, *self.levels, self.together):
            nn.init.xavier_uniform_(linear.weight)

    def scores(self, queries: Float[Tensor, "B N C"], memory: Float[Tensor, "B S C"]) -> Float[Tensor, "B M N S"]:
        """What each head thinks of each place; places have no positions here, but what the encoder gave them."""
        both = self.q_proj(queries), self.k_proj(memory)
        q, k = (x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for x in both)
        return (q / math.sqrt(q.shape[-1])) @ k.transpose(-2, -1)

    def masks(self, scores: Float[Tensor, "B M N S"], shapes: Shapes) -> Float[Tensor, "B N h w"]:
        """``shapes``: of the levels, finest first.

        The layer that takes all heads and levels together is linear, so it is applied before levels are enlarged: an
        eighth of the maps to enlarge, and the same sum.
        """
        if not scores.shape[2]:  # of nobody
            return scores.new_zeros(scores.shape[0], 0, *shapes[0])
        total = self.together.bias
        weights = self.together.weight.unflatten(1, (len(shapes), -1)).unbind(1)  # [1, M] of each level
        of_levels = scores.movedim(1, -1).split([h * w for h, w in shapes], dim=2)  # [B, N, h * w, M]
        for shape, found, level, weight in zip(shapes, of_levels, self.levels, weights, strict=True):
            maps = F.linear(F.relu(level(found)), weight)[..., 0].unflatten(2, shape)
            total = total + (maps if shape == shapes[0] else F.interpolate(maps, shapes[0], mode="bilinear"))
        return F.relu(total)


class AttentionMaskBlock(nn.Module):
    """Cross-attention whose scores are masks, and an MLP, both post-norm; before them, among stuff, self-attention."""

    def __init__(self, dim: int, num_heads: int, num_levels: int, self_attention: bool) -> None:
        super().__init__()
        self.self_attention = Attention(dim, num_heads) if self_attention else None
        self.self_norm = nn.LayerNorm(dim, eps=1e-6) if self_attention else None
        self.mask = AttentionMask(dim, num_heads, num_levels)
        self.v_proj, self.out_proj = Linear(dim, dim), Linear(dim, dim)
        self.norm1, self.norm2 = (nn.LayerNorm(dim, eps=1e-6) for _ in range(2))
        self.mlp = MLP(dim, 4 * dim, dim, num_layers=2, activation=F.gelu)
        for linear in (self.v_proj, self.out_proj, *self.mlp.layers):
            nn.init.xavier_uniform_(linear.weight)

    def forward(
        self, x: Float[Tensor, "B N C"], memory: Float[Tensor, "B S C"], shapes: Shapes
    ) -> tuple[Float[Tensor, "B N C"], Float[Tensor, "B M N S"], Float[Tensor, "B N h w"]]:
        """The queries after it, its scores, and the masks that these are."""
        if self.self_attention is not None:
            x = self.self_norm(x + self.self_attention(x, x, x)[0])
        scores = self.mask.scores(x, memory)
        values = self.v_proj(memory).unflatten(-1, (scores.shape[1], -1)).transpose(1, 2)
        seen = (scores.softmax(-1) @ values).transpose(1, 2).flatten(2)
        masks = self.mask.masks(scores, shapes)
        x = self.norm1(x + self.out_proj(seen))
        return self.norm2(x + self.mlp(x)), scores, masks


class DecodedMasks(NamedTuple):
    """What B blocks made of queries: the queries after each [B, N, C], the masks [B, N, h, w] of each and of the scores
    at the end, and, if they were kept, the scores [B, M, N, S] themselves."""

    queries: list[Tensor]
    masks: list[Tensor]
    scores: list[Tensor]


class AttentionMaskDecoder(nn.Module):
    """Blocks one after the other, and at the end scores once more: B blocks give B + 1 masks."""

    def __init__(
        self, dim: int, num_heads: int, num_blocks: int, num_levels: int, self_attention: bool = False
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            AttentionMaskBlock(dim, num_heads, num_levels, self_attention) for _ in range(num_blocks)
        )
        self.last = AttentionMask(dim, num_heads, num_levels)

    def forward(
        self,
        queries: Float[Tensor, "B N C"],
        memory: Float[Tensor, "B S C"],
        shapes: Shapes,
        positions: Float[Tensor, "N C"] | float = 0.0,
        with_scores: bool = False,
    ) -> DecodedMasks:
        """``positions`` are added again before every block, and stay in the sum, as published. Scores, which fill much
        memory, are kept ``with_scores``."""
        x, found = queries, DecodedMasks([], [], [])
        for block in self.blocks:
            x, scores, masks = block(x + positions, memory, shapes)
            found.queries.append(x)
            found.masks.append(masks)
            found.scores.extend([scores] * with_scores)
        scores = self.last.scores(x + positions, memory)
        found.masks.append(self.last.masks(scores, shapes))
        found.scores.extend([scores] * with_scores)
        return found
