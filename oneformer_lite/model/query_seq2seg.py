"""Seq2Seg with object queries, whole: learned tokens before the patches, each of which becomes a class and a mask.

DETR without its decoder: queries and patches are one sequence, and all that a query learns of the picture it learns in
the layers of the encoder.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..config import QuerySeq2SegConfig
from .base import MaskModel
from .networks.bert import Bert, as_map
from .output import MaskProduct, Predictions, Trace, record
from .parts.layers import Linear


class Patches(NamedTuple):
    """Embedded patches, row by row, and how many rows and columns of them there are."""

    values: Float[Tensor, "B S C"]
    grid: tuple[int, int]


class QuerySeq2Seg(MaskModel):
    """Queries and patches through BERT; then only what became of the queries counts, or of the patches for the masks.

    Nothing but their learned start tells queries apart (and, with ``query_positions``, their place in the sequence), so
    each comes to stand for a place in the picture. Lesson 18.
    """

    first_prediction = 1

    def __init__(self, config: QuerySeq2SegConfig) -> None:
        super().__init__(config)
        c = config
        self.encoder = Bert(
            c.hidden_dim, c.num_heads, c.encoder_layers, c.encoder_ffn, c.encoder_dropout, c.patch_size, c.grid,
            c.max_positions,
        )  # fmt: skip
        self.queries = nn.Embedding(c.num_queries, c.hidden_dim)
        self.class_head = Linear(c.hidden_dim, c.num_classes + 1)
        heads = {"linear": WholeMasks, "attention": AttentionMasks, "product": ProductMasks}
        self.mask_head = heads[c.masks](c)

    @property
    def backbone(self) -> Bert:
        """Nothing of it has seen ImageNet, so it learns at the full rate: a name for those who ask."""
        return self.encoder

    def encode(self, images: Float[Tensor, "B 3 H W"], trace: Trace | None = None) -> Patches:
        """Patches alone: the queries have not met them yet."""
        return Patches(*self.encoder(images, self.config.num_queries if self.config.query_positions else 0))

    def read(
        self, features: Patches, token: Tensor | None = None, *, every: bool = False, trace: Trace | None = None
    ) -> list[Predictions]:
        """One prediction, of the last states: no layer before can speak."""
        patches, grid = features
        queries = self.start().expand(patches.shape[0], -1, -1)
        count = queries.shape[1]
        record(trace, "query.{}", ("object_queries",), [queries])
        states, weights = self.encoder.hidden_states(torch.cat([queries, patches], dim=1), trace is not None)
        record(trace, "encoder.layer{}", range(len(states)), [as_map(state, grid) for state in states])
        record(trace, "decoder.layer{}.queries", range(len(weights)), [state[:, :count] for state in states[1:]])
        maps = [w[:, :, :count, count:].unflatten(-1, grid) for w in weights]
        record(trace, "decoder.layer{}.attention", range(len(maps)), maps)
        queries, cells = states[-1][:, :count], as_map(states[-1], grid)
        return [Predictions(self.class_head(queries), self.mask_head(queries, cells))]

    def start(self) -> Float[Tensor, "1 Q C"]:
        """The queries as they enter the first layer, embedded like patches."""
        rows = self.queries.weight[None]
        positions = self.encoder.positions.weight[: rows.shape[1]] if self.config.query_positions else 0.0
        return self.encoder.embed(rows, positions)


class WholeMasks(nn.Module):
    """A query's whole mask by one linear layer."""

    def __init__(self, c: QuerySeq2SegConfig) -> None:
        super().__init__()
        self.side = c.mask_size
        self.linear = Linear(c.hidden_dim, c.mask_size**2)

    def forward(self, queries: Float[Tensor, "B Q C"], cells: Float[Tensor, "B C h w"]) -> Float[Tensor, "B Q h2 w2"]:
        return self.linear(queries).unflatten(-1, (self.side, self.side))


class AttentionMasks(nn.Module):
    """Where a query would look: its scores for each patch before any softmax, of all heads, mixed by a linear layer."""

    def __init__(self, c: QuerySeq2SegConfig) -> None:
        super().__init__()
        self.num_heads = c.num_heads
        self.q_proj, self.k_proj = Linear(c.hidden_dim, c.hidden_dim), Linear(c.hidden_dim, c.hidden_dim)
        self.mix = Linear(c.num_heads, 1)

    def forward(self, queries: Float[Tensor, "B Q C"], cells: Float[Tensor, "B C h w"]) -> Float[Tensor, "B Q h w"]:
        keys = self.k_proj(cells.flatten(2).transpose(1, 2))
        q, k = (x.unflatten(-1, (self.num_heads, -1)) for x in (self.q_proj(queries), keys))
        scores = torch.einsum("bqmd,bsmd->bqsm", q / math.sqrt(q.shape[-1]), k)
        return self.mix(scores)[..., 0].unflatten(-1, cells.shape[-2:])


class ProductMasks(nn.Module):
    """An embedding of each query times features of each pixel, which a transposed convolution makes of its patch."""

    def __init__(self, c: QuerySeq2SegConfig) -> None:
        super().__init__()
        self.embed = Linear(c.hidden_dim, c.mask_dim)
        self.pixels = nn.ConvTranspose2d(c.hidden_dim, c.mask_dim, c.patch_size, stride=c.patch_size)

    def forward(self, queries: Float[Tensor, "B Q C"], cells: Float[Tensor, "B C h w"]) -> MaskProduct:
        return MaskProduct(self.embed(queries), self.pixels(cells))
