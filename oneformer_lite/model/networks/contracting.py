"""The two halves of a U-Net: pictures to maps that halve their size and double their channels, and the way back.

Ronneberger et al., "U-Net" (MICCAI 2015), figure 1, with padding (maps keep their size), norms after convolutions, and
channels that start at any number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..output import Trace, record
from .from_scratch import FromScratch

NORMS = {"batch": nn.BatchNorm2d, "group": lambda channels: nn.GroupNorm(math.gcd(8, channels), channels)}


class Contracting(FromScratch):
    """Pictures to maps, finest first: at their own size, at half of it, and so on, one more than ``depth``.

    ``start``: pixels of the picture to a cell of the first map, whose pixels become channels.
    """

    def __init__(self, base: int, depth: int, norm: str, start: int = 1) -> None:
        super().__init__()
        self.strides = tuple(start * 2**i for i in range(depth + 1))
        self.channels = [base * 2**i for i in range(depth + 1)]
        self.unshuffle = nn.PixelUnshuffle(start)
        before = [3 * start**2, *self.channels]
        self.blocks = nn.ModuleList(double_conv(a, b, norm) for a, b in zip(before, self.channels))
        self.pool = nn.MaxPool2d(2)

    def forward(self, images: Float[Tensor, "B 3 H W"], trace: Trace | None = None) -> list[Tensor]:
        maps = [self.blocks[0](self.unshuffle(images))]
        for block in self.blocks[1:]:
            maps.append(block(self.pool(maps[-1])))
        record(trace, "backbone.stride{}", self.strides, maps)
        return maps


class Expanding(nn.Module):
    """The coarsest map twice as large, the finer one beside it, two convolutions: until it is as large as the
    finest."""

    def __init__(self, channels: Sequence[int], norm: str) -> None:
        super().__init__()
        steps = list(zip(channels[:0:-1], channels[-2::-1]))  # coarse to fine
        self.enlarge = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, stride=2) for coarse, fine in steps)
        self.blocks = nn.ModuleList(double_conv(2 * fine, fine, norm) for _, fine in steps)

    def forward(self, maps: Sequence[Tensor], trace: Trace | None = None) -> Float[Tensor, "B C h w"]:
        """``maps`` finest first, as :class:`Contracting` has them."""
        return self.every(maps, trace)[-1]

    def every(self, maps: Sequence[Tensor], trace: Trace | None = None) -> list[Float[Tensor, "B _c _h _w"]]:
        """The maps of all sizes on the way, from the coarsest, which is the given one, to the finest."""
        found = [maps[-1]]
        for enlarge, block, fine in zip(self.enlarge, self.blocks, maps[-2::-1]):
            found.append(block(torch.cat([fine, enlarge(found[-1])], dim=1)))
        record(trace, "decoder.{}", ("features",), found[-1:])
        return found


def double_conv(before: int, after: int, norm: str) -> nn.Sequential:
    """Twice a 3x3 convolution, a norm and ReLU."""
    layers = []
    for channels in (before, after):
        layers += [nn.Conv2d(channels, after, 3, padding=1), NORMS[norm](after), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
