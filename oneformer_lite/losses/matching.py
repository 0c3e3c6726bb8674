"""Hungarian matching: which query answers for which ground-truth mask.

Lesson 08. Carion et al., "DETR" (ECCV 2020) equation 1, with Mask2Former's costs; official
``modeling/matcher.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ..config import BaseConfig
from ..data.targets import Targets
from ..model.output import Predictions, values_of_logits
from .boxes import boxes_of, giou_cost, l1_cost
from .classes import CLASS_COSTS
from .classes import class_cost as class_cost  # the lesson knows it as a part of this file
from .pixels import every_mask, targets_at_masks
from .points import PointSource, sample_points
from .precision import at_least_float32
from .predicted_masks import masks_at


def bce_cost(logits: Float[Tensor, "Q P"], labels: Float[Tensor, "G P"]) -> Float[Tensor, "Q G"]:
    """Mean binary cross-entropy of every query with every mask, as one matrix product.

    bce(x, y) = y softplus(-x) + (1 - y) softplus(x) = softplus(-x) + (1 - y) x, for softplus(x) = softplus(-x) + x.
    And softplus(-x) = -log sigmoid(x), which PyTorch has faster.

    Lesson 08.
    """
    return (logits @ (1 - labels).T) / logits.shape[1] - F.logsigmoid(logits).mean(1, keepdim=True)


def focal_cost(
    logits: Float[Tensor, "Q P"], labels: Float[Tensor, "G P"], alpha: float = 0.25, gamma: float = 2.0
) -> Float[Tensor, "Q G"]:
    """The same for the focal loss."""
    probability = logits.sigmoid()
    foreground = alpha * (1 - probability) ** gamma * F.softplus(-logits)
    background = (1 - alpha) * probability**gamma * F.softplus(logits)
    return (foreground @ labels.T + background @ (1 - labels).T) / logits.shape[1]


def dice_cost(logits: Float[Tensor, "Q P"], labels: Float[Tensor, "G P"]) -> Float[Tensor, "Q G"]:
    """Dice loss of every query with every mask.

    Lesson 08.
    """
    probability = logits.sigmoid()
    overlap = 2 * probability @ labels.T
    total = probability.sum(1)[:, None] + labels.sum(1)[None]
    return 1 - (overlap + 1) / (total + 1)


def squared_dice_cost(logits: Float[Tensor, "Q P"], labels: Float[Tensor, "G P"]) -> Float[Tensor, "Q G"]:
    """The same for V-Net's dice loss."""
    probability = logits.sigmoid()
    overlap = 2 * probability @ labels.T
    total = probability.square().sum(1)[:, None] + labels.square().sum(1)[None]
    return 1 - (overlap + 1) / (total + 1)


def vnet_dice_cost(logits: Float[Tensor, "Q P"], labels: Float[Tensor, "G P"]) -> Float[Tensor, "Q G"]:
    """The same without the 1s."""
    probability = logits.sigmoid()
    total = probability.square().sum(1)[:, None] + labels.square().sum(1)[None] + 2e-3
    return 1 - 2 * probability @ labels.T / total


def agreement_cost(logits: Float[Tensor, "Q P"], labels: Float[Tensor, "G P"]) -> Float[Tensor, "Q G"]:
    """Minus the mean probability of being right, as K-Net has it: p y + (1 - p)(1 - y)."""
    probability = logits.sigmoid()
    return -(probability @ labels.T + (1 - probability) @ (1 - labels).T) / logits.shape[1]


def value_dice_cost(values: Float[Tensor, "Q P"], labels: Float[Tensor, "G P"]) -> Float[Tensor, "Q G"]:
    """The same of masks that are numbers from 0 on, as Panoptic SegFormer has it."""
    total = values.square().sum(1)[:, None] + labels.square().sum(1)[None] + 2e-3
    return 1 - 2 * values @ labels.T / total


def dice_cost_of_values(logits: Float[Tensor, "Q P"], labels: Float[Tensor, "G P"]) -> Float[Tensor, "Q G"]:
    """:func:`value_dice_cost` of masks given as logits."""
    return value_dice_cost(values_of_logits(logits), labels)


