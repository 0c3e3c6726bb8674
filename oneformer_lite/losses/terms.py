"""The terms of the loss by name: each takes the model's output and its matched pairs to one scalar.

``TERMS`` is the list of them all: what the criterion adds up, and what logs, plots and inspectors name. A term belongs
to a model if the configuration has its weight (:meth:`BaseConfig.has_term`): "class" is weighted by ``class_weight``.
So a new term is one function, one line in ``TERMS``, and one weight.

Lesson 09. Paper section 3.3; official ``modeling/criterion.py``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import torch
import torch.distributed as dist
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ..config import BaseConfig
from ..data.targets import Targets
from ..model.output import Output, Predictions
from .boxes import boxes_of, giou_loss, l1_loss
from .classes import class_loss, sigmoid_class_loss
from .contrastive import contrastive_loss
from .masks import DICE_LOSSES, MASK_LOSSES
from .pixels import enlarged, pixel_centres, without_unknown
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
    predictions wants to show of each of them, it leaves in ``by_prediction`` [L], without gradient. ``everywhere``:
    whether all processes have such pairs in this step; where they may not, nothing more is exchanged between them.
    """

    predictions: list[Predictions]
    targets: list[Targets]
    assigned: list[list[Int[Tensor, "_g"]]]
    source: PointSource
    config: BaseConfig
    by_prediction: dict[str, Tensor] = field(default_factory=dict)
    count: float = 0.0
    everywhere: bool = True

    def __post_init__(self) -> None:  # at once: all processes take part, even those without masks
        device = self.predictions[0].class_logits.device
        self.count = self.count or max(1.0, mean_over_processes(sum(self.counts), device))

    def of(self, predictions: list[Predictions], assigned: list[list[Int[Tensor, "_g"]]], **changes) -> Pairs:
        """Those of other predictions of the same batch."""
        return replace(self, predictions=predictions, assigned=assigned, by_prediction={}, **changes)

    @property
    def counts(self) -> list[int]:
        """Masks of each image."""
        return [len(t) for t in self.targets]

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
        draw = partial(self.source.for_masks, self.counts, layers)
        points = uncertain_points(self.masks, c.num_points, c.oversample_ratio, c.importance_ratio, draw)
        logits = sample_points(self.masks[:, None], points)[:, 0]
        return Points(points, logits, target_values(self.targets, points, layers))

    def mean(self, name: str, values: Float[Tensor, "LG"]) -> Float[Tensor, ""]:
        """The sum of what all pairs add to a term, divided by the number of masks in the batch."""
        found = values.detach().unflatten(0, (-1, sum(self.counts))).sum(1) / self.count
        # predictions without a loss of this name come first, and add nothing
        self.by_prediction[name] = F.pad(found, (len(self.predictions) - len(found), 0))
        return values.sum() / self.count

    def nothing(self, name: str, values: Tensor) -> Float[Tensor, ""]:
        """Of a batch without masks: a zero that still has a gradient."""
        self.by_prediction[name] = values.new_zeros(len(self.predictions))
        return values.sum() * 0.0


def class_term(output: Output, pairs: Pairs, config: BaseConfig) -> Float[Tensor, ""]:
    """:func:`class_loss` of all predictions; of classes that have sigmoids, :func:`sigmoid_class_loss`, divided by the
    number of masks in the batch."""
    every = list(zip(pairs.predictions, pairs.assigned))
    last = pairs.predictions[-1]
    if last.no_object:
        losses = [class_loss(p, pairs.targets, assigned, config) for p, assigned in every]
        share = share_of_classes(last.class_logits, pairs.targets, config) if pairs.everywhere else 1.0
    else:
        losses = [sigmoid_class_loss(p, pairs.targets, assigned) for p, assigned in every]
        share = 1 / pairs.count
    pairs.by_prediction["class"] = torch.stack(losses).detach() * share
    return sum(losses) * share


