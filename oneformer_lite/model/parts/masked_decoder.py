"""The masked-attention decoder: each query reads the picture only where it already sees its mask.

Lesson 10. Cheng et al., "Masked-attention Mask Transformer" (CVPR 2022) section 3.2; official
``oneformer_transformer_decoder.py``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..fast.linear import Linear
from ..output import MaskProduct, Predictions, Trace
from .denoising import Noised
from .layers import MLP, Attention, FeedForward, sine_positions


class DecoderLayer(nn.Module):
    """Masked cross-attention, self-attention, feed-forward, all post-norm, without dropout.

    Lesson 10.
    """

    def __init__(self, dim: int, heads: int, ffn: int) -> None:
        super().__init__()
        self.cross_attention, self.self_attention = Attention(dim, heads), Attention(dim, heads)
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.feed_forward = FeedForward(dim, ffn)

    def forward(
        self,
        x: Float[Tensor, "B Q C"],
        query_positions: Float[Tensor, "Q C"],
        keys: Float[Tensor, "B S C"],
        values: Float[Tensor, "B S C"],
        allowed: Bool[Tensor, "B Q S"],
        need_weights: bool,
        among: Bool[Tensor, "1 Q Q"] | None = None,
        sees: Bool[Tensor, "B Q 1"] | None = None,
    ) -> tuple[Float[Tensor, "B Q C"], Tensor | None]:
        """``allowed``: which places a query may look at; ``among``: which other queries, all of them if not given;
        ``sees``: whether it gets anything from the picture, as all do if not given."""
        update, weights = self.cross_attention(x + query_positions, keys, values, allowed, need_weights)
        update = update if sees is None else update * sees
        x = self.norm1(x + update)
        y = x + query_positions
        x = self.norm2(x + self.self_attention(y, y, x, among)[0])
        return self.feed_forward(x), weights


def attention_region(mask_logits: Float[Tensor, "B Q S"]) -> Bool[Tensor, "B Q S"]:
    """Where each query may look: its own mask, or everywhere if that is empty.

    The rescue matters: softmax over nothing is not a number, and a query that lost its mask once
    would stay blind for ever.

    Lesson 10.
    """
    return or_everywhere(mask_logits.detach() >= 0)  # sigmoid >= 0.5


def or_everywhere(region: Bool[Tensor, "B Q S"]) -> Bool[Tensor, "B Q S"]:
    """The regions, with all places for those that have none."""
    return region | ~region.any(dim=-1, keepdim=True)


class MaskedDecoder(nn.Module):
    """Queries, feature maps and mask features to class and mask logits, before and after each layer.

    The layers take the maps at strides 32, 16, 8 in turn. Between two layers only the attention
    region is needed, at the size of the next map: resizing is linear, so the mask *features* are
    resized once per level and contracted with the queries, instead of resizing every mask.

    To see what they are worth, queries may look everywhere (``masked`` is False), or see nothing where their mask is
    empty (``rescue`` is False).

    Lesson 10.
    """

    def __init__(
        self, dim: int, heads: int, layers: int, ffn: int, num_classes: int, num_levels: int = 3, *,
        masked: bool = True, rescue: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_levels, self.masked, self.rescue = num_levels, masked, rescue
        self.layers = nn.ModuleList(DecoderLayer(dim, heads, ffn) for _ in range(layers))
        self.level_embed = nn.Embedding(num_levels, dim)
        self.norm = nn.LayerNorm(dim)  # shared with the task token
        self.class_head = Linear(dim, num_classes + 1)
        self.mask_head = MLP(dim, dim, dim, num_layers=3)

    def forward(
        self,
        queries: Float[Tensor, "B Q C"],
        query_positions: Float[Tensor, "Q C"],
        maps: list[Float[Tensor, "B C _h _w"]],
        mask_features: Float[Tensor, "B C h w"],
        all_predictions: bool,
        trace: Trace | None = None,
        noised: Noised | None = None,
    ) -> list[Predictions]:
        """Predictions before the first layer and after each: all of them (training, ``trace``) or the last alone.

        ``maps`` are those of the pixel decoder, coarsest first. In training ``noised`` queries may come first, which
        look where the truth is; a trace does not tell of them.
        """
        levels = [self._level(i, m, mask_features) for i, m in enumerate(maps)]
        x, among, first, predictions = queries, None, 0, []
        if noised is not None:
            first, among = noised.count, noised.allowed(queries.shape[1])[None]
            x = torch.cat([noised.content.to(x), x], dim=1)
            query_positions = F.pad(query_positions, (0, 0, first, 0))  # they have none
        for i, layer in enumerate(self.layers):
            keys, values, small_features = levels[i % self.num_levels]
            shape = maps[i % self.num_levels].shape[-2:]
            normed = self.norm(x)
            mask_embed = self.mask_head(normed)
            if all_predictions or trace is not None:
                predictions.append(self.predict(normed, mask_embed, mask_features))
            allowed, sees = self.region(mask_embed[:, first:].detach() @ small_features)
            if noised is not None:
                allowed = torch.cat([or_everywhere(noised.masks.at(shape)), allowed], dim=1)
                sees = None if sees is None else F.pad(sees, (0, 0, first, 0), value=True)
            x, weights = layer(x, query_positions, keys, values, allowed, trace is not None, among, sees)
            if trace is not None:
                trace.record(f"decoder.layer{i}.attention_region", allowed[:, first:].unflatten(-1, shape))
                trace.record(f"decoder.layer{i}.attention", weights[:, :, first:].unflatten(-1, shape))
                trace.record(f"decoder.layer{i}.queries", x[:, first:])
        normed = self.norm(x)
        predictions.append(self.predict(normed, self.mask_head(normed), mask_features))
        if trace is not None:
            trace.record_predictions([p.of(slice(first, None)) for p in predictions] if first else predictions)
        return predictions

    def region(
        self, mask_logits: Float[Tensor, "B Q S"]
    ) -> tuple[Bool[Tensor, "B Q S"], Bool[Tensor, "B Q 1"] | None]:
        """Where each query may look, and which see anything at all; None: every one."""
        if not self.masked:
            return torch.ones_like(mask_logits, dtype=torch.bool), None
        sees = None if self.rescue else (mask_logits.detach() >= 0).any(dim=-1, keepdim=True)
        return attention_region(mask_logits), sees

    def predict(
        self,
        normed: Float[Tensor, "B Q C"],
        mask_embed: Float[Tensor, "B Q C"],
        mask_features: Float[Tensor, "B C h w"],
    ) -> Predictions:
        """Classes by a linear layer; masks by a dot product of each query with each pixel, taken when it is read."""
        return Predictions(self.class_head(normed), MaskProduct(mask_embed, mask_features))

    def _level(
        self, level: int, features: Float[Tensor, "B C h w"], mask_features: Float[Tensor, "B C h4 w4"]
    ) -> tuple[Float[Tensor, "B S C"], Float[Tensor, "B S C"], Float[Tensor, "B C S"]]:
        """Keys and values of a level, and the mask features at its size."""
        height, width = features.shape[-2:]
        positions = sine_positions(height, width, features.shape[1], features.device)
        values = features.flatten(2).transpose(1, 2) + self.level_embed.weight[level]
        keys = values + positions.flatten(1).T.to(values.dtype)
        small = F.interpolate(mask_features.detach(), size=(height, width), mode="bilinear", align_corners=False)
        return keys, values, small.flatten(2)
