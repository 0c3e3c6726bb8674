"""MaskFormer, whole: a picture in, classes and masks out. The first that segmented by classifying masks.

Cheng et al., "Per-Pixel Classification is Not All You Need for Semantic Segmentation" (NeurIPS 2021), figure 2;
official ``mask_former/mask_former_model.py`` and ``modeling/transformer/transformer_predictor.py``.
"""

from __future__ import annotations

from collections.abc import Iterator

from jaxtyping import Float
from torch import Tensor, nn

from ..config import MaskFormerConfig
from .base import MaskModel
from .networks.backbone import Backbone
from .output import Features, MaskProduct, Predictions, Trace, record
from .parts.encoder import Encoder, tokens
from .parts.fpn import FPNPixelDecoder
from .parts.layers import MLP, Linear, fan_in_uniform
from .parts.query import QueryLayer, idle_with_zeros, read_from_zeros


class MaskFormer(MaskModel):
    """DETR whose queries have no boxes: each gives a class, and a vector whose product with every pixel is its mask.

    The queries look at the coarsest map alone, at all of it, in each layer; an FPN makes the features of the pixels.
    With ``encoder_layers`` DETR's encoder goes over that map first, for the FPN as well as for the queries.

    Lesson 16.
    """

    first_prediction = 1  # queries that are zeros say nothing yet

    def __init__(self, config: MaskFormerConfig) -> None:
        super().__init__(config)
        c = config
        self.backbone = Backbone(c.backbone, c.pretrained, c.backbone_norm, c.backbone_options)
        *finer, coarsest = self.backbone.channels
        self.input_projection = fan_in_uniform(nn.Conv2d(coarsest, c.hidden_dim, kernel_size=1))
        self.encoder = Encoder(c.hidden_dim, c.num_heads, c.encoder_layers, c.encoder_ffn, c.dropout)
        top = c.hidden_dim if c.encoder_layers else coarsest
        self.pixel_decoder = FPNPixelDecoder([*finer, top], c.hidden_dim, enlarge="nearest")
        self.query_positions = nn.Embedding(c.num_queries, c.hidden_dim)
        self.decoder = QueryDecoder(
            c.hidden_dim, c.num_heads, c.decoder_layers, c.decoder_ffn, c.dropout, c.num_classes
        )

    def encode(self, images: Float[Tensor, "B 3 H W"], trace: Trace | None = None) -> Features:
        """Features for masks (stride 4) and the one map for the decoder (32)."""
        *finer, coarsest = self.backbone(images, trace)
        memory = self.encoder(self.input_projection(coarsest), trace)
        record(trace, "decoder.{}", ("memory",), [memory])
        top = memory if self.config.encoder_layers else coarsest
        return Features(self.pixel_decoder([*finer, top], trace).masks, [memory])

    def read(
        self, features: Features, token: Tensor | None = None, *, every: bool = False, trace: Trace | None = None
    ) -> list[Predictions]:
        """The queries, which start as zeros and differ by their positions alone, read the map layer by layer."""
        return self.decoder(self.query_positions.weight, features.maps[0], features.masks, every, trace)

    def idle(self, images: int) -> Iterator[nn.Module]:
        yield from super().idle(images)
        yield from idle_with_zeros(self.decoder.layers, self.config.num_queries)


class QueryDecoder(nn.Module):
    """DETR's decoder: every query reads the whole map in each layer, and is read after each.

    One norm is shared by all readings and leaves the queries themselves as they are.
    """

    def __init__(self, dim: int, heads: int, layers: int, ffn: int, dropout: float, num_classes: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(QueryLayer(dim, heads, ffn, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        self.class_head = Linear(dim, num_classes + 1)
        self.mask_head = MLP(dim, dim, dim, num_layers=3)

    def forward(
        self,
        query_positions: Float[Tensor, "Q C"],
        memory: Float[Tensor, "B C h w"],
        mask_features: Float[Tensor, "B C h4 w4"],
        all_predictions: bool,
        trace: Trace | None = None,
    ) -> list[Predictions]:
        """Predictions after each layer: all of them (training, ``trace``) or the last alone."""
        values, positions = tokens(memory)
        keys = values + positions
        found = read_from_zeros(self.layers, query_positions, keys, values, memory.shape[-2:], trace)
        wanted = found if all_predictions or trace is not None else found[-1:]
        return [self.predict(self.norm(queries), mask_features) for queries in wanted]

    def predict(self, normed: Float[Tensor, "B Q C"], mask_features: Float[Tensor, "B C h w"]) -> Predictions:
        """Classes by a linear layer; masks by a dot product of each query with each pixel, taken when it is read."""
        return Predictions(self.class_head(normed), MaskProduct(self.mask_head(normed), mask_features))
