"""Denoising: queries that start from the truth, made wrong, and have to find back. They are there in training alone.

Which of them answers for which mask is known, so they learn from the first step on, whatever the matching does. Li et
al., "DN-DETR" (CVPR 2022); with boxes: Li et al., "Mask DINO" (CVPR 2023), section 3.4, official
``maskdino_decoder.py`` (``prepare_for_dn``); with masks: Zhang et al., "MP-Former" (CVPR 2023), official
``mask2former_transformer_decoder.py`` (``MultiScaleMaskedTransformerDecoderMaskDN``, ``DN_MODE`` "points").
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ...data.targets import Targets
from ..output import Predictions
from .boxes import boxes_of, inverse_sigmoid


class Places(NamedTuple):
    """Where the masks of a batch stand among its noised queries, group by group and in each image by image: ``groups``
    times all masks of each image, N = groups x ``most`` queries, for the ``most`` masks that an image has."""

    image: Int[Tensor, "n"]
    query: Int[Tensor, "n"]
    images: int
    groups: int
    most: int

    def filled(self, values: Tensor) -> Tensor:
        """``values`` [n, ...] of the masks as those of the queries [B, N, ...]; zeros beyond an image's own."""
        empty = values.new_zeros(self.images, self.groups * self.most, *values.shape[1:])
        return empty.index_put((self.image, self.query), values)


@dataclass(frozen=True)
class NoisedMasks:
    """Where noised queries look: into their masks, of which cells are exchanged for others."""

    masks: Bool[Tensor, "G H W"]
    places: Places
    noise: float

    def at(self, size: tuple[int, int]) -> Bool[Tensor, "B N S"]:
        """On a map of this ``size``, with new noise each time. A cell is inside if anything of it is; each, wherever it
        is, changes sides with such a probability that ``noise`` times as many do as the mask has. Queries beyond an
        image's masks have none."""
        inside = F.adaptive_max_pool2d(self.masks[:, None].float(), size).flatten(1) > 0
        inside = inside.repeat(self.places.groups, 1)
        share = inside.float().mean(1, keepdim=True) * self.noise
        return self.places.filled(inside ^ (torch.rand(inside.shape, device=inside.device) < share))


class Noised(NamedTuple):
    """The noised queries of a batch: their content, and where they look, which is a box or a mask. Those beyond an
    image's own masks have no content, and a box in the middle or no mask."""

    content: Float[Tensor, "B N C"]
    groups: int
    most: int
    box_logits: Float[Tensor, "B N 4"] | None = None
    masks: NoisedMasks | None = None

    @property
    def count(self) -> int:
        return self.groups * self.most

    def slices(self) -> list[slice]:
        """The queries of each group."""
        return [slice(start, start + self.most) for start in range(0, self.count, self.most)]

    def allowed(self, queries: int) -> Bool[Tensor, "T T"]:
        """Who may look at whom, of N denoising and then ``queries`` other queries: all at the others, and those of one
        group at each other. So the others know nothing of the truth, and answer as if no denoising query were there.

        Lesson 17.
        """
        of_group = torch.arange(self.groups, device=self.content.device).repeat_interleave(self.most)
        group = torch.cat([of_group, of_group.new_full((queries,), -1)])
        return (group[:, None] == group) | (group == -1)


