"""Mask2Former, whole: a picture in, classes and masks out. It is not told its task.

Cheng et al., "Masked-attention Mask Transformer for Universal Image Segmentation" (CVPR 2022), figure 2;
official ``mask2former/maskformer_model.py`` and ``mask2former_transformer_decoder.py``.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from ..config import Mask2FormerConfig
from ..data.batch import Batch
from .denoised import MaskDenoisedModel
from .networks.backbone import Backbone
from .output import Features, Output, Predictions, Trace, record
from .parts.denoising import Noised
from .parts.masked_decoder import MaskedDecoder
from .parts.pixel_decoder import DeformablePixelDecoder


class Mask2Former(MaskDenoisedModel):
    """OneFormer without its task: each query has a learned start in place of what task and picture make of it.

    Query features and query positions are two tables. The features are supervised before they have seen the picture,
    as predictions of "layer 0": so they learn to be region proposals (section 3.2.2 of the paper).

    Lesson 16.
    """

    def __init__(self, config: Mask2FormerConfig) -> None:
        super().__init__(config)
        c = config
        self.backbone = Backbone(c.backbone, c.pretrained, c.backbone_norm, c.backbone_options)
        self.pixel_decoder = DeformablePixelDecoder(
            self.backbone.channels, c.hidden_dim, c.num_heads, c.encoder_layers, c.sampling_points, c.encoder_ffn,
            c.encoder_dropout,
        )  # fmt: skip
        self.queries = nn.Embedding(c.num_queries, c.hidden_dim)  # where they start
        self.query_positions = nn.Embedding(c.num_queries, c.hidden_dim)  # added in every attention
        self.decoder = MaskedDecoder(c.hidden_dim, c.num_heads, c.decoder_layers, c.decoder_ffn, c.num_classes)
        self.add_denoising()

    def encode(self, images: Float[Tensor, "B 3 H W"], trace: Trace | None = None) -> Features:
        """Features for masks (stride 4) and maps for the decoder (32, 16, 8)."""
        return self.pixel_decoder(self.backbone(images, trace), trace)

    def read(
        self, features: Features, token: Tensor | None = None, *, every: bool = False, trace: Trace | None = None
    ) -> list[Predictions]:
        """The queries read the maps, layer by layer, each only where it already sees its mask."""
        return self.decode(features, every, trace)

    def decode(
        self, features: Features, every: bool, trace: Trace | None, noised: Noised | None = None
    ) -> list[Predictions]:
        """:meth:`read`, behind ``noised`` queries."""
        queries = self.queries.weight.expand(features.masks.shape[0], -1, -1)
        record(trace, "query.{}", ("object_queries",), [queries])
        positions = self.query_positions.weight
        return self.decoder(queries, positions, features.maps, features.masks, every, trace, noised)

    def learn(self, batch: Batch, trace: bool = False) -> Output:
        """All predictions; of noised truth too, if the configuration has ``denoising_queries``."""
        features, _, found = self.begin(batch.images, batch.tasks, batch.texts, trace)
        noised = self.noised(batch)
        return self.learned(self.decode(features, True, found, noised), found, noised)
