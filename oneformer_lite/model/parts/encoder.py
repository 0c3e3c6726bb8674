"""The plain transformer encoder: all positions of a map exchange what they know.

Carion et al., "DETR" (ECCV 2020), appendix A.3; official MaskFormer ``modeling/transformer/transformer.py``.
"""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..fast.dropout import Dropout
from ..output import Trace
from .layers import Attention, FeedForward, sine_positions


class EncoderLayer(nn.Module):
    """DETR's encoder layer: self-attention, feed-forward, both post-norm. Positions belong to queries and keys, never
    to values."""

    def __init__(self, dim: int, heads: int, ffn: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(dim, heads, dropout)
        self.norm = nn.LayerNorm(dim)
        self.feed_forward = FeedForward(dim, ffn, dropout)
        self.dropout = Dropout(dropout)

    def forward(
        self,
        x: Float[Tensor, "B S C"],
        positions: Float[Tensor, "*b S C"],
        allowed: Bool[Tensor, "#B #S S"] | None = None,
    ) -> Float[Tensor, "B S C"]:
        """``allowed``: the tokens that are picture, not padding, of a model that tells them apart."""
        y = x + positions
        return self.feed_forward(self.norm(x + self.dropout(self.attention(y, y, x, allowed)[0])))


class Encoder(nn.Module):
    """Layers of it over one map, which keeps its shape; without layers it passes through."""

    def __init__(self, dim: int, heads: int, layers: int, ffn: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(dim, heads, ffn, dropout) for _ in range(layers))

    def forward(self, features: Float[Tensor, "B C h w"], trace: Trace | None = None) -> Float[Tensor, "B C h w"]:
        x, positions = tokens(features)
        for i, layer in enumerate(self.layers):
            x = layer(x, positions)
            if trace is not None:
                trace.record(f"encoder.layer{i}", x.transpose(1, 2).unflatten(2, features.shape[-2:]))
        return x.transpose(1, 2).unflatten(2, features.shape[-2:])


def tokens(features: Float[Tensor, "B C h w"]) -> tuple[Float[Tensor, "B S C"], Float[Tensor, "S C"]]:
    """The places of a map in a row, and the position of each."""
    height, width = features.shape[-2:]
    positions = sine_positions(height, width, features.shape[1], features.device)
    return features.flatten(2).transpose(1, 2), positions.flatten(1).T.to(features.dtype)