class Denoising(nn.Module):
    """The truth of a batch as noised queries, whose content is a label, sometimes another one: exchanged for a random
    one with the probability ``wrong``.

    About ``queries`` of them in all, in as many groups as fit; where an image has more masks than that, or none has
    any, there are none.
    """

    def __init__(self, dim: int, classes: int, queries: int, wrong: float) -> None:
        super().__init__()
        self.queries, self.wrong = queries, wrong
        self.class_table = nn.Embedding(classes, dim)

    def forward(self, targets: list[Targets]) -> Noised | None:
        raise NotImplementedError(f"{type(self).__name__} does not say where its queries look")

    def apart(
        self, predictions: list[Predictions], noised: Noised | None
    ) -> tuple[list[Predictions], list[list[Predictions]]]:
        """Predictions of N noised and then other queries: those of the others, and those of each layer and group."""
        if noised is None:  # every parameter takes part in every step, for those who share it out over processes
            *before, last = predictions
            return [*before, replace(last, class_logits=last.class_logits + 0.0 * self.class_table.weight.sum())], []
        others = [prediction.of(slice(noised.count, None)) for prediction in predictions]
        return others, [[prediction.of(group) for group in noised.slices()] for prediction in predictions]

    def places(self, targets: list[Targets]) -> Places | None:
        """Of all masks; None where no group fits, or nothing is there."""
        counts = [len(target) for target in targets]
        most = max(counts, default=0)
        groups = self.queries // most if most else 0
        if not groups:
            return None
        image = torch.cat([torch.full((n,), b) for b, n in enumerate(counts)]).repeat(groups)
        query = torch.cat([torch.arange(n) for n in counts])
        query = torch.cat([query + most * group for group in range(groups)])
        device = targets[0].labels.device
        return Places(image.to(device), query.to(device), len(targets), groups, most)

    def content(self, targets: list[Targets], places: Places) -> Float[Tensor, "B N C"]:
        labels = torch.cat([target.labels for target in targets]).repeat(places.groups)
        return places.filled(self.class_table(self._exchanged(labels)))

    def _exchanged(self, labels: Int[Tensor, "N"]) -> Int[Tensor, "N"]:
        exchanged = torch.rand(labels.shape, device=labels.device) < self.wrong
        others = torch.randint(0, self.class_table.num_embeddings, labels.shape, device=labels.device)
        return torch.where(exchanged, others, labels)


class BoxDenoising(Denoising):
    """Each query looks into a shaken box: its centre moves by up to ``noise`` of half its sides, its sides grow or
    shrink by up to ``noise`` of themselves. A label is wrong with the probability ``noise`` / 2."""

    def __init__(self, dim: int, classes: int, queries: int, noise: float) -> None:
        super().__init__(dim, classes, queries, noise / 2)
        self.noise = noise

    def forward(self, targets: list[Targets]) -> Noised | None:
        if (places := self.places(targets)) is None:
            return None
        content = self.content(targets, places)
        boxes = torch.cat([boxes_of(target, with_padding=True) for target in targets]).repeat(places.groups, 1)
        box_logits = places.filled(inverse_sigmoid(self._shaken(boxes)))
        return Noised(content, places.groups, places.most, box_logits=box_logits.to(content.dtype))

    def _shaken(self, boxes: Float[Tensor, "N 4"]) -> Float[Tensor, "N 4"]:
        reach = torch.cat([boxes[:, 2:] / 2, boxes[:, 2:]], dim=1)
        return (boxes + (2 * torch.rand_like(boxes) - 1) * reach * self.noise).clamp(0, 1)


class MaskDenoising(Denoising):
    """Each query looks into a mask with noise (:class:`NoisedMasks`), in every layer, where others look into what they
    have found: MP-Former's "mask-piloted training". A label is wrong with the probability ``noise``.

    Labels and masks are noised as there, and all predictions learn, the one before the first layer too. MP-Former has
    one group, and takes the positions away from all queries; here there are as many groups as fit, as in DN-DETR, and
    noised queries alone have no position. Its paper has 0.2 for both kinds of noise, its published scripts 0.2 for
    labels and none for masks.
    """

    def __init__(self, dim: int, classes: int, queries: int, noise: float) -> None:
        super().__init__(dim, classes, queries, noise)
        self.noise = noise

    def forward(self, targets: list[Targets]) -> Noised | None:
        if (places := self.places(targets)) is None:
            return None
        masks = torch.cat([target.masks for target in targets])
        content = self.content(targets, places)
        return Noised(content, places.groups, places.most, masks=NoisedMasks(masks, places, self.noise))
