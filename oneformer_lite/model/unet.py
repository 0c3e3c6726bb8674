"""U-Net, whole: a picture in, a mask for each class out. It knows no queries.

Ronneberger et al., "U-Net" (MICCAI 2015), figure 1.
"""

from __future__ import annotations

from collections.abc import Iterator

from jaxtyping import Float
from torch import Tensor, nn

from ..config import UNetConfig
from .base import MaskModel
from .networks.contracting import Contracting, Expanding
from .output import Predictions, Trace
from .parts.class_maps import of_classes


class UNet(MaskModel):
    """Down to a coarse map and up again, each finer map joined on the way, and one convolution for the classes.

    Lesson 18.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__(config)
        c = config
        self.encoder = Contracting(c.base_channels, c.depth, c.norm)
        self.decoder = Expanding(self.encoder.channels, c.norm)
        self.class_head = nn.Conv2d(c.base_channels, c.num_classes, kernel_size=1)

    @property
    def backbone(self) -> Contracting:
        """Nothing of it has seen ImageNet, so it learns at the full rate: a name for those who ask."""
        return self.encoder

    def encode(self, images: Float[Tensor, "B 3 H W"], trace: Trace | None = None) -> Float[Tensor, "B C H W"]:
        """Features at the picture's own size."""
        return self.decoder(self.encoder(images, trace), trace)

    def read(
        self, features: Float[Tensor, "B C H W"], token: Tensor | None = None, *, every: bool = False,
        trace: Trace | None = None,
    ) -> list[Predictions]:  # fmt: skip
        """One mask for each class."""
        return [of_classes(self.class_head(features), self.config.mask_loss)]

    def idle(self, images: int) -> Iterator[nn.Module]:
        """Nothing: the class head makes the masks, and there is no loss of classes."""
        return iter(())
