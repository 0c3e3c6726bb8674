"""A made-up member: Mask2Former's idea on today's parts, learned queries that are told no task and read no texts.

All that it needs is this file and one line, its entry in ``model.MEMBERS``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from oneformer_lite.config import BaseConfig
from oneformer_lite.model import MaskModel
from oneformer_lite.model.networks.backbone import Backbone
from oneformer_lite.model.parts.fpn import FPNPixelDecoder
from oneformer_lite.model.parts.masked_decoder import MaskedDecoder


@dataclass(frozen=True)
class LearnedQueriesConfig(BaseConfig):
    model_type: ClassVar[str] = "learned_queries"
    depth: int = 2  # decoder layers
    ffn: int = 64


class LearnedQueries(MaskModel):
    """Queries are a table; they read the picture, and that is all."""

    def __init__(self, config: LearnedQueriesConfig) -> None:
        super().__init__(config)
        c = config
        self.backbone = Backbone(c.backbone, c.pretrained, c.backbone_norm, c.backbone_options)
        self.pixel_decoder = FPNPixelDecoder(self.backbone.channels, c.hidden_dim)
        self.queries, self.query_positions = (nn.Embedding(c.num_queries, c.hidden_dim) for _ in range(2))
        self.decoder = MaskedDecoder(c.hidden_dim, c.num_heads, c.depth, c.ffn, c.num_classes)

    def encode(self, images, trace=None):
        return self.pixel_decoder(self.backbone(images, trace), trace)

    def read(self, features, token=None, *, every=False, trace=None):
        queries = self.queries.weight.expand(features.masks.shape[0], -1, -1)
        return self.decoder(queries, self.query_positions.weight, features.maps, features.masks, every, trace)
