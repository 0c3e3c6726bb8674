"""The deformable encoder of detectors: every place of every level looks at a few places of all levels.

Zhu et al., "Deformable DETR" (ICLR 2021), section 4 and appendix A.4; official ``panformer/deformable_detr.py`` (the
levels before it: mmdetection's ``ChannelMapper``).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..output import Trace, record
from .layers import ConvNorm
from .pixel_decoder import DeformableEncoderLayer, encoded


class Neck(nn.Module):
    """Backbone maps to as many of one width, finest first, and a coarser one made of the last."""

    def __init__(self, in_channels: list[int], dim: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(ConvNorm(c, dim, kernel=1) for c in in_channels)
        self.extra = ConvNorm(in_channels[-1], dim, kernel=3, stride=2)
        for convolution in (*self.levels, self.extra):
            nn.init.xavier_uniform_(convolution[0].weight)

    def forward(self, maps: list[Float[Tensor, "B _c _h _w"]]) -> list[Float[Tensor, "B C _h _w"]]:
        return [*(level(m) for level, m in zip(self.levels, maps)), self.extra(maps[-1])]


class MultiScaleEncoder(nn.Module):
    """Maps of one width, finest first, to maps of the same sizes whose places have looked at each other.

    ``stride``: of the finest, each next one's is twice as large; the trace calls them by it, as a pixel decoder's.
    """

    def __init__(
        self, dim: int, heads: int, levels: int, layers: int, points: int, ffn: int, dropout: float, stride: int
    ) -> None:
        super().__init__()
        self.strides = tuple(stride << level for level in range(levels))
        self.level_embed = nn.Parameter(torch.randn(levels, dim))
        self.layers = nn.ModuleList(
            DeformableEncoderLayer(dim, heads, levels, points, ffn, dropout) for _ in range(layers)
        )

    def forward(
        self, maps: list[Float[Tensor, "B C _h _w"]], trace: Trace | None = None
    ) -> list[Float[Tensor, "B C _h _w"]]:
        mixed = encoded(maps, self.layers, self.level_embed, trace, offset=-0.5)
        record(trace, "pixel_decoder.stride{}", self.strides, mixed)
        return mixed