MASK_COSTS = {"bce": bce_cost, "focal": focal_cost, "agreement": agreement_cost}
DICE_COSTS = {
    "plain": dice_cost, "squared": squared_dice_cost, "vnet": vnet_dice_cost, "values": dice_cost_of_values,
}  # fmt: skip
_FAR = 1e6  # a cost that no pair has


@dataclass(frozen=True)
class Costs:
    """The cost matrix [Q, G] of one image, in its parts by name (``config.MATCHED_BY``) and as the weighted total."""

    parts: dict[str, Tensor]
    total: Tensor


class Matcher:
    """Assigns to each ground-truth mask the query that costs least over all, one to one.

    The masks are compared on ``num_points`` uniformly random points, the same for all masks of an
    image and for all predictions of a step; or, if the configuration says so, on all pixels (:mod:`.pixels`).
    Besides them, or in their place, the boxes around them may be (:mod:`.boxes`): ``config.MATCHED_BY`` lists the
    costs. Classes whose query is fixed (``config.fixed_queries``) get that, and nobody else does. With
    ``config.MATCHED_BEFORE`` a prediction is matched by the one before it, the first by itself.

    Lesson 08.
    """

    def __init__(self, config: BaseConfig) -> None:
        self.parts = config.MATCHED_BY
        self.weights = tuple(getattr(config, f"{name}_weight") for name in self.parts)
        self.num_points, self.fixed = config.num_points, config.fixed_queries
        self.all_fixed = len(self.fixed) == config.num_classes
        if not self.all_fixed:
            self.mask_cost = MASK_COSTS[config.MASK_COST or config.mask_loss]
            self.dice_cost = DICE_COSTS[config.dice_loss]
        self.class_cost, self.giou_cost = CLASS_COSTS[config.CLASS_COST], partial(giou_cost, epsilon=config.BOX_EPSILON)
        self.with_padding = config.BOXES_WITH_PADDING
        self.compared_on, self.shrink = config.compared_on, config.matching_shrink
        self.before = config.MATCHED_BEFORE

    def costs(
        self,
        class_logits: Float[Tensor, "Q K1"],
        labels: Int[Tensor, "G"],
        point_logits: Float[Tensor, "Q P"] | None = None,
        point_labels: Float[Tensor, "G P"] | None = None,
        no_object: bool = True,
        boxes: Float[Tensor, "Q 4"] | None = None,
        target_boxes: Float[Tensor, "G 4"] | None = None,
    ) -> Costs:
        """All costs of one image, of those things that the configuration compares. NaN counts 100, so that one bad
        query ends no run.

        That is the official rule. If all are, the official matcher matches nothing; here the loss then
        is not a number either, which the trainer tells.
        """
        masks, both = (point_logits, point_labels), (boxes, target_boxes)
        every = {
            "class": (self.class_cost, (class_logits, labels, no_object)),
            "mask": (self.mask_cost, masks), "dice": (self.dice_cost, masks),
            "box": (l1_cost, both), "giou": (self.giou_cost, both),
        }  # fmt: skip
        parts = {name: cost(*compared) for name, (cost, compared) in ((name, every[name]) for name in self.parts)}
        total = sum(weight * part for weight, part in zip(self.weights, parts.values()))
        return Costs(parts, total.nan_to_num(nan=100.0, posinf=100.0, neginf=-100.0))

    @torch.no_grad()
    def __call__(
        self, predictions: list[Predictions], targets: list[Targets], source: PointSource | None = None
    ) -> list[list[Int[Tensor, "_g"]]]:
        """For each prediction and image, the query of every target mask (G <= Q)."""
        device, num_queries = predictions[0].class_logits.device, predictions[0].class_logits.shape[1]
        if self.all_fixed:
            query_of = torch.tensor([self.fixed[label] for label in range(len(self.fixed))], device=device)
            return [[query_of[target.labels] for target in targets] for _ in predictions]
        judged = (predictions[:-1] or predictions) if self.before else predictions
        table = self.cost_table(judged, targets, source or PointSource(device))
        table = bound(table, torch.cat([target.labels for target in targets]), self.fixed, num_queries)
        found = assign(table.cpu(), num_queries, [len(t) for t in targets])
        found = [found[0], *found][: len(predictions)] if self.before else found
        # to the processor and back once for all images and predictions: each time waits for the GPU
        flat = torch.cat([query for images in found for query in images]).to(device)
        queries = iter(flat.split([len(query) for images in found for query in images]))
        return [[next(queries) for _ in images] for images in found]

    def cost_table(
        self, predictions: list[Predictions], targets: list[Targets], source: PointSource
    ) -> Float[Tensor, "LQ G"]:
        """What each query of each of the L predictions costs with each mask of its image, images side by side.

        In float32 whatever the model computes in: costs in half precision tie too often.
        """
        return torch.cat([
            torch.cat([costs.total for costs in images], dim=1)
            for images in self.every_cost(predictions, targets, source)
        ])

    def every_cost(
        self, predictions: list[Predictions], targets: list[Targets], source: PointSource
    ) -> Iterator[list[Costs]]:
        """:meth:`costs` of each image, prediction by prediction."""
        none = [None] * len(targets)
        labels, every_logits = self.compared(predictions, targets, source) if "mask" in self.parts else (none, None)
        like = at_least_float32(predictions[0].class_logits)
        truth = [boxes_of(t, self.with_padding).to(like) for t in targets] if "box" in self.parts else none
        for prediction, logits in zip(predictions, every_logits or repeat(none)):
            class_logits = at_least_float32(prediction.class_logits)
            boxes = at_least_float32(prediction.boxes) if "box" in self.parts else none
            yield [
                self.costs(class_logits[b], t.labels, logits[b], labels[b], prediction.no_object, boxes[b], truth[b])
                for b, t in enumerate(targets)
            ]

    def compared(
        self, predictions: list[Predictions], targets: list[Targets], source: PointSource
    ) -> tuple[list[Float[Tensor, "_g P"]], Iterator[Float[Tensor, "B Q P"]]]:
        """What the masks of each image, and of each prediction all queries, say at the places of comparison."""
        if self.compared_on != "points":
            soft = self.compared_on == "cells"
            return targets_at_masks(targets, predictions, self.shrink, soft), every_mask(predictions, self.shrink)
        points = source.for_images(len(targets), self.num_points)
        points = points.to(at_least_float32(predictions[0].class_logits).dtype)
        labels = [sample_points(t.masks[None].to(points), points[b, None])[0] for b, t in enumerate(targets)]
        return labels, masks_at(points, predictions)


