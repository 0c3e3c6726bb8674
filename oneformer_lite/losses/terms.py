"""The terms of the loss by name: each takes the model's output and its matched pairs to one scalar.

``TERMS`` is the list of them all: what the criterion adds up, and what logs, plots and inspectors name. A term belongs
to a model if the configuration has its weight (:meth:`BaseConfig.has_term`): "class" is weighted by ``class_weight``.
So a new term is one function, one line in ``TERMS``, and one weight.

Lesson 09b. Paper section 3.3; official ``modeling/criterion.py``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
import torch.distributed as dist
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ..config import BaseConfig
from ..data.targets import Targets
from ..model.output import Output, SplitOutput
from .boxes import giou_loss, l1_loss
from .cells import owners, rank_loss, semantic_loss
from .classes import class_loss, sigmoid_class_loss
from .contrastive import contrastive_loss
from .masks import DICE_LOSSES, MASK_LOSSES, focal_values
from .pairs import Pairs, mean_over_processes
from .precision import at_least_float32


def class_term(output: Output, pairs: Pairs, config: BaseConfig) -> Float[Tensor, ""]:
    """:func:`class_loss` of all predictions; of classes that have sigmoids, :func:`sigmoid_class_loss`, divided by the
    number of masks in the batch.

    Lesson 09.
    """
    every = list(zip(pairs.predictions, pairs.assigned))[config.FIRST_IS_SEMANTIC :]
    last = pairs.predictions[-1]
    if last.no_object:
        losses = [class_loss(p, pairs.targets, assigned, config) for p, assigned in every]
        share = share_of_classes(last.class_logits, pairs.targets, config) if pairs.everywhere else 1.0
    else:
        losses = [sigmoid_class_loss(p, pairs.targets, assigned) for p, assigned in every]
        share = 1 / pairs.count
    pairs.show("class", torch.stack(losses) * share)
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


def empty_term(output: Output, pairs: Pairs, config: BaseConfig) -> Float[Tensor, ""]:
    """BCE of the masks of queries that answer for nothing with no mask at all, in all predictions, divided by the
    number of masks in the batch.

    Published models leave these masks alone, and several queries draw one object, of which one names it.
    """
    losses = []
    for prediction, assigned in zip(pairs.predictions, pairs.assigned):
        logits = at_least_float32(prediction.mask_logits)
        idle = torch.ones(logits.shape[:2], dtype=torch.bool, device=logits.device)
        for row, queries in zip(idle, assigned):
            row[queries] = False
        losses.append(F.softplus(logits[idle]).mean((-2, -1)).sum() / pairs.count)
    pairs.show("empty", torch.stack(losses))
    return sum(losses)


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


def query_class_term(output: Output, pairs: Pairs, config: BaseConfig) -> Float[Tensor, ""]:
    """Cross-entropy of the object queries, of which number i should say the class of text i, weighed as the class loss
    weighs them. Nothing is matched, as in the contrastive loss."""
    if output.query_class_logits is None:
        raise ValueError("the output has no classes of object queries: call model.learn(batch)")
    logits = at_least_float32(output.query_class_logits)
    wanted = logits.new_full(logits.shape[:2], config.num_classes, dtype=torch.int64)
    for row, target in zip(wanted, pairs.targets):
        told = target.labels[: config.num_texts].to(row)
        row[: len(told)] = told
    weights = logits.new_ones(config.num_classes + 1)
    weights[-1] = config.no_object_weight
    total = mean_over_processes(float(weights[wanted].sum()), logits.device)
    return F.cross_entropy(logits.transpose(1, 2), wanted, weights, reduction="sum") / max(total, 1e-9)


def rank_term(output: Output, pairs: Pairs, config: BaseConfig) -> Float[Tensor, ""]:
    """:func:`rank_loss` of all predictions. Queries later in line own what several masks have; in a first prediction
    that is semantic the fixed ones take no part."""
    losses = []
    for i, (prediction, assigned) in enumerate(zip(pairs.predictions, pairs.assigned)):
        semantic = config.FIRST_IS_SEMANTIC and i == 0
        logits = at_least_float32(prediction.mask_logits)
        competing = torch.ones(logits.shape[1], dtype=torch.bool, device=logits.device)
        competing[list(config.fixed_queries.values())] = not semantic
        some = pairs.free if semantic else [torch.ones_like(free) for free in pairs.free]
        own = [(cells[kept], queries[kept]) for cells, queries, kept in zip(pairs.cells, assigned, some)]
        rows = [at(queries, owners(cells, queries)) for cells, queries in own]
        losses.append(rank_loss(logits, torch.stack(rows), competing))
    pairs.by_prediction["rank"] = torch.stack(losses).detach()
    return sum(losses)


def semantic_term(output: Output, pairs: Pairs, config: BaseConfig) -> Float[Tensor, ""]:
    """:func:`semantic_loss`, divided by the number of cells that have a class. Things own what several masks have, of
    them those whose queries come later."""
    if output.semantic_logits is None:
        raise ValueError("the output has no class for each pixel: call model.learn(batch)")
    classes = torch.stack([
        at(target.labels, owners(cells, torch.where(free, config.num_classes + queries, target.labels)))
        for target, cells, free, queries in zip(pairs.targets, pairs.cells, pairs.free, pairs.assigned[0])
    ])
    known = max(1.0, mean_over_processes(int((classes >= 0).sum()), classes.device))
    return semantic_loss(at_least_float32(output.semantic_logits), classes) / known


def at(values: Int[Tensor, "G"], places: Int[Tensor, "h w"]) -> Int[Tensor, "h w"]:
    """The values at ``places``, which may be -1 for none and then stay so."""
    return torch.cat([values.new_full((1,), -1), values])[places + 1]


def stuff_class_term(output: SplitOutput, pairs: Pairs, config: BaseConfig) -> Float[Tensor, ""]:
    """The focal loss of whether each class of stuff is there, of all readings, divided by the number of masks."""
    there = [at_least_float32(presence) for presence in output.presence]
    losses = torch.stack([focal_values(logits, pairs.present.to(logits)).sum() for logits in there]) / pairs.count
    pairs.show("stuff_class", losses)
    return losses.sum()


def stuff_dice_term(output: SplitOutput, pairs: Pairs, config: BaseConfig) -> Float[Tensor, ""]:
    """Dice loss of all stuff that is there, of all readings, divided by the number of masks."""
    if not pairs.present.any():
        return pairs.nothing("stuff_dice", output.stuff_masks[-1])
    losses = pairs.stuff_dice().sum(1) / pairs.count
    pairs.show("stuff_dice", losses)
    return losses.sum()


Term = Callable[[Output, Pairs, BaseConfig], Tensor]
TERMS: dict[str, Term] = {
    "class": class_term, "mask": mask_term, "dice": dice_term, "contrastive": contrastive_term,
    "query_class": query_class_term, "box": box_term, "giou": giou_term, "rank": rank_term, "semantic": semantic_term,
    "stuff_class": stuff_class_term, "stuff_dice": stuff_dice_term, "empty": empty_term,
}  # fmt: skip
LOSSES = ("class", "mask", "dice", "contrastive")  # OneFormer's
# those of pairs alone, which any predictions may have whose queries answer for masks
OF_PAIRS = ("class", "mask", "dice", "box", "giou")


def terms_of(config: BaseConfig) -> dict[str, Term]:
    """The terms that the configuration has a weight for."""
    return {name: term for name, term in TERMS.items() if config.has_term(name)}


def weights_of(config: BaseConfig) -> dict[str, float]:
    """What each of its terms is multiplied by; of the :data:`OF_PAIRS` also those of ``config.also_supervised``."""
    own = {name: getattr(config, f"{name}_weight") for name in terms_of(config)}
    return own | {
        f"{whose}_{name}": own[name] for whose in config.also_supervised for name in own if name in OF_PAIRS
    }


def share_of_classes(
    logits: Float[Tensor, "B Q K1"], targets: list[Targets], config: BaseConfig
) -> float:
    """Weight of this process's queries in the class loss, relative to their mean over the processes."""
    masks = sum(len(t) for t in targets)  # each has one query, the other queries have no object
    weight = masks + config.no_object_weight * (logits.shape[0] * logits.shape[1] - masks)
    mean = mean_over_processes(weight, logits.device)
    return weight / mean if mean else 1.0
