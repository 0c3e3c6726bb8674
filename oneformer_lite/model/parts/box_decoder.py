"""Queries that read the picture at points in and around their box, and refine it layer by layer.

Liu et al., "DAB-DETR" (ICLR 2022), section 4.1; Zhang et al., "DINO" (ICLR 2023), section 3.5 ("look forward twice");
Li et al., "Mask DINO" (CVPR 2023), figure 2; official ``dino_decoder.py`` and ``maskdino_decoder.py``.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..fast.dropout import Dropout
from ..output import MaskProduct, Predictions, Trace, record
from .boxes import box_head, box_positions, refined
from .deformable_attention import DeformableAttention, Shapes
from .layers import MLP, Attention, FeedForward, Linear, prior_logit


class BoxDecoderLayer(nn.Module):
    """Self-attention, deformable attention around the queries' own places or within their boxes, feed-forward, all
    post-norm."""

    def __init__(self, dim: int, heads: int, levels: int, points: int, ffn: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.self_attention = Attention(dim, heads, dropout)
        self.cross_attention = DeformableAttention(dim, heads, levels, points)
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.feed_forward = FeedForward(dim, ffn, dropout)
        self.dropout = Dropout(dropout)

    def forward(
        self,
        x: Float[Tensor, "B Q C"],
        positions: Float[Tensor, "*_b Q C"],
        reference: Float[Tensor, "B Q _xy"],
        memory: Float[Tensor, "B S C"],
        shapes: Shapes,
        allowed: Bool[Tensor, "#B #Q Q"] | None = None,
    ) -> Float[Tensor, "B Q C"]:
        """``allowed``: which query may look at which other; at any if not given."""
        y = x + positions
        x = self.norm1(x + self.dropout(self.self_attention(y, y, x, allowed)[0]))
        x = self.norm2(x + self.dropout(self.cross_attention(x + positions, reference, memory, shapes)))
        return self.feed_forward(x)


class BoxDecoder(nn.Module):
    """Content and box of each query to classes, masks and boxes, before the first layer and after each.

    One ``box_head`` is shared by all layers (and by query selection). What it says of a layer's queries moves their
    boxes, for the next layer to look into; what it says of their normalised form is that layer's prediction, and starts
    from the box that the layer before has moved, so that each layer learns from two losses ("look forward twice").

    ``no_object``: whether that is one more class, with which all share a softmax, or each class has a sigmoid of its
    own. ``class_prior``: the probability that each class starts with; 0: as a linear layer starts, near one half.

    In the weights' precision whatever the rest computes in, as published.
    """

    def __init__(
        self, dim: int, heads: int, layers: int, ffn: int, levels: int, points: int, classes: int, no_object: bool,
        class_prior: float,
    ) -> None:  # fmt: skip
        super().__init__()
        self.dim, self.no_object = dim, no_object
        self.layers = nn.ModuleList(BoxDecoderLayer(dim, heads, levels, points, ffn) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        self.position_head = MLP(2 * dim, dim, dim, num_layers=2)
        for linear in self.position_head.layers:
            nn.init.xavier_uniform_(linear.weight)
        self.class_head = Linear(dim, classes + no_object)
        if class_prior:
            nn.init.constant_(self.class_head.bias, prior_logit(class_prior))
        self.mask_head = MLP(dim, dim, dim, num_layers=3)
        self.box_head = box_head(dim)

    def forward(
        self,
        content: Float[Tensor, "B Q C"],
        box_logits: Float[Tensor, "B Q 4"],
        memory: Float[Tensor, "B S C"],
        shapes: Shapes,
        mask_features: Float[Tensor, "B C h w"],
        allowed: Bool[Tensor, "#B #Q Q"] | None = None,
        trace: Trace | None = None,
    ) -> list[Predictions]:
        """``memory``: all maps as one row of places, coarsest first."""
        dtype = self.class_head.weight.dtype
        with torch.autocast(memory.device.type, enabled=False):
            x, logits, memory = (tensor.to(dtype) for tensor in (content, box_logits, memory))
            before = box = logits.sigmoid()  # the former with its gradient
            predictions = [self.predict(x, box, mask_features)]
            for i, layer in enumerate(self.layers):
                record(trace, "decoder.layer{}.boxes", [i], [box])
                positions = self.position_head(box_positions(box, self.dim).to(x.dtype))
                x = layer(x, positions, box, memory, shapes, allowed)
                normed = self.norm(x)
                predictions.append(self.predict(normed, refined(before, self.box_head(normed)), mask_features))
                before = refined(box, self.box_head(x))
                box = before.detach()
                record(trace, "decoder.layer{}.queries", [i], [x])
        return predictions

    def predict(
        self, x: Float[Tensor, "B Q C"], boxes: Float[Tensor, "B Q 4"], mask_features: Float[Tensor, "B C h w"]
    ) -> Predictions:
        """Classes and masks of queries, which are normalised for it (once more after a layer, as published)."""
        normed = self.norm(x)
        masks = MaskProduct(self.mask_head(normed), mask_features)
        return Predictions(self.class_head(normed), masks, no_object=self.no_object, boxes=boxes)
