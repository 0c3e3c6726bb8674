"""What OneFormer is made of: one frozen dataclass.

Defaults are the published values (OneFormer, CVPR 2023; official ``configs/coco/oneformer_R50_bs16_50ep.yaml``);
what differs by data set and backbone is in ``presets.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ..errors import ConfigError
from .ablated import AblatedTraits
from .base import BaseConfig
from .traits import DenoisingTraits


@dataclass(frozen=True)
class ModelConfig(AblatedTraits, DenoisingTraits, BaseConfig):
    """Every size and switch of one OneFormer. Lengths are pixels, points or channels; weights have no unit."""

    model_type: ClassVar[str] = "oneformer"
    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = BaseConfig.CHOICES | AblatedTraits.ABLATIONS | {
        "pixel_decoder": ("deformable", "fpn"),
        "query_values": ("positions", "positions+features"),
    }

    # -- pixel decoder
    pixel_decoder: str = "deformable"
    encoder_layers: int = 6
    encoder_ffn: int = 1024
    sampling_points: int = 4  # per head and level
    encoder_dropout: float = 0.1

    # -- task-conditioned queries
    query_layers: int = 2
    query_ffn: int = 2048
    query_dropout: float = 0.1
    query_values: str = "positions"  # as released; "positions+features" is what the paper describes

    # -- masked-attention decoder (dropout is 0, as published)
    decoder_layers: int = 9
    decoder_ffn: int = 2048

    # -- text mapper (training only)
    text_context: int = 16  # N_ctx learned vectors; the text list has num_queries - text_context entries
    text_width: int = 256
    text_layers: int = 6
    text_heads: int = 4
    text_length: int = 77
    # no token sees a later one, as in the official code; transformers forgets the mask, which is False
    text_causal: bool = True
    temperature: float = 0.07

    # -- the weight of the fourth loss
    contrastive_weight: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.text_width % self.text_heads:
            raise ConfigError(f"text_width {self.text_width} must be divisible by text_heads {self.text_heads}")
        if self.num_queries <= self.text_context:
            raise ConfigError(
                f"num_queries {self.num_queries} must exceed text_context {self.text_context}: "
                "the text list fills the queries that the learned context leaves"
            )

    @property
    def num_texts(self) -> int:
        """Entries of an image's text list (N_text in the paper): queries minus learned context."""
        return self.num_queries - self.text_context
