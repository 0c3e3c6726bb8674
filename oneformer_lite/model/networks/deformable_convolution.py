"""Convolutions that choose where they look: each of the nine places of a 3 x 3 kernel moves by an offset that another
convolution of the same input predicts.

Dai et al., "Deformable Convolutional Networks" (ICCV 2017), the first kind: of the second nothing weighs the places.
Names and first weights are those of mmcv's ``ops/deform_conv.py``.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.ops import deform_conv2d

from ...errors import ConfigError

OFFSETS = "conv_offset"  # ImageNet's weights have none


class DeformableConv2d(nn.Conv2d):
    """A convolution of the form of another. Offsets begin at zero, where it is a plain one: ``of`` any weights."""

    def __init__(self, of: nn.Conv2d) -> None:
        form = {"stride": of.stride, "padding": of.padding, "dilation": of.dilation}
        super().__init__(of.in_channels, of.out_channels, of.kernel_size, groups=of.groups, bias=False, **form)
        height, width = of.kernel_size
        self.conv_offset = nn.Conv2d(of.in_channels, 2 * height * width, of.kernel_size, **form)
        for parameter in self.conv_offset.parameters():
            nn.init.zeros_(parameter)
        self.weight = of.weight

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B _C _h _w"]:
        """In float32 whatever the precision: the operator has no bfloat16, and offsets are parts of a pixel."""
        with torch.autocast(x.device.type, enabled=False):
            x = x.float()
            offsets = self.conv_offset(x)  # [B, 2 * 9, h, w]: y and x, place by place, in pixels
            return deform_conv2d(x, offsets, self.weight, None, self.stride, self.padding, self.dilation)


def deform(network: nn.Module, name: str, stages: tuple[int, ...]) -> None:
    """Let the 3 x 3 convolutions of a ResNet's ``stages`` (1: it is one of them, 0: it stays) choose where they look.

    Raises :class:`ConfigError` for a ResNet whose blocks have two such convolutions, which nobody published.
    """
    for number, chosen in enumerate(stages, start=1):
        for block in getattr(network, f"layer{number}") if chosen else ():
            if not hasattr(block, "conv3"):
                raise ConfigError(
                    f"the blocks of {name} are two 3 x 3 convolutions: backbone_options['deformable'] is for those "
                    "with one between two of 1 x 1, as resnet50 has"
                )
            block.conv2 = DeformableConv2d(block.conv2)
