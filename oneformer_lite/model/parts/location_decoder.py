"""Queries that find a place: first a point, then a box that each layer refines.

Zhu et al., "Deformable DETR" (ICLR 2021), section 4 and appendix A.4 ("iterative bounding box refinement"); official
``models/deformable_transformer.py`` and ``panformer/panformer_head.py``.
"""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from ..fast.linear import Linear
from ..output import Trace
from .box_decoder import BoxDecoderLayer
from .boxes import box_head, refined
from .deformable_attention import Shapes
from .layers import prior_logit

PRIOR = 0.01  # the probability with which a class starts


class LocationLayer(BoxDecoderLayer):
    """A layer that says a class, and a step for the box."""

    def __init__(
        self, dim: int, heads: int, levels: int, points: int, ffn: int, dropout: float, num_classes: int
    ) -> None:
        super().__init__(dim, heads, levels, points, ffn, dropout)
        self.class_head = prior_classes(dim, num_classes)
        self.box_head = box_head(dim)


class Located(NamedTuple):
    """What queries are after a layer, what they say, and the box that they have moved to."""

    queries: Float[Tensor, "B Q C"]
    class_logits: Float[Tensor, "B Q K"]
    boxes: Float[Tensor, "B Q 4"]


class LocationDecoder(nn.Module):
    """Each query starts at a point that follows from its position, and says a box from there; each later layer looks
    into the box of the one before, and moves it. No gradient goes from a box to the layers before it."""

    def __init__(
        self, dim: int, heads: int, layers: int, levels: int, points: int, ffn: int, dropout: float, num_classes: int
    ) -> None:
        super().__init__()
        self.reference_points = Linear(dim, 2)
        nn.init.xavier_uniform_(self.reference_points.weight)
        nn.init.zeros_(self.reference_points.bias)
        self.layers = nn.ModuleList(
            LocationLayer(dim, heads, levels, points, ffn, dropout, num_classes) for _ in range(layers)
        )
        nn.init.constant_(self.layers[0].box_head.layers[-1].bias[2:], -2.0)  # boxes start small: an eighth of a side

    def forward(
        self,
        queries: Float[Tensor, "Q C"],
        positions: Float[Tensor, "Q C"],
        memory: Float[Tensor, "B S C"],
        shapes: Shapes,
        trace: Trace | None = None,
    ) -> list[Located]:
        """After each layer."""
        x = queries.expand(memory.shape[0], -1, -1)
        reference = self.reference_points(positions).sigmoid().expand(memory.shape[0], -1, -1)
        found = []
        for i, layer in enumerate(self.layers):
            if trace is not None:
                trace.record(f"location.layer{i}.reference", reference)
            x = layer(x, positions, reference, memory, shapes)
            boxes = refined(reference, layer.box_head(x))
            found.append(Located(x, layer.class_head(x), boxes))
            reference = boxes.detach()
        return found


def prior_classes(dim: int, num_classes: int) -> Linear:
    """A class head whose sigmoids start at :data:`PRIOR`: nearly all queries are nearly always none of a class."""
    head = Linear(dim, num_classes)
    nn.init.constant_(head.bias, prior_logit(PRIOR))
    return head