def mask_term(output: Output, pairs: Pairs, config: BaseConfig) -> Float[Tensor, ""]:
    """BCE (or focal) of all matched masks, divided by the number of masks in the batch.

    A softmax over the classes is divided by that of the pictures, which have a mask for each: it is the mean
    cross-entropy of a pixel.
    """
    if not sum(pairs.counts):
        return pairs.nothing("mask", pairs.masks)
    of_masks = MASK_LOSSES[config.mask_loss](pairs.points.logits, pairs.points.labels)
    return pairs.mean("mask", of_masks * config.num_classes if config.mask_loss == "softmax" else of_masks)


def dice_term(output: Output, pairs: Pairs, config: BaseConfig) -> Float[Tensor, ""]:
    """Dice loss of all matched masks, divided by the number of masks in the batch."""
    if not sum(pairs.counts):
        return pairs.nothing("dice", pairs.masks)
    return pairs.mean("dice", DICE_LOSSES[config.dice_loss](pairs.points.logits, pairs.points.labels))


def box_term(output: Output, pairs: Pairs, config: BaseConfig) -> Float[Tensor, ""]:
    """L1 between all matched boxes and those around their masks, divided by the number of masks in the batch."""
    if not sum(pairs.counts):
        return pairs.nothing("box", pairs.predictions[-1].boxes)
    return pairs.mean("box", l1_loss(*pairs.boxes))


def giou_term(output: Output, pairs: Pairs, config: BaseConfig) -> Float[Tensor, ""]:
    """One minus the generalised IoU of all matched boxes, divided by the number of masks in the batch."""
    if not sum(pairs.counts):
        return pairs.nothing("giou", pairs.predictions[-1].boxes)
    return pairs.mean("giou", giou_loss(*pairs.boxes, config.BOX_EPSILON))


def contrastive_term(output: Output, pairs: Pairs, config: BaseConfig) -> Float[Tensor, ""]:
    """:func:`contrastive_loss`, with a warning where a batch of one image makes it 0."""
    if output.object_queries is None:
        raise ValueError("the output has no text queries: call model(images, tasks, texts=batch.texts)")
    world = dist.get_world_size() if dist.is_initialized() else 1
    if len(output.object_queries) * world == 1:
        warnings.warn(
            "a batch of one image: the contrastive loss compares images with each other, so it is "
            "exactly 0 and the text mapper learns nothing. Use a batch of two or more.",
            stacklevel=3,
        )
    return contrastive_loss(output.object_queries, output.text_queries, output.logit_scale)


Term = Callable[[Output, Pairs, BaseConfig], Tensor]
TERMS: dict[str, Term] = {
    "class": class_term, "mask": mask_term, "dice": dice_term, "contrastive": contrastive_term, "box": box_term,
    "giou": giou_term,
}  # fmt: skip
LOSSES = ("class", "mask", "dice", "contrastive")  # OneFormer's


def terms_of(config: BaseConfig) -> dict[str, Term]:
    """The terms that the configuration has a weight for."""
    return {name: term for name, term in TERMS.items() if config.has_term(name)}


def weights_of(config: BaseConfig) -> dict[str, float]:
    """What each of its terms is multiplied by, those of ``config.also_supervised`` too."""
    own = {name: getattr(config, f"{name}_weight") for name in terms_of(config)}
    return own | {f"{whose}_{name}": weight for whose in config.also_supervised for name, weight in own.items()}


def share_of_classes(
    logits: Float[Tensor, "B Q K1"], targets: list[Targets], config: BaseConfig
) -> float:
    """Weight of this process's queries in the class loss, relative to their mean over the processes."""
    masks = sum(len(t) for t in targets)  # each has one query, the other queries have no object
    weight = masks + config.no_object_weight * (logits.shape[0] * logits.shape[1] - masks)
    mean = mean_over_processes(weight, logits.device)
    return weight / mean if mean else 1.0


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