def bound(
    table: Float[Tensor, "LQ G"], labels: Int[Tensor, "G"], fixed: Mapping[int, int], num_queries: int
) -> Float[Tensor, "LQ G"]:
    """A cost table in which masks of ``fixed`` classes can get their own query alone, and the others none of these."""
    if not fixed:
        return table
    own = torch.tensor([fixed.get(label, -1) for label in labels.tolist()], device=table.device)
    queries = torch.arange(num_queries, device=table.device)[:, None]
    free = ~torch.isin(queries, torch.tensor(list(fixed.values()), device=table.device))
    allowed = torch.where(own < 0, free, queries == own)  # [Q, G]
    return table.masked_fill(~allowed.repeat(len(table) // num_queries, 1), _FAR)


def assign(table: Float[Tensor, "LQ G"], num_queries: int, counts: Sequence[int]) -> list[list[Int[Tensor, "_g"]]]:
    """The Hungarian algorithm on each block of a :meth:`Matcher.cost_table`: Q rows, ``counts[b]`` columns.

    Lesson 08.
    """
    return [
        # transposed, scipy returns the masks in order: 0, 1, ..., G - 1
        [torch.from_numpy(linear_sum_assignment(block.T.numpy())[1]) for block in rows.split(counts, dim=1)]
        for rows in table.split(num_queries)
    ]
