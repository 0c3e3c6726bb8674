"""Query selection: of all places of all maps those that look most like a segment become the queries.

Zhu et al., "Deformable DETR" (ICLR 2021), appendix A.4 ("two-stage"); Li et al., "Mask DINO" (CVPR 2023), section 3.4;
official ``maskdino_decoder.py`` and ``gen_encoder_output_proposals``.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ...errors import ConfigError
from ..fast.cached import remembered
from .deformable_attention import Shapes
from .layers import Linear
from .pixel_decoder import reference_points

_SIDE = 0.05  # of the smallest proposals, in shares of the picture
_MARGIN = 0.01  # proposals that come nearer to 0 or 1 are none


class Selected(NamedTuple):
    """The queries' content, still with its gradient, the logits of their boxes, and the places that they come from."""

    content: Float[Tensor, "B Q C"]
    box_logits: Float[Tensor, "B Q 4"]
    places: Int[Tensor, "B Q"]


@remembered
def proposals(
    shapes: tuple[tuple[int, int], ...], sizes: str, device: torch.device | str = "cpu"
) -> tuple[Float[Tensor, "S 4"], Bool[Tensor, "S"]]:
    """A box around the centre of each place of each map (coarsest first), as logits, and which of them count.

    Their sides double from level to level: with ``sizes`` "dino" from the finest map on, so that fine places propose
    small boxes. The released models with wide encoders count from the coarsest ("released"), so that the finest places
    propose boxes of 0.4 (or 0.8) of the picture: they have learned to shrink them. Boxes of which a number is within
    0.01 of 0 or 1, as those of a large map's border, do not count: their logits are infinite, which is a box of 1.
    """
    levels = range(len(shapes)) if sizes == "released" else reversed(range(len(shapes)))
    sides = [torch.full((h * w, 2), _SIDE * 2.0**level) for level, (h, w) in zip(levels, shapes)]
    boxes = torch.cat([reference_points(shapes), torch.cat(sides)], dim=1)
    counts = ((boxes > _MARGIN) & (boxes < 1 - _MARGIN)).all(1)
    return boxes.logit().masked_fill(~counts[:, None], float("inf")).to(device), counts.to(device)


class QuerySelection(nn.Module):
    """The places whose surest class is surest of all, with a box each that starts from their proposal."""

    def __init__(self, dim: int, queries: int, sizes: str) -> None:
        super().__init__()
        self.queries, self.sizes = queries, sizes
        self.projection, self.norm = Linear(dim, dim), nn.LayerNorm(dim)

    def forward(
        self, memory: Float[Tensor, "B S C"], shapes: Shapes, class_head: nn.Module, box_head: nn.Module, classes: int
    ) -> Selected:
        """``class_head`` and ``box_head`` are the decoder's; of what the former says the first ``classes`` count."""
        if memory.shape[1] < self.queries:
            raise ConfigError(
                f"the maps of a picture of this size have {memory.shape[1]} places in all ({shapes}), of which "
                f"{self.queries} are to become queries: take larger pictures, or set num_queries to at most "
                f"{memory.shape[1]}"
            )
        boxes, counts = proposals(tuple(shapes), self.sizes, memory.device)
        found = self.norm(self.projection(memory.masked_fill(~counts[:, None], 0)))
        likeliest = class_head(found)[..., :classes].amax(-1)
        best = likeliest.topk(self.queries, dim=1).indices  # [B, Q]
        content = found.gather(1, best[..., None].expand(-1, -1, found.shape[-1]))
        return Selected(content, box_head(content) + boxes.to(memory.dtype)[best], best)
