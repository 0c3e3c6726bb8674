"""Swin Transformer, computed as the published OneFormer computes it.

Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows" (ICCV 2021); official
``modeling/backbone/swin.py`` (detectron2 style, the same file as in Mask2Former), whose parameter names these are.

Patches of 4x4 pixels become tokens, which attend to each other inside windows; every other block shifts the
windows by half their side, so that neighbours meet. Between stages, 2x2 tokens merge into one of twice the channels.

timm's Swin is not used because it treats maps that windows do not tile in another way: it shifts first and pads
afterwards, and shrinks the window (and drops the shift) where a map is no larger than it. The published weights
were trained with: pad, then shift, always the full window.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped
from timm.layers import DropPath, Mlp
from torch import Tensor, nn

from ...errors import ConfigError
from ..fast.linear import Linear

PATCH = 4
FORBIDDEN = -100.0  # what the shift mask adds to a score (official; enough to leave no weight)


class Swin(nn.Module):
    """Image of any size to four feature maps at strides 4, 8, 16 and 32, not yet closed by a LayerNorm.

    Channels double from stage to stage, starting with ``embed_dim``. Stochastic depth grows linearly over
    the blocks, from 0 to ``drop_path_rate``.
    """

    def __init__(
        self,
        embed_dim: int,
        depths: Sequence[int],
        num_heads: Sequence[int],
        window_size: int,
        mlp_ratio: float = 4.0,
        drop_path_rate: float = 0.0,
    ) -> None:
        super().__init__()
        if not len(depths) == len(num_heads) == 4:
            raise ConfigError(f"Swin has 4 stages, got depths {tuple(depths)} and num_heads {tuple(num_heads)}")
        self.channels = [embed_dim * 2**stage for stage in range(4)]
        for dim, heads in zip(self.channels, num_heads):
            if dim % heads:
                raise ConfigError(f"{heads} heads cannot share the {dim} channels of a Swin stage: use a divisor")
        drop_path = iter(torch.linspace(0, drop_path_rate, sum(depths), device="cpu").tolist())
        self.patch_embed = PatchEmbedding(embed_dim)
        self.layers = nn.ModuleList()
        for stage, (dim, depth, heads) in enumerate(zip(self.channels, depths, num_heads)):
            rates = [next(drop_path) for _ in range(depth)]
            self.layers.append(Stage(dim, heads, window_size, mlp_ratio, rates, merge=stage < 3))

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> list[Float[Tensor, "B _c _h _w"]]:
        x = self.patch_embed(images)
        features = []
        for stage in self.layers:
            x = stage(x)
            features.append(x.permute(0, 3, 1, 2))
            if stage.downsample is not None:
                x = stage.downsample(x)
        return features


class PatchEmbedding(nn.Module):
    """Each 4x4 patch, projected to one token; sides are padded with zeros to multiples of 4."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, PATCH, stride=PATCH)
        self.norm = nn.LayerNorm(dim)

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B h w C"]:
        height, width = images.shape[-2:]
        images = F.pad(images, (0, -width % PATCH, 0, -height % PATCH))
        return self.norm(self.proj(images).permute(0, 2, 3, 1))


class Stage(nn.Module):
    """Blocks at one resolution, windows shifted in every second one, and the merging that follows them."""

    def __init__(
        self, dim: int, num_heads: int, window: int, mlp_ratio: float, drop_path: Sequence[float], merge: bool
    ) -> None:
        super().__init__()
        self.window, self.shift = window, window // 2
        self.blocks = nn.ModuleList(
            Block(dim, num_heads, window, self.shift if i % 2 else 0, mlp_ratio, rate)
            for i, rate in enumerate(drop_path)
        )
        self.downsample = PatchMerging(dim) if merge else None

    def forward(self, x: Float[Tensor, "B h w C"]) -> Float[Tensor, "B h w C"]:
        height, width = (side + -side % self.window for side in x.shape[1:3])
        # made again for every picture: it costs next to nothing beside the blocks, and a cache would hold
        # 50 MB for every picture size that an evaluation meets
        mask = shift_mask(height, width, self.window, self.shift, x)
        for block in self.blocks:
            x = block(x, mask)
        return x


