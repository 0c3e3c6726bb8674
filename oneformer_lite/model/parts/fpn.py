"""The feature pyramid network: fine maps get the meaning of coarse ones, step by step upwards.

Lesson 02. Lin et al., "Feature Pyramid Networks" (CVPR 2017); official ``modeling/pixel_decoder/fpn.py``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..output import Features, Trace, record
from .layers import ConvNorm, fan_in_uniform


class FPNStep(nn.Module):
    """One step of the top-down path: lateral 1x1, add the enlarged coarser map, smooth with 3x3. Lesson 02.

    ``enlarge``: "bilinear", or "nearest" as in MaskFormer.
    """

    def __init__(self, in_dim: int, dim: int, enlarge: str = "bilinear") -> None:
        super().__init__()
        self.resizing = {"mode": enlarge} | ({"align_corners": False} if enlarge == "bilinear" else {})
        self.lateral = ConvNorm(in_dim, dim, kernel=1)
        self.output = ConvNorm(dim, dim, kernel=3, relu=True)

    def forward(
        self, fine: Float[Tensor, "B I H W"], coarse: Float[Tensor, "B C h w"]
    ) -> Float[Tensor, "B C H W"]:
        enlarged = F.interpolate(coarse, size=fine.shape[-2:], **self.resizing)
        return self.output(self.lateral(fine) + enlarged)


class PixelDecoder(nn.Module):
    """Backbone maps to mask features [B, C, H/4, W/4] and maps at strides 32, 16, 8, or what its ``strides`` are
    (coarsest first): ``decode``.

    In the weights' precision whatever the backbone computed in, as published. ``mask_projection`` is its last layer.
    """

    mask_projection: nn.Conv2d
    strides: tuple[int, ...] = (32, 16, 8)

    def forward(self, features: list[Float[Tensor, "B _c _h _w"]], trace: Trace | None = None) -> Features:
        weight = self.mask_projection.weight
        with torch.autocast(weight.device.type, enabled=False):
            found = self.decode([feature.to(weight.dtype) for feature in features], trace)
        record(trace, "pixel_decoder.stride{}", self.strides, found.maps)
        record(trace, "pixel_decoder.{}", ("mask_features",), [found.masks])
        return found

    def decode(self, features: list[Float[Tensor, "B _c _h _w"]], trace: Trace | None) -> Features:
        raise NotImplementedError(f"{type(self).__name__} defines no decode")


class FPNPixelDecoder(PixelDecoder):
    """A pixel decoder that is nothing but an FPN: MaskFormer's, and the simplest that works. Lesson 02.

    It returns the same as the deformable pixel decoder.
    """

    def __init__(self, in_channels: list[int], dim: int, enlarge: str = "bilinear") -> None:
        super().__init__()
        *finer, coarsest = in_channels
        self.top = ConvNorm(coarsest, dim, kernel=3, relu=True)
        self.steps = nn.ModuleList(FPNStep(c, dim, enlarge) for c in reversed(finer))
        self.mask_projection = fan_in_uniform(nn.Conv2d(dim, dim, kernel_size=3, padding=1))

    def decode(self, features: list[Float[Tensor, "B _c _h _w"]], trace: Trace | None) -> Features:
        maps = [self.top(features[-1])]  # stride 32, then 16, 8, 4
        for step, fine in zip(self.steps, reversed(features[:-1])):
            maps.append(step(fine, maps[-1]))
        return Features(self.mask_projection(maps[-1]), maps[:3])
