"""The backbone: a network that turns the picture into features at strides 4, 8, 16 and 32.

Lesson 02. The models of the paper use ResNet-50, Swin, ConvNeXt and DiNAT (:mod:`.by_name`); any timm network
with ``features_only`` at these four strides will do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch
from jaxtyping import Float
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import Tensor, nn

from ...data.batch import PIXEL_MEAN, PIXEL_STD
from ...errors import ConfigError
from ..fast.linear import adopt_linears
from ..output import Trace, record
from .by_name import STRIDES, build_network
from .deformable_convolution import OFFSETS
from .imagenet import BUNDLED, imagenet_state

_EARLY = ("conv1", "bn1", "layer1")  # ResNet's stem and first stage


class Backbone(nn.Module):
    """Image to four feature maps, finest first. Lesson 02.

    Input is normalised with the ImageNet statistics like everywhere in this package. A network that
    was trained with others (lite0: mean = std = 0.5) gets its own: ``rescale`` converts.

    Building never downloads. ``pretrained`` loads ImageNet weights at once where a package carries
    them; for every other network :meth:`load_imagenet_weights` fetches them, which training does first.

    ``norm`` is about BatchNorm: "frozen" keeps running statistics, scale and shift (detectron2's
    FrozenBatchNorm2d, as published), "affine" lets scale and shift learn but keeps the statistics, which
    small batches would spoil, "batch" learns everything. ``options`` override the sizes of the named network.
    """

    def __init__(
        self,
        name: str,
        pretrained: bool = True,
        norm: Literal["frozen", "affine", "batch"] = "frozen",
        options: Iterable[tuple[str, object]] = (),
    ) -> None:
        super().__init__()
        self.name, self.keeps_statistics = name, norm != "batch"
        network = build_network(name, dict(options))
        self.network = adopt_linears(network.module)
        self.channels, self.outputs_nhwc = network.channels, network.outputs_nhwc
        self.norms = nn.ModuleList()
        if network.norm_eps is not None:  # the official norm0 ... norm3
            self.norms = nn.ModuleList(nn.LayerNorm(c, eps=network.norm_eps) for c in self.channels)
        mean, std = torch.tensor(network.mean) * 255, torch.tensor(network.std) * 255
        scale = (torch.tensor(PIXEL_STD) / std).view(3, 1, 1)
        shift = ((torch.tensor(PIXEL_MEAN) - mean) / std).view(3, 1, 1)
        self.register_buffer("scale", scale, persistent=False)
        self.register_buffer("shift", shift, persistent=False)
        self.own_statistics = (network.mean, network.std) != (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD)
        if norm == "frozen":
            for module in self._batch_norms():
                module.requires_grad_(False)
        self.has_imagenet_weights = False
        if pretrained and name == BUNDLED:
            self.load_imagenet_weights()
        self.train()

    def load_imagenet_weights(self) -> None:
        """Load ImageNet weights: from the package for lite0, else through timm (downloads once).

        Raises :class:`ConfigError` if they cannot be had, or do not fit a network whose sizes were changed,
        instead of training from random weights.
        """
        if self.has_imagenet_weights:
            return
        state = imagenet_state(self.name)
        own = {key: value for key, value in self.network.state_dict().items() if OFFSETS not in key}
        unfit = [key for key, value in own.items() if key not in state or state[key].shape != value.shape]
        if unfit:
            raise ConfigError(
                f"the ImageNet weights of {self.name} do not fit {len(unfit)} tensors of the network (the first is "
                f"{unfit[0]}): its sizes differ from the named one's; drop those backbone_options or set "
                "pretrained=False"
            )
        self.network.load_state_dict(self.network.state_dict() | {key: state[key] for key in own})
        self.has_imagenet_weights = True

    def train(self, mode: bool = True) -> Backbone:
        """As ``nn.Module.train``; BatchNorms that keep their statistics stay in evaluation mode."""
        super().train(mode)
        if self.keeps_statistics:
            for module in self._batch_norms():
                module.eval()
        return self

    def freeze_early_layers(self) -> None:
        """ResNet's stem and first stage keep the weights they have. Of other networks, those layers that timm calls the
        same (of EfficientNet the stem's norm)."""
        for name, parameter in self.network.named_parameters():
            if name.startswith(_EARLY):
                parameter.requires_grad_(False)

    def rescale(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H W"]:
        """From the package's normalisation to the one this network was trained with."""
        return images * self.scale + self.shift if self.own_statistics else images

    def forward(
        self, images: Float[Tensor, "B 3 H W"], trace: Trace | None = None
    ) -> list[Float[Tensor, "B _c _h _w"]]:
        """Four maps at strides 4, 8, 16 and 32, with ``channels`` channels.

        In memory the channels of a pixel lie side by side (channels-last): convolutions are faster so, and what
        follows reads pixels as tokens without a copy.
        """
        features = self.network(self.rescale(images.to(memory_format=torch.channels_last)))
        if self.norms:
            if not self.outputs_nhwc:
                features = [f.permute(0, 2, 3, 1) for f in features]
            features = [norm(f).permute(0, 3, 1, 2) for norm, f in zip(self.norms, features)]
        features = [f.contiguous(memory_format=torch.channels_last) for f in features]
        record(trace, "backbone.stride{}", STRIDES, features)
        return features  # [B, C_l, H / stride, W / stride]

    def _batch_norms(self) -> list[nn.Module]:
        return [module for module in self.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
