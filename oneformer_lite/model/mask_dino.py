"""Mask DINO, whole: a picture in; classes, boxes and masks out. It is not told its task.

Li et al., "Mask DINO: Towards A Unified Transformer-based Framework for Object Detection and Segmentation" (CVPR 2023),
figure 2; official ``maskdino_decoder.py``, ``dino_decoder.py`` and ``maskdino_encoder.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..config import MaskDinoConfig
from ..data.batch import Batch
from .denoised import DenoisedModel
from .networks.backbone import Backbone
from .output import Features, Output, Predictions, Trace, record
from .parts.box_decoder import BoxDecoder
from .parts.boxes import boxes_of_masks, inverse_sigmoid
from .parts.denoising import BoxDenoising, Noised
from .parts.pixel_decoder import DeformablePixelDecoder, tokens_of
from .parts.selection import QuerySelection


@dataclass
class MaskDinoOutput(Output):
    """What Mask DINO learns from besides its predictions and those of noised queries: what query ``selection`` says of
    the places that it chose. None unless it learns."""

    selection: Predictions | None = None


@dataclass
class Start:
    """The queries before the first layer: their content, the logits of their boxes, and, if they were chosen, what they
    say already and from which places they come."""

    content: Float[Tensor, "B Q C"]
    box_logits: Float[Tensor, "B Q 4"]
    selection: Predictions | None = None
    places: Int[Tensor, "B Q"] | None = None


class MaskDino(DenoisedModel):
    """DINO's detector with Mask2Former's masks. Each query has a box, and reads the picture at points within it.

    The queries are chosen among all places of the encoder's maps (or learned, ``two_stage=False``): the place gives the
    content and a first box, which may give way to the one around its first mask. Each layer moves the box. A mask is
    the dot product of query and pixel, as in Mask2Former, but no attention is masked by it.

    In training the truth joins in as noised queries, which the others cannot see (:mod:`.parts.denoising`).

    Lesson 17.
    """

    output_type = MaskDinoOutput

    def __init__(self, config: MaskDinoConfig) -> None:
        super().__init__(config)
        c = config
        dim, classes, queries = c.hidden_dim, c.num_classes, c.num_queries
        self.backbone = Backbone(c.backbone, c.pretrained, c.backbone_norm, c.backbone_options)
        self.pixel_decoder = DeformablePixelDecoder(
            self.backbone.channels, dim, c.num_heads, c.encoder_layers, c.sampling_points, c.encoder_ffn,
            c.encoder_dropout, c.encoder_maps, c.extra_maps,
        )  # fmt: skip
        if c.two_stage:
            self.selection = QuerySelection(dim, queries, c.proposal_sizes)
        else:
            self.queries, self.query_boxes = nn.Embedding(queries, dim), nn.Embedding(queries, 4)
        self.denoising = BoxDenoising(dim, classes, c.denoising_queries, c.denoising_noise)
        self.decoder = BoxDecoder(
            dim, c.num_heads, c.decoder_layers, c.decoder_ffn, c.encoder_maps + c.extra_maps, c.sampling_points,
            classes, c.class_loss == "softmax", c.class_prior,
        )  # fmt: skip

    def encode(self, images: Float[Tensor, "B 3 H W"], trace: Trace | None = None) -> Features:
        """Features for masks (stride 4) and maps for the decoder, coarsest first."""
        return self.pixel_decoder(self.backbone(images, trace), trace)

    def read(
        self, features: Features, token: Tensor | None = None, *, every: bool = False, trace: Trace | None = None
    ) -> list[Predictions]:
        """The queries are chosen, look at each other and into their boxes, and move these, layer by layer."""
        predictions = self._decode(features, self.start(features), None, trace)
        return predictions if every or trace is not None else predictions[-1:]

    def learn(self, batch: Batch, trace: bool = False) -> MaskDinoOutput:
        """All predictions, of the denoising queries too, where the batch has targets."""
        features, _, found = self.begin(batch.images, batch.tasks, batch.texts, trace)
        start, noised = self.start(features), self.noised(batch)
        output = self.learned(self._decode(features, start, noised, found), found, noised)
        output.selection, output.places = start.selection, start.places
        # as published: what they say before the first layer has a loss where queries are chosen, and else none
        output.denoising = output.denoising[not self.config.two_stage :]
        return output

    def start(self, features: Features) -> Start:
        """The queries before they have seen the picture through the decoder."""
        if not self.config.two_stage:
            tables = self.queries.weight, self.query_boxes.weight
            return Start(*(table.expand(features.masks.shape[0], -1, -1) for table in tables))
        memory, shapes = tokens_of(features.maps)
        heads = self.decoder.class_head, self.decoder.box_head
        content, box_logits, places = self.selection(memory, shapes, *heads, self.config.num_classes)
        selection = self.decoder.predict(content, box_logits.sigmoid(), features.masks)
        box_logits = box_logits.detach()
        if self.config.initial_boxes != "selected":
            with torch.no_grad():
                boxes = boxes_of_masks(selection.mask_logits, self.config.initial_boxes)
            box_logits = inverse_sigmoid(boxes).to(content.dtype)
        return Start(content.detach(), box_logits, selection, places)

    def _decode(
        self, features: Features, start: Start, noised: Noised | None, trace: Trace | None
    ) -> list[Predictions]:
        """Predictions before the first layer and after each, with those of noised queries in front."""
        content, box_logits, allowed = start.content, start.box_logits, None
        record(trace, "query.{}", ("object_queries",), [content])
        if noised is not None:
            content = torch.cat([noised.content, content], dim=1)
            box_logits = torch.cat([noised.box_logits, box_logits], dim=1)
            allowed = noised.allowed(self.config.num_queries)[None]
        memory, shapes = tokens_of(features.maps)
        return self.decoder(content, box_logits, memory, shapes, features.masks, allowed, trace)

    def idle(self, images: int) -> Iterator[nn.Module]:
        yield from super().idle(images)
        c = self.config
        if not c.denoising_queries:
            yield self.denoising
        if c.box_weight == c.giou_weight == 0:
            yield self.decoder.box_head

    def parts_of_fixed_shapes(self) -> list[nn.Module]:
        return [self.backbone, self.pixel_decoder]  # the number of denoising queries changes from step to step
