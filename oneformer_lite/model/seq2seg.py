"""Seq2Seg, whole: the picture's patches through BERT, and back to pixels. It knows no queries.

A plain transformer of language, asked whether it can segment at all: patches are its words, what all layers say of a
patch is summed, and a transposed convolution writes each patch's pixels, without a look at its neighbours. (SETR, CVPR
2021, asked the same at the same time.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from ..config import Seq2SegConfig
from .base import MaskModel
from .networks.bert import Bert, as_map
from .output import Predictions, Trace, record
from .parts.class_maps import PatchHead, of_classes


class Seq2Seg(MaskModel):
    """Patches to tokens, tokens through the layers, the sum of their hidden states to a map of patches, to pixels.

    Lesson 18.
    """

    def __init__(self, config: Seq2SegConfig) -> None:
        super().__init__(config)
        c = config
        self.encoder = Bert(
            c.hidden_dim, c.num_heads, c.encoder_layers, c.encoder_ffn, c.encoder_dropout, c.patch_size, c.grid,
            c.max_positions,
        )  # fmt: skip
        self.class_head = PatchHead(c.hidden_dim, c.num_classes, c.patch_size)

    @property
    def backbone(self) -> Bert:
        """Nothing of it has seen ImageNet, so it learns at the full rate: a name for those who ask."""
        return self.encoder

    def encode(self, images: Float[Tensor, "B 3 H W"], trace: Trace | None = None) -> Float[Tensor, "B C h w"]:
        """What the layers say of each patch."""
        x, grid = self.encoder(images)
        states, _ = self.encoder.hidden_states(x)
        record(trace, "encoder.layer{}", range(len(states)), [as_map(state, grid) for state in states])
        return as_map(self.summed(states), grid)

    def summed(self, states: Sequence[Float[Tensor, "B S C"]]) -> Float[Tensor, "B S C"]:
        """Of what entered the first layer and what left each: the sum, or the last alone."""
        if self.config.hidden_states == "last":
            return states[-1]
        return sum(states if self.config.sum_embeddings else states[1:])

    def read(
        self, features: Float[Tensor, "B C h w"], token: Tensor | None = None, *, every: bool = False,
        trace: Trace | None = None,
    ) -> list[Predictions]:  # fmt: skip
        """One mask for each class, patch by patch."""
        return [of_classes(self.class_head(features), self.config.mask_loss)]

    def idle(self, images: int) -> Iterator[nn.Module]:
        """Nothing: the class head makes the masks, and there is no loss of classes."""
        return iter(())
