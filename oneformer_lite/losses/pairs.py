"""Who answers for whom, and what both sides of each pair say: what every term of the loss takes.

Official ``modeling/criterion.py`` of Mask2Former and its relatives.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import torch
import torch.distributed as dist
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..config import BaseConfig
from ..data.targets import Targets
from ..model.output import Predictions
from .boxes import boxes_of
from .pixels import enlarged, pixel_centres, targets_at_masks, without_unknown
from .points import PointSource, sample_points, uncertain_points
from .precision import at_least_float32
from .predicted_masks import matched_masks, matched_pairs


@dataclass
class Points:
    """Where matched masks are compared, (x, y) in 0..1, and what both sides say there; rows run prediction by
    prediction."""

    places: Float[Tensor, "LG P 2"]
    logits: Float[Tensor, "LG P"]
    labels: Float[Tensor, "LG P"]


@dataclass
class Pairs:
    """Who answers for whom: ``assigned[l][b]`` the queries of prediction l that answer for the masks of image b.

    ``count``: masks of the batch, at least 1; of several processes, their mean. What a term that is a sum over the
    predictions wants to show of each of them, it leaves in ``by_prediction`` [L], without gradient. ``free_count``: the
    same of those masks whose queries are not fixed. ``everywhere``: whether all processes have such pairs in this step;
    where they may not, nothing more is exchanged between them.
    """

    predictions: list[Predictions]
    targets: list[Targets]
    assigned: list[list[Int[Tensor, "_g"]]]
    source: PointSource
    config: BaseConfig
    by_prediction: dict[str, Tensor] = field(default_factory=dict)
    count: float = 0.0
    free_count: float = 0.0
    everywhere: bool = True

    def __post_init__(self) -> None:  # at once: all processes take part, even those without masks
        device = self.predictions[0].class_logits.device
        self.count = self.count or max(1.0, mean_over_processes(sum(self.counts), device))
        if not self.config.fixed_queries:
            self.free_count = self.count
        elif not self.free_count:
            self.free_count = max(1.0, mean_over_processes(sum(int(t.sum()) for t in self.free), device))

    def of(self, predictions: list[Predictions], assigned: list[list[Int[Tensor, "_g"]]], **changes) -> Pairs:
        """Those of other predictions of the same batch."""
        return replace(self, predictions=predictions, assigned=assigned, by_prediction={}, **changes)

    @property
    def counts(self) -> list[int]:
        """Masks of each image."""
        return [len(t) for t in self.targets]

    @cached_property
    def free(self) -> list[Bool[Tensor, "_g"]]:
        """Of each image the masks whose queries are not fixed."""
        fixed = torch.tensor(list(self.config.fixed_queries), dtype=torch.int64)
        return [~torch.isin(t.labels, fixed.to(t.labels.device)) for t in self.targets]

    @cached_property
    def cells(self) -> list[Float[Tensor, "_g h w"]]:
        """The targets of each image at the size of its masks, soft at their edges."""
        size = self.predictions[0].mask_logits.shape[-2:]
        return [masks.unflatten(1, size) for masks in targets_at_masks(self.targets, self.predictions, soft=True)]

    @property
    def readings(self) -> int:
        """Of how many predictions the losses are shown, one by one."""
        return len(self.predictions)

    @property
    def masked(self) -> slice:
        """Of the predictions those whose masks have a loss."""
        return slice(-1, None) if self.config.MASKS_IN_LOSSES == "last" else slice(None)

    @cached_property
    def masks(self) -> Float[Tensor, "LG h w"]:
        """The mask logits of all pairs whose masks have a loss, prediction by prediction."""
        return matched_masks(self.predictions[self.masked], self.assigned[self.masked])

    @cached_property
    def boxes(self) -> tuple[Float[Tensor, "LG 4"], Float[Tensor, "LG 4"]]:
        """The boxes of all pairs, prediction by prediction, and those around the masks that they answer for."""
        found = [at_least_float32(p.boxes)[matched_pairs(a)] for p, a in zip(self.predictions, self.assigned)]
        truth = torch.cat([boxes_of(t, self.config.BOXES_WITH_PADDING) for t in self.targets]).to(found[0])
        return torch.cat(found), truth.repeat(len(found), 1)

    @cached_property
    def points(self) -> Points:
        """The pairs' masks where the model hesitates, mostly (:func:`uncertain_points`), or at all pixels.

        Every target is matched once per prediction, so the L x G matched masks share their targets: these are read
        once, at the points of all predictions together.
        """
        c, layers = self.config, len(self.predictions[self.masked])
        if c.compared_on == "pixels":
            truth = torch.cat([t.masks for t in self.targets]).to(self.masks)  # [G, H, W]
            logits = without_unknown(enlarged(self.masks, truth.shape[-2:]), self.targets)
            places = pixel_centres(*truth.shape[-2:], logits).expand(len(logits), -1, -1)
            return Points(places, logits, truth.flatten(1).repeat(layers, 1))
        if c.compared_on == "cells":
            truth = torch.cat(self.cells)
            places = pixel_centres(*truth.shape[-2:], self.masks).expand(len(self.masks), -1, -1)
            return Points(places, self.masks.flatten(1), truth.flatten(1).repeat(layers, 1))
        draw = partial(self.source.for_masks, self.counts, layers)
        points = uncertain_points(self.masks, c.num_points, c.oversample_ratio, c.importance_ratio, draw)
        logits = sample_points(self.masks[:, None], points)[:, 0]
        return Points(points, logits, target_values(self.targets, points, layers))

    def mean(self, name: str, values: Float[Tensor, "LG"]) -> Float[Tensor, ""]:
        """The sum of what all pairs add to a term, divided by the number of masks in the batch."""
        values = self.counted(values)
        self.show(name, values.unflatten(0, (-1, sum(self.counts))).sum(1) / self.count)
        return values.sum() / self.count

    def show(self, name: str, losses: Float[Tensor, "_l"]) -> None:
        """What predictions add to a term; those without a loss of this name come first, and add nothing."""
        self.by_prediction[name] = F.pad(losses.detach(), (self.readings - len(losses), 0))

    def counted(self, values: Float[Tensor, "LG"]) -> Float[Tensor, "LG"]:
        """What pairs add, such that :meth:`mean` divides it rightly: in a first prediction that is semantic the fixed
        queries add nothing, and the mean is that of the others."""
        if not self.config.FIRST_IS_SEMANTIC:
            return values
        free = torch.cat(self.free).to(values)
        return torch.cat([values[: len(free)] * free * (self.count / self.free_count), values[len(free) :]])

    def nothing(self, name: str, values: Tensor) -> Float[Tensor, ""]:
        """Of a batch without masks: a zero that still has a gradient."""
        self.by_prediction[name] = values.new_zeros(self.readings)
        return values.sum() * 0.0


@torch.no_grad()
def target_values(
    targets: list[Targets], points: Float[Tensor, "LG P 2"], layers: int
) -> Float[Tensor, "LG P"]:
    """The ground truth at the points of L predictions, whose rows run prediction by prediction.

    Mask by mask, the points of all predictions are joined (G rows of L * P points), so that each
    full-size mask is read once; then the values go back to the order of the rows.
    """
    masks = torch.cat([t.masks for t in targets])[:, None].to(points)  # [G, 1, H, W]
    by_mask = points.unflatten(0, (layers, -1)).transpose(0, 1).flatten(1, 2)  # [G, L * P, 2]
    values = sample_points(masks, by_mask)[:, 0]  # [G, L * P]
    return values.unflatten(1, (layers, -1)).transpose(0, 1).flatten(0, 1)


def mean_over_processes(value: int | float, device: torch.device) -> float:
    """The mean of a number that every process has; itself in a single process."""
    if not dist.is_initialized():
        return float(value)
    total = torch.tensor(value, dtype=torch.float64, device=device)
    dist.all_reduce(total)
    return total.item() / dist.get_world_size()
