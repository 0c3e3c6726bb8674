"""The criterion: match, then four losses, on every prediction of the decoder.

Lesson 09. Paper section 3.3: L = 2 class + 5 BCE + 5 dice + 0.5 contrastive; official
``modeling/criterion.py``.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
import torch.distributed as dist
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..config import ModelConfig
from ..data.targets import Targets
from ..model.output import OneFormerOutput, Predictions
from .contrastive import contrastive_loss
from .masks import MASK_LOSSES, dice_loss
from .matching import Matcher
from .points import PointSource, sample_points, uncertain_points
from .precision import at_least_float32
from .predicted import matched_masks, matched_pairs

LOSSES = ("class", "mask", "dice", "contrastive")


class Criterion(nn.Module):
    """Output and targets to the losses of a batch.

    Returns ``{"class", "mask", "dice", "contrastive", "total"}``: scalars; the first three are sums
    over all predictions, unweighted; ``total`` is the weighted sum that is differentiated. For looking,
    ``by_prediction`` then holds these three of each prediction [L], first to last, without gradient.

    Several processes: each gets the losses of its own images, divided such that their mean over the
    processes, and of the gradients, is what one process with all images would have. (The official code
    does so with masks and texts, but lets each process divide its class loss by its own weights.)

    Lesson 09.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.by_prediction: dict[str, Tensor] = {}
        self.weights = {
            "class": config.class_weight,
            "mask": config.mask_weight,
            "dice": config.dice_weight,
            "contrastive": config.contrastive_weight,
        }
        self.matcher = Matcher(
            config.class_weight, config.mask_weight, config.dice_weight, config.num_points, config.mask_loss
        )

    def forward(
        self,
        output: OneFormerOutput,
        targets: list[Targets],
        seeds: Sequence[Sequence[int]] | None = None,
    ) -> dict[str, Tensor]:
        """``seeds``: one per image, from which its random points follow (:class:`PointSource`)."""
        if output.object_queries is None:
            raise ValueError("the output has no text queries: call model(images, tasks, texts=batch.texts)")
        if len(targets) != len(output.class_logits):
            raise ValueError(f"{len(output.class_logits)} images but targets for {len(targets)}")
        predictions = output.predictions
        targets = [fit_to_queries(t, output.class_logits.shape[1]) for t in targets]
        with torch.autocast(output.class_logits.device.type, enabled=False):  # in full precision
            source = PointSource(output.class_logits.device, seeds)
            # read at points twice, by matching and by the losses: to numbers once
            dtype = at_least_float32(output.class_logits).dtype
            targets = [replace(t, masks=t.masks.to(dtype)) for t in targets]
            assigned = self.matcher(predictions, targets, source)
            mask, dice = self.mask_losses(predictions, targets, assigned, source)
            classes = [self.class_loss(p, targets, a) for p, a in zip(predictions, assigned)]
            share = self.share_of_classes(output.class_logits, targets)
            self.by_prediction["class"] = torch.stack(classes).detach() * share
            losses = {
                "class": sum(classes) * share,
                "mask": mask,
                "dice": dice,
                "contrastive": self.contrastive(output),
            }
        losses["total"] = sum(self.weights[name] * losses[name] for name in LOSSES)
        return losses

    def class_loss(
        self, prediction: Predictions, targets: list[Targets], assigned: list[Tensor]
    ) -> Float[Tensor, ""]:
        """Cross-entropy; queries without a mask should say "no object", at a tenth of the weight."""
        logits = at_least_float32(prediction.class_logits)
        classes = logits.new_full(logits.shape[:2], self.config.num_classes, dtype=torch.int64)
        classes[matched_pairs(assigned)] = torch.cat([t.labels for t in targets])
        weights = logits.new_ones(self.config.num_classes + 1)
        weights[-1] = self.config.no_object_weight
        return F.cross_entropy(logits.transpose(1, 2), classes, weights)  # sum of w l over sum of w

    def share_of_classes(self, logits: Float[Tensor, "B Q K1"], targets: list[Targets]) -> float:
        """Weight of this process's queries in the class loss, relative to their mean over the processes."""
        masks = sum(len(t) for t in targets)  # each has one query, the other queries have no object
        weight = masks + self.config.no_object_weight * (logits.shape[0] * logits.shape[1] - masks)
        mean = mean_over_processes(weight, logits.device)
        return weight / mean if mean else 1.0

    def mask_losses(
        self,
        predictions: list[Predictions],
        targets: list[Targets],
        assigned: list[list[Tensor]],
        source: PointSource | None = None,
    ) -> tuple[Tensor, Tensor]:
        """BCE (or focal) and dice of all matched masks, divided by the number of masks in the batch.

        Every target is matched once per prediction, so the L x G matched masks share their targets:
        these are read once, at the points of all predictions together.
        """
        c = self.config
        matched = matched_masks(predictions, assigned)  # [L * G, h, w]
        layers, counts = len(predictions), [len(t) for t in targets]
        count = max(1.0, mean_over_processes(sum(counts), matched.device))  # all take part, even without masks
        if sum(counts) == 0:  # nothing but void: a zero that still has a gradient
            self.by_prediction |= {name: matched.new_zeros(layers) for name in ("mask", "dice")}
            return matched.sum() * 0.0, matched.sum() * 0.0
        source = source or PointSource(matched.device)
        draw = partial(source.for_masks, counts, layers)
        points = uncertain_points(matched, c.num_points, c.oversample_ratio, c.importance_ratio, draw)
        logits = sample_points(matched[:, None], points)[:, 0]
        labels = target_values(targets, points, layers)
        mask, dice = MASK_LOSSES[c.mask_loss](logits, labels), dice_loss(logits, labels)  # [L * G] each
        for name, loss in (("mask", mask), ("dice", dice)):
            self.by_prediction[name] = loss.detach().unflatten(0, (layers, -1)).sum(1) / count
        return mask.sum() / count, dice.sum() / count

    def contrastive(self, output: OneFormerOutput) -> Float[Tensor, ""]:
        """:func:`contrastive_loss`, with a warning where a batch of one image makes it 0."""
        world = dist.get_world_size() if dist.is_initialized() else 1
        if len(output.object_queries) * world == 1:
            warnings.warn(
                "a batch of one image: the contrastive loss compares images with each other, so it is "
                "exactly 0 and the text mapper learns nothing. Use a batch of two or more.",
                stacklevel=3,
            )
        return contrastive_loss(output.object_queries, output.text_queries, output.logit_scale)


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


def fit_to_queries(target: Targets, num_queries: int) -> Targets:
    """A query answers for one mask at most: of more masks than queries the largest are kept, aloud.

    (The official matcher keeps those that cost least, silently and anew for every prediction.)
    """
    if len(target) <= num_queries:
        return target
    warnings.warn(
        f"an image has {len(target)} segments but the model has {num_queries} queries: the smallest "
        f"{len(target) - num_queries} are left out. Raise num_queries in the configuration.",
        stacklevel=3,
    )
    keep = target.masks.flatten(1).sum(1).topk(num_queries).indices.sort().values
    texts = [target.texts[i] for i in keep.tolist()]
    return replace(target, masks=target.masks[keep], labels=target.labels[keep], texts=texts)


def mean_over_processes(value: int | float, device: torch.device) -> float:
    """The mean of a number that every process has; itself in a single process."""
    if not dist.is_initialized():
        return float(value)
    total = torch.tensor(value, dtype=torch.float64, device=device)
    dist.all_reduce(total)
    return total.item() / dist.get_world_size()
