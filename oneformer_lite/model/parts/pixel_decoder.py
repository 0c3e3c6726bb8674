"""The pixel decoder: deformable attention mixes three scales, one FPN step adds the finest.

Lesson 03. Paper section 3 ("we use the multi-scale deformable transformer"); official
``modeling/pixel_decoder/msdeformattn.py``.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..fast.cached import remembered
from ..fast.dropout import Dropout
from ..output import Features, Trace
from .deformable_attention import DeformableAttention, Shapes
from .fpn import FPNStep, PixelDecoder
from .layers import ConvNorm, FeedForward, fan_in_uniform, sine_positions


class DeformableEncoderLayer(nn.Module):
    """Deformable self-attention over all levels, then a feed-forward block, both post-norm.

    Lesson 03.
    """

    def __init__(self, dim: int, heads: int, levels: int, points: int, ffn: int, dropout: float) -> None:
        super().__init__()
        self.feed_forward = FeedForward(dim, ffn, dropout)
        self.attention = DeformableAttention(dim, heads, levels, points)
        self.norm = nn.LayerNorm(dim)
        self.dropout = Dropout(dropout)

    def forward(
        self,
        x: Float[Tensor, "B S C"],
        positions: Float[Tensor, "S C"],
        reference: Float[Tensor, "S 2"],
        shapes: Shapes,
    ) -> Float[Tensor, "B S C"]:
        update = self.attention(x + positions, reference, x, shapes)
        return self.feed_forward(self.norm(x + self.dropout(update)))


@remembered
def reference_points(
    shapes: tuple[tuple[int, int], ...], device: torch.device | str = "cpu"
) -> Float[Tensor, "S 2"]:
    """The centre (x, y) in [0, 1] of every position of every level, flattened level by level.

    Lesson 03.
    """
    centres = []
    for h, w in shapes:
        y, x = torch.meshgrid((torch.arange(h) + 0.5) / h, (torch.arange(w) + 0.5) / w, indexing="ij")
        centres.append(torch.stack([x, y], -1).flatten(0, 1))
    return torch.cat(centres).to(device)


class DeformableEncoder(nn.Module):
    """Backbone maps to as many of one width, coarsest first, whose positions have looked at each other.

    ``extra``: how many still coarser maps are made of the coarsest one, each by a 3x3 convolution of stride 2.
    """

    def __init__(
        self, in_channels: list[int], dim: int, heads: int, layers: int, points: int, ffn: int, dropout: float,
        extra: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        # the levels run coarse to fine, in the order in which the masked decoder uses them
        self.input_projections = nn.ModuleList(
            ConvNorm(c, dim, kernel=1, bias=True) for c in reversed(in_channels)
        )
        self.extra_projections = nn.ModuleList(
            ConvNorm(dim if i else in_channels[-1], dim, kernel=3, bias=True, stride=2) for i in range(extra)
        )
        for projection in (*self.input_projections, *self.extra_projections):
            nn.init.xavier_uniform_(projection[0].weight)
        levels = len(in_channels) + extra
        self.level_embed = nn.Parameter(torch.randn(levels, dim))
        self.layers = nn.ModuleList(
            DeformableEncoderLayer(dim, heads, levels, points, ffn, dropout) for _ in range(layers)
        )

    def projected(self, features: list[Float[Tensor, "B _c _h _w"]]) -> list[Float[Tensor, "B C _h _w"]]:
        """The maps of one width, coarsest first, before they have looked at each other."""
        maps = [project(f) for project, f in zip(self.input_projections, reversed(features))]
        coarser = features[-1]
        for project in self.extra_projections:
            maps.insert(0, coarser := project(coarser))
        return maps

    def mixed(
        self, features: list[Float[Tensor, "B _c _h _w"]], trace: Trace | None
    ) -> list[Float[Tensor, "B C _h _w"]]:
        return encoded(self.projected(features), self.layers, self.level_embed, trace)


def encoded(
    maps: list[Float[Tensor, "B C _h _w"]],
    layers: nn.ModuleList,
    level_embed: Float[Tensor, "L C"],
    trace: Trace | None,
    offset: float = 0.0,
) -> list[Float[Tensor, "B C _h _w"]]:
    """Maps of one width after the ``layers`` of an encoder, by which their positions look at each other. ``offset``: of
    the places in :func:`.sine_positions`."""
    x, shapes = tokens_of(maps)
    positions = torch.cat([
        sine_positions(h, w, x.shape[-1], x.device, offset).flatten(1).T + level
        for (h, w), level in zip(shapes, level_embed)
    ]).to(x.dtype)  # [S, C]
    reference = reference_points(tuple(shapes), x.device)
    for i, layer in enumerate(layers):
        if trace is not None:
            locations, weights = layer.attention.sampling(x + positions, reference, shapes)
            trace.record(f"pixel_decoder.layer{i}.sampling_locations", locations)
            trace.record(f"pixel_decoder.layer{i}.sampling_weights", weights)
        x = layer(x, positions, reference, shapes)
    levels = x.split([h * w for h, w in shapes], dim=1)
    return [level.unflatten(1, shape).permute(0, 3, 1, 2) for level, shape in zip(levels, shapes)]


def tokens_of(maps: list[Float[Tensor, "B C _h _w"]]) -> tuple[Float[Tensor, "B S C"], Shapes]:
    """The positions of all maps in one row, level by level, and height and width of each level."""
    shapes = [tuple(m.shape[-2:]) for m in maps]
    return torch.cat([m.flatten(2).transpose(1, 2) for m in maps], dim=1), shapes


class DeformablePixelDecoder(DeformableEncoder, PixelDecoder):
    """Backbone maps to mask features [B, C, H/4, W/4] and maps at strides 32, 16, 8 (coarsest first).

    ``maps``: how many of the backbone's, the coarsest ones, look at each other; ``extra``: how many still coarser ones
    join them.

    Lesson 03.
    """

    def __init__(
        self, in_channels: list[int], dim: int, heads: int, layers: int, points: int, ffn: int, dropout: float,
        maps: int = 3, extra: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(in_channels[-maps:], dim, heads, layers, points, ffn, dropout, extra)
        self.maps = maps
        self.strides = tuple((32 << extra) >> level for level in range(maps + extra))
        self.fpn = FPNStep(in_channels[0], dim)
        self.mask_projection = fan_in_uniform(nn.Conv2d(dim, dim, kernel_size=1))

    def decode(self, features: list[Float[Tensor, "B _c _h _w"]], trace: Trace | None) -> Features:
        maps = self.mixed(features[-self.maps :], trace)
        return Features(self.mask_projection(self.fpn(features[0], maps[-1])), maps)
