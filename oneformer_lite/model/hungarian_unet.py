"""A U-Net with queries, whole: one output channel a query, or a product of each query with each pixel.

What happens to a U-Net that is given the Hungarian loss: its channels learn to be objects. They cannot agree on who
takes what, so objects are found more than once; transformer layers between its halves, and queries among their tokens,
let them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..config import HungarianUNetConfig
from .base import MaskModel
from .networks.bert import BertLayer, as_map
from .networks.contracting import Contracting, Expanding
from .output import MaskProduct, Predictions, Trace, record
from .parts.encoder import tokens
from .parts.layers import MLP, Linear
from .parts.masked_decoder import MaskedDecoder


class Contracted(NamedTuple):
    """The encoder's maps, finest first, and the pictures, whose own pixels mask features are made of as well."""

    maps: list[Float[Tensor, "B _c _h _w"]]
    images: Float[Tensor, "B 3 H W"]


class HungarianUNet(MaskModel):
    """Down, through the transformer if there is one, and up. Lesson 18.

    Queries are output channels, whose classes are read from the pooled coarsest map; or, with ``masks="product"``,
    tokens among the cells of that map; or, with ``masks="decoder"``, they read all maps of the way up, each where its
    mask is, as Mask2Former's do.
    """

    def __init__(self, config: HungarianUNetConfig) -> None:
        super().__init__(config)
        c = config
        self.encoder = Contracting(c.base_channels, c.depth, c.norm, c.start_stride)
        coarsest = self.encoder.channels[-1]
        width, self.into, self.out_of = coarsest, nn.Identity(), nn.Identity()
        if c.transformer_layers:
            width = c.hidden_dim
            self.into, self.out_of = nn.Conv2d(coarsest, width, 1), nn.Conv2d(width, coarsest, 1)
        self.layers = nn.ModuleList(
            BertLayer(width, c.num_heads, c.ffn, c.dropout, pre_norm=True) for _ in range(c.transformer_layers)
        )
        self.decoder = Expanding(self.encoder.channels, c.norm)
        if c.masks == "channels":
            self.class_head = PooledClasses(width, c.num_queries, c.num_classes)
            self.mask_head = nn.Conv2d(c.base_channels, c.num_queries, kernel_size=1)
            return
        mask_dim = c.hidden_dim if c.masks == "decoder" else c.mask_dim
        if c.masks == "decoder":
            self.queries = nn.Embedding(c.num_queries, mask_dim)
            self.query_positions = nn.Embedding(c.num_queries, mask_dim)
            self.into_decoder = nn.ModuleList(nn.Conv2d(n, mask_dim, 1) for n in reversed(self.encoder.channels))
            self.masked_decoder = MaskedDecoder(
                mask_dim, c.num_heads, c.decoder_layers, c.ffn, c.num_classes, num_levels=c.depth + 1
            )
        else:
            self.queries = nn.Embedding(c.num_queries, width)
            self.norm = nn.LayerNorm(width)
            self.class_head = Linear(width, c.num_classes + 1)
            self.mask_head = MLP(width, width, mask_dim, num_layers=3)
            self.cell_features = nn.Conv2d(width, mask_dim, kernel_size=1)
        self.pixel_features = nn.Conv2d(c.base_channels, mask_dim * c.start_stride**2, kernel_size=1)
        self.sub_pixels = nn.PixelShuffle(c.start_stride)
        self.colors = nn.Conv2d(3, mask_dim, kernel_size=1, bias=False)

    @property
    def backbone(self) -> Contracting:
        """Nothing of it has seen ImageNet, so it learns at the full rate: a name for those who ask."""
        return self.encoder

    def encode(self, images: Float[Tensor, "B 3 H W"], trace: Trace | None = None) -> Contracted:
        """The way down."""
        return Contracted(self.encoder(images, trace), images)

    def read(
        self, features: Contracted, token: Tensor | None = None, *, every: bool = False, trace: Trace | None = None
    ) -> list[Predictions]:
        """Through the transformer and up; queries that are tokens, or have a decoder, also speak before each layer."""
        *finer, coarsest = features.maps
        cells = self.into(coarsest)
        if self.config.masks == "channels":
            cells = self.among_cells(cells)
            masks = self.mask_head(self.decoder([*finer, self.out_of(cells)], trace))
            return [Predictions(self.class_head(cells), masks)]
        if self.config.masks == "decoder":
            maps = self.decoder.every([*finer, self.out_of(self.among_cells(cells))], trace)
            return self.decode(maps, features.images, every, trace)
        queries, cells, predictions = self.among_queries(cells, features.images, trace)
        up = self.decoder([*finer, self.out_of(cells)], trace)
        masks = self.mask_features(up, features.images, trace)
        queries = self.norm(queries)
        predictions.append(Predictions(self.class_head(queries), MaskProduct(self.mask_head(queries), masks)))
        return predictions if every or trace is not None else predictions[-1:]

    def decode(
        self, maps: list[Float[Tensor, "B _c _h _w"]], images: Float[Tensor, "B 3 H W"], every: bool,
        trace: Trace | None,
    ) -> list[Predictions]:  # fmt: skip
        """The queries read the maps of the way up, coarsest first, again and again."""
        masks = self.mask_features(maps[-1], images, trace)
        queries = self.queries.weight.expand(images.shape[0], -1, -1)
        levels = [into(x) for into, x in zip(self.into_decoder, maps)]
        return self.masked_decoder(queries, self.query_positions.weight, levels, masks, every, trace)

    def mask_features(
        self, finest: Float[Tensor, "B _c h w"], images: Float[Tensor, "B 3 H W"], trace: Trace | None
    ) -> Float[Tensor, "B C H W"]:
        """What queries are multiplied with at each pixel: of the finest map, and the pixel's own colour."""
        masks = self.sub_pixels(self.pixel_features(finest)) + self.colors(images)
        record(trace, "pixel_decoder.{}", ("mask_features",), [masks])
        return masks

    def among_cells(self, cells: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C h w"]:
        """The layers, without queries."""
        if not len(self.layers):
            return cells
        values, positions = tokens(cells)
        x = values + positions
        for layer in self.layers:
            x, _ = layer(x)
        return as_map(x, (cells.shape[-2], cells.shape[-1]))

    def among_queries(
        self, cells: Float[Tensor, "B C h w"], images: Float[Tensor, "B 3 H W"], trace: Trace | None
    ) -> tuple[Float[Tensor, "B Q C"], Float[Tensor, "B C h w"], list[Predictions]]:
        """The layers, with the queries before the cells. Where the masks are that queries name before each, they may
        look in it."""
        count, grid = self.config.num_queries, (cells.shape[-2], cells.shape[-1])
        values, positions = tokens(cells)
        x = torch.cat([self.queries.weight.expand(values.shape[0], -1, -1), values + positions], dim=1)
        predictions = []
        for i, layer in enumerate(self.layers):
            normed = self.norm(x)
            predictions.append(self.coarse(normed[:, :count], as_map(normed, grid), images))
            region = region_of(predictions[-1].mask_logits.detach(), grid)
            x, weights = layer(x, trace is not None, allowed_among(region))
            if trace is not None:
                trace.record(f"decoder.layer{i}.attention", weights[:, :, :count, count:].unflatten(-1, grid))
                trace.record(f"decoder.layer{i}.attention_region", region)
                trace.record(f"decoder.layer{i}.queries", x[:, :count])
        return x[:, :count], as_map(x, grid), predictions

    def coarse(
        self, queries: Float[Tensor, "B Q C"], cells: Float[Tensor, "B C h w"], images: Float[Tensor, "B 3 H W"]
    ) -> Predictions:
        """Before the way up: masks as coarse as the cells, but for the pixels' own colours."""
        embedding = self.mask_head(queries)
        masks = torch.einsum("bqc,bchw->bqhw", embedding, self.cell_features(cells))
        colors = torch.einsum("bqc,bchw->bqhw", embedding @ self.colors.weight.flatten(1), images)
        return Predictions(self.class_head(queries), F.interpolate(masks, images.shape[-2:], mode="bilinear") + colors)

    def idle(self, images: int) -> Iterator[nn.Module]:
        """Also what makes features of masks that have no loss."""
        yield from super().idle(images)
        c = self.config
        if c.masks == "channels" or c.mask_weight or c.dice_weight:
            return
        yield from (self.pixel_features, self.colors)
        if c.masks == "product":
            yield from (self.decoder, self.out_of, self.cell_features)


def region_of(masks: Float[Tensor, "B Q H W"], grid: tuple[int, int]) -> Bool[Tensor, "B Q h w"]:
    """The cells of which a mask holds a pixel; every cell where it holds none. Sides are multiples of the grid's."""
    cell = masks.shape[-2] // grid[0], masks.shape[-1] // grid[1]
    inside = F.max_pool2d(masks, cell) > 0  # not the adaptive one, which PyTorch 2.10 cannot write as ONNX
    return inside | ~inside.flatten(2).any(-1)[..., None, None]


def allowed_among(region: Bool[Tensor, "B Q h w"]) -> Bool[Tensor, "B T T"]:
    """Which token may look at which: queries at each other and at the cells of their region, cells at everything."""
    batch, count = region.shape[:2]
    cells = region.flatten(2)
    bound = torch.cat([cells.new_ones(batch, count, count), cells], dim=2)
    return torch.cat([bound, bound.new_ones(batch, cells.shape[2], bound.shape[2])], dim=1)


class PooledClasses(nn.Module):
    """The class of every query from the mean of a map; ``weight`` [K + 1, Q, C]: its rows are classes."""

    def __init__(self, dim: int, queries: int, classes: int) -> None:
        super().__init__()
        start = nn.Linear(dim, (classes + 1) * queries)
        self.weight = nn.Parameter(start.weight.detach().unflatten(0, (classes + 1, queries)).clone())
        self.bias = nn.Parameter(start.bias.detach().unflatten(0, (classes + 1, queries)).clone())

    def forward(self, cells: Float[Tensor, "B C h w"]) -> Float[Tensor, "B Q K1"]:
        return torch.einsum("bc,kqc->bqk", cells.mean((-2, -1)), self.weight) + self.bias.T
