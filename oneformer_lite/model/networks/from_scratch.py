"""Networks that no ImageNet weights are for: they learn from nothing."""

from __future__ import annotations

from torch import nn

from ...errors import ConfigError


class FromScratch(nn.Module):
    """What trainer and doctor ask of every model's network, answered by one that starts with random weights."""

    own_statistics = False  # pixels are normalised as everywhere in this package

    def __init__(self) -> None:
        super().__init__()
        self.has_imagenet_weights = False

    def load_imagenet_weights(self) -> None:
        """Raises :class:`ConfigError`: there are none."""
        raise ConfigError(
            f"nobody has ImageNet weights of a {type(self).__name__}: leave pretrained=False, or start from a trained "
            "model (TrainConfig.start_from)"
        )
