"""DiNAT: a hierarchical transformer whose pixels attend to their neighbours, near and far in turn.

Hassani and Shi, "Dilated Neighborhood Attention Transformer" (arXiv 2209.15001), section 3;
official ``oneformer/modeling/backbone/dinat.py``, whose parameter names are kept. Maps run through it
as [B, h, w, C].
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from timm.layers import DropPath, Mlp
from torch import Tensor, nn

from ...errors import ConfigError
from ..fast.linear import Linear
from .neighborhood_attention import attend_by_tile


class NeighborhoodAttention(nn.Module):
    """Multi-head attention of every pixel to its ``kernel_size`` x ``kernel_size`` neighbours.

    ``rpb`` is the relative position bias, added to the scores of the scaled queries.
    """

    def __init__(self, dim: int, num_heads: int, kernel_size: int, dilation: int) -> None:
        super().__init__()
        self.heads, self.kernel_size, self.dilation = num_heads, kernel_size, dilation
        self.qkv, self.proj = Linear(dim, 3 * dim), Linear(dim, dim)
        self.rpb = nn.Parameter(torch.empty(num_heads, 2 * kernel_size - 1, 2 * kernel_size - 1))
        nn.init.trunc_normal_(self.rpb, std=0.02)

    def forward(self, x: Float[Tensor, "B h w C"]) -> Float[Tensor, "B h w C"]:
        h, w = x.shape[1:3]
        projected = self._pad(self.qkv(x)).unflatten(-1, (3, self.heads, -1))  # [B, H, W, 3, M, d]
        query, key, value = projected.unbind(3)
        query = query[:, :h, :w] * query.shape[-1] ** -0.5
        return self.proj(attend_by_tile(query, key, value, self.rpb, self.kernel_size, self.dilation).flatten(3))

    def _pad(self, projected: Float[Tensor, "B h w D"]) -> Float[Tensor, "B H W D"]:
        """Make room for one window at the bottom and the right.

        The official code pads the input of ``qkv`` with zeros; its output there is the bias.
        """
        batch, h, w, _ = projected.shape
        window = self.kernel_size * self.dilation
        if h >= window and w >= window:
            return projected
        padded = self.qkv.bias.to(projected.dtype).repeat(batch, max(h, window), max(w, window), 1)
        padded[:, :h, :w] = projected
        return padded


class Block(nn.Module):
    """Neighbourhood attention and an MLP, each behind a LayerNorm and added to its input (pre-norm)."""

    def __init__(
        self, dim: int, num_heads: int, kernel_size: int, dilation: int, mlp_ratio: float, drop_path: float
    ) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = NeighborhoodAttention(dim, num_heads, kernel_size, dilation)
        self.mlp = Mlp(dim, int(dim * mlp_ratio))
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Float[Tensor, "B h w C"]) -> Float[Tensor, "B h w C"]:
        x = x + self.drop_path(self.attn(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class Tokenizer(nn.Module):
    """Image to a map of stride 4: two overlapping convolutions of stride 2 and a LayerNorm."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.proj = nn.Sequential(
            nn.Conv2d(3, dim // 2, 3, stride=2, padding=1), nn.Conv2d(dim // 2, dim, 3, stride=2, padding=1)
        )
        self.norm = nn.LayerNorm(dim)

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B h w C"]:
        return self.norm(self.proj(images).permute(0, 2, 3, 1))


class Downsampler(nn.Module):
    """Half the sides and twice the channels: a convolution of stride 2 and a LayerNorm."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.reduction = nn.Conv2d(dim, 2 * dim, 3, stride=2, padding=1, bias=False)
        self.norm = nn.LayerNorm(2 * dim)

    def forward(self, x: Float[Tensor, "B H W C"]) -> Float[Tensor, "B h w D"]:
        return self.norm(self.reduction(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))


class Level(nn.Module):
    """The blocks that work at one stride, and the way down to the next one."""

    def __init__(self, blocks: list[Block], downsample: Downsampler | None) -> None:
        super().__init__()
        self.blocks, self.downsample = nn.Sequential(*blocks), downsample


class DiNAT(nn.Module):
    """Image to maps of strides 4, 8, 16 and 32, whose closing LayerNorms belong to the caller.

    ``dilations`` holds one number per block, level by level; ``channels`` tells how wide the maps are.
    Maps smaller than ``kernel_size * dilation`` are padded inside that attention.
    """

    def __init__(
        self,
        embed_dim: int,
        depths: Sequence[int],
        num_heads: Sequence[int],
        kernel_size: int,
        dilations: Sequence[Sequence[int]],
        mlp_ratio: float = 2.0,
        drop_path_rate: float = 0.0,
    ) -> None:
        super().__init__()
        _check(embed_dim, depths, num_heads, kernel_size, dilations)
        self.channels = [embed_dim * 2**level for level in range(len(depths))]
        rates = iter(torch.linspace(0, drop_path_rate, sum(depths), device="cpu").tolist())
        self.patch_embed = Tokenizer(embed_dim)
        self.levels = nn.ModuleList()
        for level, (dim, heads) in enumerate(zip(self.channels, num_heads)):
            blocks = [Block(dim, heads, kernel_size, d, mlp_ratio, next(rates)) for d in dilations[level]]
            last = level == len(depths) - 1
            self.levels.append(Level(blocks, None if last else Downsampler(dim)))

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> list[Float[Tensor, "B _c _h _w"]]:
        x, maps = self.patch_embed(images), []
        for level in self.levels:
            x = level.blocks(x)
            maps.append(x.permute(0, 3, 1, 2))  # [B, C_l, H / stride, W / stride]
            if level.downsample is not None:
                x = level.downsample(x)
        return maps


def _check(
    embed_dim: int,
    depths: Sequence[int],
    num_heads: Sequence[int],
    kernel_size: int,
    dilations: Sequence[Sequence[int]],
) -> None:
    """Raise :class:`ConfigError` where the arguments contradict each other."""
    if [len(level) for level in dilations] != list(depths):
        raise ConfigError(
            f"DiNAT needs one dilation per block: depths are {list(depths)}, but dilations has "
            f"{[len(level) for level in dilations]}"
        )
    if len(num_heads) != len(depths):
        raise ConfigError(f"DiNAT needs num_heads for each of its {len(depths)} levels, got {list(num_heads)}")
    if any(embed_dim * 2**level % heads for level, heads in enumerate(num_heads)):
        raise ConfigError(f"DiNAT's num_heads {list(num_heads)} do not divide {embed_dim}, doubled at every level")
    if kernel_size % 2 == 0 or kernel_size < 3:
        raise ConfigError(
            f"DiNAT's kernel_size must be odd and at least 3, so that a window has a middle: got {kernel_size}"
        )
