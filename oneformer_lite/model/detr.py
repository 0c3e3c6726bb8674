"""DETR for panoptic segmentation, whole: a picture in; classes, boxes and masks out. It is not told its task.

Carion et al., "End-to-End Object Detection with Transformers" (ECCV 2020), figures 2 and 8; official
``models/detr.py``, ``models/transformer.py`` and ``models/segmentation.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..config import DetrConfig
from .base import MaskModel
from .networks.backbone import Backbone
from .output import DeferredMasks, PaddedFeatures, Predictions, Trace, record
from .parts.encoder import EncoderLayer
from .parts.layers import MLP, Linear, sine_positions_within
from .parts.mask_attention import MaskAttention, MaskHead
from .parts.query import QueryLayer, idle_with_zeros, read_from_zeros


class Detr(MaskModel):
    """The backbone's coarsest map through an encoder; a hundred queries, zero at first, read it in a decoder.

    A query says a class and a box. Where it looks, in the attention of one more layer, becomes its mask by convolutions
    that add the backbone's finer maps: for each query anew, which is what makes it slow.

    Pictures are not padded to multiples of 32. In a batch of several sizes the padding is told from the picture and
    looked at by nobody: its pixels are 0 in all channels, and no picture's are, for no byte is the mean that is taken
    away to normalise it.

    Lesson 16.
    """

    first_prediction = 1

    def __init__(self, config: DetrConfig) -> None:
        super().__init__(config)
        c = config
        self.backbone = Backbone(c.backbone, c.pretrained, c.backbone_norm, c.backbone_options)
        channels = self.backbone.channels
        self.input_projection = nn.Conv2d(channels[-1], c.hidden_dim, kernel_size=1)
        self.encoder = nn.ModuleList(
            EncoderLayer(c.hidden_dim, c.num_heads, c.encoder_ffn, c.dropout) for _ in range(c.encoder_layers)
        )
        self.query_positions = nn.Embedding(c.num_queries, c.hidden_dim)
        self.layers = nn.ModuleList(
            QueryLayer(c.hidden_dim, c.num_heads, c.decoder_ffn, c.dropout) for _ in range(c.decoder_layers)
        )
        self.norm = nn.LayerNorm(c.hidden_dim)
        self.class_head = Linear(c.hidden_dim, c.num_classes + 1)
        self.box_head = MLP(c.hidden_dim, c.hidden_dim, 4, num_layers=3)
        self.mask_attention = MaskAttention(c.hidden_dim, c.num_heads)
        self.mask_head = MaskHead(c.hidden_dim, c.num_heads, channels[2::-1])
        self._freeze()

    @property
    def start_needed(self) -> str:
        if self.config.stage != "masks":
            return ""
        return "stage 'masks' teaches a DETR's masks alone: train its stage 'boxes' before, or all of it with 'joint'"

    def _freeze(self) -> None:
        """What the stage of the training leaves as it is. It stays in training mode: dropout goes on."""
        stage = self.config.stage
        for name, parameter in self.named_parameters():
            if stage != "joint" and name.startswith("mask_") != (stage == "masks"):
                parameter.requires_grad_(False)
        if not self.config.early_layers_learn:
            self.backbone.freeze_early_layers()

    def encode(self, images: Float[Tensor, "B 3 H W"], trace: Trace | None = None) -> PaddedFeatures:
        """The encoder's memory and what went into it (the coarsest map, projected), and the backbone's finer maps."""
        finest, fine, coarse, coarsest = (self.config.map_scale * m for m in self.backbone(images, trace))
        projected = self.input_projection(coarsest)
        valid = picture_places(images, tuple(projected.shape[-2:]))
        positions, allowed = self._positions(valid), valid.flatten(1)[:, None]
        memory = projected.flatten(2).transpose(1, 2)
        for layer in self.encoder:
            memory = layer(memory, positions, allowed)
        memory = memory.transpose(1, 2).unflatten(2, projected.shape[-2:])
        record(trace, "encoder.{}", ("projected", "memory"), (projected, memory))
        return PaddedFeatures(finest, [memory, projected, coarse, fine], valid)

    def read(
        self, features: PaddedFeatures, token: Tensor | None = None, *, every: bool = False, trace: Trace | None = None
    ) -> list[Predictions]:
        """The queries look at each other and at the memory, layer by layer; after each they can say what they found."""
        memory, valid = features.maps[0], features.valid
        values = memory.flatten(2).transpose(1, 2)
        keys, allowed = values + self._positions(valid), valid.flatten(1)[:, None]
        positions, grid = self.query_positions.weight, valid.shape[-2:]
        found = read_from_zeros(self.layers, positions, keys, values, grid, trace, allowed)
        wanted = found if every or trace is not None else found[-1:]
        predictions = [self._predict(self.norm(queries), features) for queries in wanted]
        if not (every and self.config.stage == "boxes"):  # which learns nothing from them
            predictions[-1].masks = predictions[-1].mask_logits
        return predictions

    def _predict(self, queries: Float[Tensor, "B Q C"], features: PaddedFeatures) -> Predictions:
        """A class and a box by the query alone, a mask by where it looks."""
        masks = DeferredMasks(partial(self._masks, queries, features))
        return Predictions(self.class_head(queries), masks, boxes=self.box_head(queries).sigmoid())

    def _masks(self, queries: Float[Tensor, "B Q C"], features: PaddedFeatures) -> Float[Tensor, "B Q h w"]:
        memory, projected, coarse, fine = features.maps
        attention = self.mask_attention(queries, memory, features.valid)
        if self.config.attention_maps == "relative":
            even = 1 / (self.config.num_heads * features.valid.sum((1, 2)))
            attention = attention / even.view(-1, 1, 1, 1, 1)
        return self.mask_head(attention, projected, (coarse, fine, features.masks))

    def _positions(self, valid: Bool[Tensor, "B h w"]) -> Float[Tensor, "B S C"]:
        positions = sine_positions_within(valid, self.config.hidden_dim)
        return positions.flatten(2).transpose(1, 2).to(self.dtype)

    def idle(self, images: int) -> Iterator[nn.Module]:
        yield from super().idle(images)
        yield from idle_with_zeros(self.layers, self.config.num_queries)

    def parts_of_fixed_shapes(self) -> list[nn.Module]:
        return [self.backbone, *self.encoder, *self.layers, self.mask_head]


def picture_places(images: Float[Tensor, "B 3 H W"], size: tuple[int, int]) -> Bool[Tensor, "B h w"]:
    """Which places of a map of ``size`` are picture: those before the last rows and columns that are all 0, which
    padding is; everywhere of a picture that is nothing but 0."""
    pixels = (images != 0).any(1)
    rows, columns = pixels.any(2), pixels.any(1)
    # a row is picture if it, or any below it, has a pixel
    rows, columns = (line.flip(1).cumsum(1).flip(1) > 0 for line in (rows, columns))
    inside = (rows[:, :, None] & columns[:, None]) | ~pixels.any(2).any(1)[:, None, None]
    return F.interpolate(inside[:, None].float(), size=size, mode="nearest")[:, 0] > 0.5