class Block(nn.Module):
    """Window attention and MLP, each normalised before, dropped at random in training, and added."""

    def __init__(
        self, dim: int, num_heads: int, window: int, shift: int, mlp_ratio: float, drop_path: float
    ) -> None:
        super().__init__()
        self.window, self.shift = window, shift
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = WindowAttention(dim, num_heads, window)
        self.mlp = Mlp(dim, int(dim * mlp_ratio))
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Float[Tensor, "B h w C"], mask: Float[Tensor, "n N N"]) -> Float[Tensor, "B h w C"]:
        x = x + self.drop_path(self.attend(self.norm1(x), mask))
        return x + self.drop_path(self.mlp(self.norm2(x)))

    def attend(self, x: Float[Tensor, "B h w C"], mask: Float[Tensor, "n N N"]) -> Float[Tensor, "B h w C"]:
        """Pad after the norm (so that padding is zero, and is attended to), then shift."""
        height, width = x.shape[1:3]
        x = F.pad(x, (0, 0, 0, -width % self.window, 0, -height % self.window))
        padded = x.shape
        if self.shift:
            x = x.roll((-self.shift, -self.shift), (1, 2))
        x = self.attn(to_windows(x, self.window), mask if self.shift else None)
        x = from_windows(x, padded)
        if self.shift:
            x = x.roll((self.shift, self.shift), (1, 2))
        return x[:, :height, :width]


class WindowAttention(nn.Module):
    """Self-attention among the N tokens of a window, with a learned bias for each relative position."""

    def __init__(self, dim: int, num_heads: int, window: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv, self.proj = Linear(dim, 3 * dim), Linear(dim, dim)
        self.relative_position_bias_table = nn.Parameter(torch.empty((2 * window - 1) ** 2, num_heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        self.register_buffer("relative_position_index", relative_position_index(window), persistent=False)

    def forward(
        self, windows: Float[Tensor, "b N C"], mask: Float[Tensor, "n N N"] | None
    ) -> Float[Tensor, "b N C"]:
        """``mask`` is added to the scores of the n windows of every picture (b = B n)."""
        q, k, v = self.qkv(windows).unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)  # [b, M, N, d]
        bias = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)[None]  # [1, M, N, N]
        if mask is not None:
            bias = (bias + mask[:, None]).repeat(windows.shape[0] // mask.shape[0], 1, 1, 1)  # [b, M, N, N]
        mixed = F.scaled_dot_product_attention(q, k, v, bias)
        return self.proj(mixed.transpose(1, 2).flatten(2))


class PatchMerging(nn.Module):
    """2x2 tokens into one of twice the channels; odd sides are padded with zeros."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * dim)
        self.reduction = Linear(4 * dim, 2 * dim, bias=False)

    def forward(self, x: Float[Tensor, "B h w C"]) -> Float[Tensor, "B h2 w2 C2"]:
        height, width = x.shape[1:3]
        x = F.pad(x, (0, 0, 0, width % 2, 0, height % 2))
        corners = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.reduction(self.norm(torch.cat(corners, dim=-1)))


def to_windows(x: Shaped[Tensor, "B h w C"], window: int) -> Shaped[Tensor, "b N C"]:
    """Cut maps into windows, row by row; h and w are multiples of ``window``."""
    x = x.unflatten(2, (-1, window)).unflatten(1, (-1, window))  # [B, rows, window, columns, window, C]
    return x.transpose(2, 3).reshape(-1, window * window, x.shape[-1])


def from_windows(windows: Float[Tensor, "b N C"], shape: Sequence[int]) -> Float[Tensor, "B h w C"]:
    """Put the windows of :func:`to_windows` back into maps of ``shape``."""
    window = math.isqrt(windows.shape[1])
    batch, height, width, dim = shape
    x = windows.view(batch, height // window, width // window, window, window, dim)
    return x.transpose(2, 3).reshape(shape)


def relative_position_index(window: int) -> Int[Tensor, "N N"]:
    """Row of the bias table for each pair of tokens: (dy, dx), each from -(window - 1), as one number."""
    y, x = torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")
    dy, dx = (c.flatten()[:, None] - c.flatten()[None] + window - 1 for c in (y, x))
    return dy * (2 * window - 1) + dx


def shift_mask(height: int, width: int, window: int, shift: int, like: Tensor) -> Float[Tensor, "n N N"]:
    """0 where two tokens of a window of the shifted map may meet, ``FORBIDDEN`` where the shift alone joins them.

    Shifting is cyclic: the last windows of a row or column hold tokens from both ends of the (padded) map.
    Along each side these are the regions before the last window, its part before the seam, and behind it.
    """

    def regions(length: int) -> Tensor:
        position = torch.arange(length, device=like.device)
        return (position >= length - window).long() + (position >= length - shift)

    region = 3 * regions(height)[:, None] + regions(width)  # [h, w]
    region = to_windows(region[None, :, :, None], window)  # [n, N, 1]
    return (region != region.transpose(1, 2)).to(like.dtype) * FORBIDDEN
