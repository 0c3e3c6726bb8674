"""The criterion, written with the answers of the labs: matching, then the four losses and their sum.

With all parts ours it computes what ``ofl.losses.Criterion`` computes of the same points; a test compares both.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ...config import ModelConfig
from ...data.targets import Targets
from ...losses.points import PointSource, sample_points
from .network import Reading
from .parts import Parts


class Losses:
    """``losses(readings, targets, ...)`` gives the total that is differentiated."""

    def __init__(self, config: ModelConfig, parts: Parts) -> None:
        c = self.config = config
        self.parts = parts
        self.weights = {
            "class": c.class_weight, "mask": c.mask_weight, "dice": c.dice_weight, "contrastive": c.contrastive_weight,
        }  # fmt: skip

    def __call__(
        self,
        readings: Sequence[Reading],
        targets: Sequence[Targets],
        object_queries: Tensor,
        text_queries: Tensor,
        logit_scale: Tensor,
        source: PointSource,
    ) -> Tensor:
        """All readings of the queries, the targets of each picture; ``source`` draws the points."""
        assigned = self.match(readings, targets, source)
        mask, dice = self.mask_losses(readings, targets, assigned, source)
        by_prediction = {
            "class": torch.stack([self.class_loss(r, targets, a) for r, a in zip(readings, assigned, strict=True)]),
            "mask": mask,
            "dice": dice,
        }
        table = self.parts["07.1"](object_queries, text_queries) * logit_scale.exp().clamp(max=100)
        return self.parts["13.4"](by_prediction, self.parts["07.2"](table), self.weights)

    @torch.no_grad()
    def match(
        self, readings: Sequence[Reading], targets: Sequence[Targets], source: PointSource
    ) -> list[list[list[int]]]:
        """For each reading and picture the query of every mask."""
        points = source.for_images(len(targets), self.config.num_points)
        labels = [sample_points(t.masks[None].float(), p[None])[0] for t, p in zip(targets, points, strict=True)]
        return [
            [
                self._pairing(classes, sample_points(masks[None], p[None])[0], target.labels, label)
                for classes, masks, p, target, label in zip(*reading, points, targets, labels, strict=True)
            ]
            for reading in readings
        ]

    def _pairing(self, classes: Tensor, logits: Tensor, labels: Tensor, point_labels: Tensor) -> list[int]:
        if not len(labels):
            return []
        parts, w = self.parts, self.weights
        table = w["class"] * parts["08.1"](classes, labels) + w["mask"] * parts["08.2"](logits, point_labels)
        return [int(q) for q in parts["08.4"](table + w["dice"] * parts["08.3"](logits, point_labels))]

    def class_loss(self, reading: Reading, targets: Sequence[Targets], assigned: Sequence[list[int]]) -> Tensor:
        """Of one reading: all queries of the batch are one list."""
        c, asked = self.config, []
        for target, queries in zip(targets, assigned, strict=True):
            given = target.labels, torch.tensor(queries, dtype=torch.int64), c.num_queries, c.num_classes
            asked.append(self.parts["09.4"](*given, c.no_object_weight)[0])
        return self.parts["09.1"](reading.classes.flatten(0, 1), torch.cat(asked), c.no_object_weight)

    def mask_losses(
        self,
        readings: Sequence[Reading],
        targets: Sequence[Targets],
        assigned: Sequence[Sequence[list[int]]],
        source: PointSource,
    ) -> tuple[Tensor, Tensor]:
        """Cross-entropy and dice [L] of the matched masks, divided by the masks of the batch."""
        c, layers, counts = self.config, len(readings), [len(target) for target in targets]
        matched = torch.cat([
            reading.masks[b, queries] for reading, pictures in zip(readings, assigned, strict=True)
            for b, queries in enumerate(pictures)
        ])  # [L G, h, w]
        if not len(matched):
            zero = torch.stack([reading.masks.sum() for reading in readings]) * 0.0
            return zero, zero
        truth = torch.cat([target.masks for target in targets]).float().repeat(layers, 1, 1)
        candidates = source.for_masks(counts, layers, int(c.num_points * c.oversample_ratio))
        kept = int(c.importance_ratio * c.num_points)
        rest = source.for_masks(counts, layers, c.num_points - kept)
        others = torch.cat([rest, rest.new_zeros(len(rest), kept, 2)], dim=1)  # of which the first are read
        points = self.parts["09.3"](matched.detach(), candidates, others, c.importance_ratio)
        x, y = (sample_points(maps[:, None], points)[:, 0] for maps in (matched, truth))
        mask = F.binary_cross_entropy_with_logits(x, y, reduction="none").mean(1)
        return tuple(of.unflatten(0, (layers, -1)).sum(1) / sum(counts) for of in (mask, self.parts["09.2"](x, y)))
