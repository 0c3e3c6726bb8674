"""The feature pyramid network: fine maps get the meaning of coarse ones, step by step upwards.

Lesson 02. Lin et al., "Feature Pyramid Networks" (CVPR 2017); official ``modeling/pixel_decoder/fpn.py``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..output import Features, Trace, record
from .layers import ConvNorm, fan_in_uniform, sine_positions


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


class PlainFPN(nn.Module):
    """An FPN as detectors have it: four maps become four of one width, without norms. Xavier-uniform, biases 0.

    Official ``mmdet/models/necks/fpn.py``.
    """

    def __init__(self, in_channels: list[int], dim: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(channels, dim, 1) for channels in in_channels)
        self.outputs = nn.ModuleList(nn.Conv2d(dim, dim, 3, padding=1) for _ in in_channels)
        for convolution in (*self.laterals, *self.outputs):
            nn.init.xavier_uniform_(convolution.weight)
            nn.init.zeros_(convolution.bias)

    def forward(self, features: list[Float[Tensor, "B _c _h _w"]]) -> list[Float[Tensor, "B C _h _w"]]:
        """Finest first, as they come."""
        maps = [lateral(feature) for lateral, feature in zip(self.laterals, features)]
        for i in range(len(maps) - 1, 0, -1):
            maps[i - 1] = maps[i - 1] + F.interpolate(maps[i], size=maps[i - 1].shape[-2:], mode="nearest")
        return [output(m) for output, m in zip(self.outputs, maps)]


class LocalisationFPN(nn.Module):
    """Four maps of one width, brought to one ``stride`` and summed; of the sum two maps: where things are, and what.

    A map of stride 4, 8, 16 or 32 takes 1, 1, 2 or 3 convolutions; the coarsest knows its places by sine positions.
    Convolutions start N(0, 0.01). Official ``knet/det/semantic_fpn_wrapper.py`` and the first convolutions of
    ``kernel_head.py``, after the semantic branch of Kirillov et al., "Panoptic Feature Pyramid Networks" (CVPR 2019).
    """

    def __init__(self, dim: int, stride: int) -> None:
        super().__init__()
        self.doublings = (0, 0, 1, 2) if stride == 8 else (0, 1, 2, 3)  # of each map's size
        finest = [ConvNorm(dim, dim, kernel=3, relu=True, stride=stride // 4)]
        others = ([ConvNorm(dim, dim, kernel=3, relu=True) for _ in range(level)] for level in range(1, 4))
        self.levels = nn.ModuleList(nn.ModuleList(convolutions) for convolutions in (finest, *others))
        self.location, self.semantic = (
            nn.Sequential(*(ConvNorm(dim, dim, kernel=1, relu=True) for _ in range(2))) for _ in range(2)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.01)

    def forward(
        self, maps: list[Float[Tensor, "B C _h _w"]]
    ) -> tuple[Float[Tensor, "B C h w"], Float[Tensor, "B C h w"]]:
        *finer, coarsest = maps
        positions = sine_positions(*coarsest.shape[-2:], coarsest.shape[1], coarsest.device).to(coarsest.dtype)
        levels = zip([*finer, coarsest + positions], self.levels, self.doublings)
        both = sum(_through(convolutions, x, doublings) for x, convolutions, doublings in levels)
        return self.location(both), self.semantic(both)


def _through(convolutions: nn.ModuleList, x: Tensor, doublings: int) -> Tensor:
    """Convolutions, of which the first are followed by a doubling of the size."""
    for i, convolution in enumerate(convolutions):
        x = convolution(x)
        x = double(x) if i < doublings else x
    return x


def double(maps: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C h2 w2"]:
    """Twice the size, bilinear."""
    return F.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False)
