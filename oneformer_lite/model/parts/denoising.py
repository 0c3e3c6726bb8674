"""Denoising: queries that start from the truth, made wrong, and have to find back. They are there in training alone.

Which of them answers for which mask is known, so they learn from the first step on, whatever the matching does. Li et
al., "DN-DETR" (CVPR 2022); Li et al., "Mask DINO" (CVPR 2023), section 3.4; official ``maskdino_decoder.py``
(``prepare_for_dn``).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ...data.targets import Targets
from .boxes import boxes_of, inverse_sigmoid


class Noised(NamedTuple):
    """``groups`` times all masks of each image, as queries: N = groups x ``most`` of them, for the most masks that an
    image has; queries beyond an image's own have no content and a box in the middle."""

    content: Float[Tensor, "B N C"]
    box_logits: Float[Tensor, "B N 4"]
    groups: int
    most: int

    def slices(self) -> list[slice]:
        """The queries of each group."""
        return [slice(start, start + self.most) for start in range(0, self.groups * self.most, self.most)]

    def allowed(self, queries: int) -> Bool[Tensor, "T T"]:
        """Who may look at whom, of N denoising and then ``queries`` other queries: all at the others, and those of one
        group at each other. So the others know nothing of the truth, and answer as if no denoising query were there."""
        of_group = torch.arange(self.groups, device=self.content.device).repeat_interleave(self.most)
        group = torch.cat([of_group, of_group.new_full((queries,), -1)])
        return (group[:, None] == group) | (group == -1)


class Denoising(nn.Module):
    """The truth of a batch as noised queries: a label, sometimes another one, as content, and a shaken box.

    About ``queries`` of them in all, in as many groups as fit; where an image has more masks than that, or none has
    any, there are none. A label is exchanged for a random one with probability ``noise`` / 2; a box's centre moves by
    up to ``noise`` of half its sides, its sides grow or shrink by up to ``noise`` of themselves.
    """

    def __init__(self, dim: int, classes: int, queries: int, noise: float) -> None:
        super().__init__()
        self.queries, self.noise = queries, noise
        self.class_table = nn.Embedding(classes, dim)

    def forward(self, targets: list[Targets]) -> Noised | None:
        counts = [len(target) for target in targets]
        most = max(counts, default=0)
        groups = self.queries // most if most else 0
        if not groups:
            return None
        labels = torch.cat([target.labels for target in targets]).repeat(groups)
        boxes = torch.cat([boxes_of(target, with_padding=True) for target in targets]).repeat(groups, 1)
        image = torch.cat([torch.full((n,), b) for b, n in enumerate(counts)]).repeat(groups)
        place = torch.cat([torch.arange(n) for n in counts])
        place = torch.cat([place + most * group for group in range(groups)])
        labels = self._exchanged(labels)
        content = self.class_table.weight.new_zeros(len(targets), groups * most, self.class_table.embedding_dim)
        box_logits = boxes.new_zeros(len(targets), groups * most, 4)
        where = image.to(labels.device), place.to(labels.device)
        content = content.index_put(where, self.class_table(labels))
        box_logits = box_logits.index_put(where, inverse_sigmoid(self._shaken(boxes)))
        return Noised(content, box_logits.to(content.dtype), groups, most)

    def _exchanged(self, labels: Int[Tensor, "N"]) -> Int[Tensor, "N"]:
        exchanged = torch.rand(labels.shape, device=labels.device) < self.noise / 2
        others = torch.randint(0, self.class_table.num_embeddings, labels.shape, device=labels.device)
        return torch.where(exchanged, others, labels)

    def _shaken(self, boxes: Float[Tensor, "N 4"]) -> Float[Tensor, "N 4"]:
        reach = torch.cat([boxes[:, 2:] / 2, boxes[:, 2:]], dim=1)
        return (boxes + (2 * torch.rand_like(boxes) - 1) * reach * self.noise).clamp(0, 1)
