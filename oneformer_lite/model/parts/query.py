"""Task-conditioned queries: N-1 copies of the task token look at the picture, the token joins them.

Lesson 06. Paper section 3.1 and figure 2; official ``oneformer_transformer_decoder.py``
(``class_transformer``) and ``transformer.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..fast.dropout import Dropout
from ..output import Trace
from .layers import Attention, FeedForward, fan_in_uniform, sine_positions


class QueryLayer(nn.Module):
    """DETR's decoder layer: self-attention, cross-attention, feed-forward, all post-norm.

    Lesson 06.
    """

    def __init__(self, dim: int, heads: int, ffn: int, dropout: float) -> None:
        super().__init__()
        self.self_attention, self.cross_attention = (Attention(dim, heads, dropout) for _ in range(2))
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.feed_forward = FeedForward(dim, ffn, dropout)
        self.dropout = Dropout(dropout)

    def forward(
        self,
        x: Float[Tensor, "B N C"],
        query_positions: Float[Tensor, "N C"],
        keys: Float[Tensor, "B S C"],
        values: Float[Tensor, "#B S C"],
        need_weights: bool,
        allowed: Bool[Tensor, "#B #N S"] | None = None,
    ) -> tuple[Float[Tensor, "B N C"], Tensor | None]:
        """``allowed``: the keys that are picture, not padding, of a model that pads and tells them apart."""
        y = x + query_positions
        x = self.norm1(x + self.dropout(self.self_attention(y, y, x)[0]))
        update, weights = self.cross_attention(x + query_positions, keys, values, allowed, need_weights)
        x = self.norm2(x + self.dropout(update))
        return self.feed_forward(x), weights


def read_from_zeros(
    layers: Iterable[nn.Module],
    query_positions: Float[Tensor, "Q C"],
    keys: Float[Tensor, "B S C"],
    values: Float[Tensor, "B S C"],
    grid: tuple[int, int],
    trace: Trace | None = None,
    allowed: Bool[Tensor, "#B #N S"] | None = None,
) -> list[Float[Tensor, "B Q C"]]:
    """DETR's decoder: queries that start as zeros, and differ by their positions alone, read a map of S = h x w places
    (``grid``) layer by layer. The queries after each layer."""
    x = query_positions.new_zeros(keys.shape[0], *query_positions.shape)
    found = []
    for i, layer in enumerate(layers):
        x, weights = layer(x, query_positions, keys, values, trace is not None, allowed)
        if trace is not None:
            trace.record(f"decoder.layer{i}.attention", weights.unflatten(-1, grid))
            trace.record(f"decoder.layer{i}.queries", x)
        found.append(x)
    return found


def idle_with_zeros(layers: Iterable[QueryLayer], num_queries: int) -> Iterator[nn.Module]:
    """What learns nothing where queries start as zeros: the first self-attention, whose values are its bias, whoever
    attends to whom; and what a single query has nobody to attend to with."""
    first, *others = (layer.self_attention for layer in layers)
    yield from (first.q_proj, first.k_proj, first.v_proj)
    for attention in others if num_queries == 1 else ():
        yield from (attention.q_proj, attention.k_proj)


class QueryTransformer(nn.Module):
    """Task tokens and 1/4 features to object queries [B, Q, C], the token itself last.

    ``values="positions"`` is what every released checkpoint was trained with: the official code calls
    its transformer with picture features and position map swapped, so the keys are their sum but the
    values carry positions alone. ``"positions+features"`` is what the paper describes.

    ``start``: the queries begin as the "task" token, or as "zeros".

    Lesson 06.
    """

    def __init__(
        self, dim: int, heads: int, layers: int, ffn: int, dropout: float, values: str, start: str = "task"
    ) -> None:
        super().__init__()
        self.starts_as_zeros = start == "zeros"
        self.values_with_features = values == "positions+features"
        self.feature_projection = fan_in_uniform(nn.Conv2d(dim, dim, kernel_size=1))
        self.layers = nn.ModuleList(QueryLayer(dim, heads, ffn, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)

    def forward(
        self,
        task_token: Float[Tensor, "B C"],
        query_positions: Float[Tensor, "Q C"],
        mask_features: Float[Tensor, "B C h w"],
        trace: Trace | None = None,
    ) -> Float[Tensor, "B Q C"]:
        """``task_token`` comes normalised; ``query_positions`` are learned, the last one the token's own."""
        features = self.feature_projection(mask_features).flatten(2).transpose(1, 2)  # [B, S, C]
        height, width = mask_features.shape[-2:]
        positions = sine_positions(height, width, features.shape[-1], features.device)
        positions = positions.flatten(1).T.to(features.dtype)[None]  # [1, S, C], the same for every picture
        keys = positions + features
        values = keys if self.values_with_features else positions
        others = query_positions[:-1]  # the last position belongs to the token itself
        x = task_token[:, None].expand(-1, len(others), -1)
        x = torch.zeros_like(x) if self.starts_as_zeros else x
        for i, layer in enumerate(self.layers):
            x, weights = layer(x, others, keys, values, need_weights=trace is not None)
            if trace is not None:
                trace.record(f"query.layer{i}.attention", weights.unflatten(-1, (height, width)))
        return torch.cat([self.norm(x), task_token[:, None]], dim=1)
