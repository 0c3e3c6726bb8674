"""A batch's losses taken apart: what every mask, query, point and image adds.

The parts are what :class:`~oneformer_lite.losses.Criterion` adds up, from the same random points: with equal seeds
their sums are its losses (lessons 09 and 09b build those).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...data.batch import Batch
from ...data.targets import Targets
from ...evaluating import evaluating
from ...losses import Criterion
from ...losses.classes import sigmoid_class_losses
from ...losses.contrastive import similarity
from ...losses.criterion import learned_targets
from ...losses.masks import DICE_LOSSES, MASK_LOSSES
from ...losses.pairs import Pairs
from ...losses.precision import at_least_float32
from ...losses.predicted_masks import matched_pairs
from ...losses.split import SplitPairs, of_classes
from ...model import MaskModel
from ...model.output import Output

Seeds = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class LossParts:
    """Losses of B images with G masks in all (image by image), in L predictions. Unweighted, as the criterion's.

    ``images``, ``segments``, ``labels`` int [G]: each mask's image, its place among that image's ``targets``, its
    class; ``queries`` int [L, G]: who answers for it. ``classes``, ``mask``, ``dice`` [L, G]: what the pair adds to
    the losses of these names; ``no_object`` [L, B, Q]: what queries without a mask add to the class loss (0 for the
    others); ``by_image`` [B] of losses that are sums over images, such as the contrastive one; ``whole``: losses that
    have no parts. ``points`` [L, G, P, 2]: (x, y) in 0..1 at which masks were compared (or some of them); at them
    ``point_losses`` [L, G, P], BCE or focal, and ``point_errors``, probability minus truth without its sign.
    """

    targets: list[Targets]
    images: np.ndarray
    segments: np.ndarray
    labels: np.ndarray
    queries: np.ndarray
    classes: np.ndarray
    mask: np.ndarray
    dice: np.ndarray
    no_object: np.ndarray
    by_image: dict[str, np.ndarray]
    whole: dict[str, float]
    points: np.ndarray
    point_losses: np.ndarray
    point_errors: np.ndarray
    weights: dict[str, float]
    first: int = 0  # decoder layers before the first prediction

    def losses(self) -> dict[str, float]:
        """The criterion's losses again, as sums over the parts."""
        found = self.by_layer() | self.by_image | self.whole
        sums = {name: float(np.sum(found[name])) for name in self.weights}
        return sums | {"total": sum(self.weights[name] * value for name, value in sums.items())}

    def by_layer(self) -> dict[str, np.ndarray]:
        """Class, mask and dice loss [L] of each prediction, as far as the model has them."""
        classes = self.classes.sum(1) + self.no_object.sum((1, 2))
        found = {"class": classes, "mask": self.mask.sum(1), "dice": self.dice.sum(1)}
        return {name: values for name, values in found.items() if name in self.weights}

    def pairs(self, loss: str, layer: int) -> np.ndarray:
        """[G]: what each (mask, query) pair of a prediction adds to ``loss``; "total" is weighted; others
        than class, mask and dice have no part in pairs."""
        parts = {"class": self.classes, "mask": self.mask, "dice": self.dice}
        if loss == "total":
            return sum(self.weights.get(name, 0.0) * part[layer] for name, part in parts.items())
        return parts[loss][layer] if loss in parts else np.zeros(len(self.images))


@torch.no_grad()
def take_apart(
    criterion: Criterion, output: Output, targets: list[Targets], seeds: Seeds | None = None
) -> LossParts:
    """The parts of ``criterion(output, targets, seeds)``."""
    given = targets
    targets = [learned_targets(target, criterion.config, output.class_logits.shape[1]) for target in targets]
    pairs = criterion.match(output, targets, seeds)
    if isinstance(pairs, SplitPairs):  # stuff is in the losses that cannot be taken apart
        targets = [of_classes(target, criterion.config.things) for target in targets]
    images = torch.tensor([b for b, masks in enumerate(pairs.counts) for _ in range(masks)], dtype=torch.int64)
    labels = torch.cat([t.labels for t in targets])
    matched = [matched_pairs(found) for found in pairs.assigned]
    matched = [*matched[:1] * (pairs.readings - len(matched)), *matched]

    entropies = _class_shares(criterion, pairs, labels, matched)
    classes = torch.stack([layer[found] for layer, found in zip(entropies, matched)])
    for layer, found in zip(entropies, matched):
        layer[found] = 0
    points, losses, errors, mask, dice = _compare_masks(pairs)
    return LossParts(
        targets=targets,
        images=images.numpy(),
        segments=np.array([place for n in pairs.counts for place in range(n)], dtype=np.int64),
        labels=labels.cpu().numpy(),
        queries=torch.stack([query for _, query in matched]).cpu().numpy(),
        classes=_numbers(classes),
        mask=_numbers(mask / pairs.count),
        dice=_numbers(dice / pairs.count),
        no_object=_numbers(entropies),
        by_image=_by_image(criterion, output),
        whole=_others(criterion, output, pairs, given),
        points=points.cpu().numpy(),
        point_losses=losses.cpu().numpy(),
        point_errors=errors.cpu().numpy(),
        weights=dict(criterion.weights),
    )


def contrastive_parts(output: Output) -> Tensor:
    """[B]: what each image adds to the contrastive loss, as a row and as a column of the similarities."""
    table = similarity(output.object_queries, output.text_queries, output.logit_scale).double()
    labels = torch.arange(len(table), device=table.device)
    both = [F.cross_entropy(scores, labels, reduction="none") for scores in (table, table.T)]
    return (both[0] + both[1]) / len(table)


def joined(parts: Sequence[LossParts]) -> LossParts:
    """The parts of a step from those of its micro-batches, whose losses are averaged."""
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0, *(len(part.targets) for part in parts)])
    fields: dict = {
        "targets": [target for part in parts for target in part.targets],
        "images": np.concatenate([part.images + start for part, start in zip(parts, starts)]),
        "weights": parts[0].weights,
        "first": parts[0].first,
    }
    for name in ("segments", "labels"):
        fields[name] = np.concatenate([getattr(part, name) for part in parts])
    for name in ("queries", "points", "point_losses", "point_errors"):
        fields[name] = np.concatenate([getattr(part, name) for part in parts], axis=1)
    for name in ("classes", "mask", "dice", "no_object"):
        fields[name] = np.concatenate([getattr(part, name) for part in parts], axis=1) / len(parts)
    fields["by_image"] = {
        name: np.concatenate([part.by_image[name] for part in parts]) / len(parts) for name in parts[0].by_image
    }
    fields["whole"] = {name: sum(part.whole[name] for part in parts) / len(parts) for name in parts[0].whole}
    return LossParts(**fields)


@torch.no_grad()
def read_losses(model: MaskModel, batches: Sequence[Batch], seeds: Sequence[Seeds]) -> LossParts:
    """The parts of what ``model`` loses on the micro-batches of one step, without dropout."""
    criterion, parts = Criterion(model.config), []
    for batch, batch_seeds in zip(batches, seeds, strict=True):
        with evaluating(model):
            output = model.learn(batch)
        parts.append(take_apart(criterion, output, batch.targets, batch_seeds))
    return replace(joined(parts), first=model.first_prediction)


def _class_shares(criterion: Criterion, pairs: Pairs, labels: Tensor, matched: list[tuple]) -> Tensor:
    """[L, B, Q]: each query's share of the class loss, 0 in a first prediction that has none."""
    every = list(zip(pairs.predictions, pairs.assigned, matched))
    shares = [
        _weighted_entropies(criterion, p.class_logits, labels, found) if p.no_object else
        sigmoid_class_losses(p, pairs.targets, assigned).sum(-1).double() / pairs.count
        for p, assigned, found in every
    ]  # fmt: skip
    if criterion.config.FIRST_IS_SEMANTIC:
        shares[0] = torch.zeros_like(shares[0])
    return _of_all(torch.stack(shares), pairs.readings)


def _weighted_entropies(criterion: Criterion, logits: Tensor, labels: Tensor, pairs: tuple) -> Tensor:
    """[B, Q]: each query's share of the class loss of one prediction; their sum is the loss."""
    logits, c = at_least_float32(logits), criterion.config
    if "class" not in criterion.terms:
        return logits.new_zeros(logits.shape[:2], dtype=torch.float64)
    classes = logits.new_full(logits.shape[:2], c.num_classes, dtype=torch.int64)
    classes[pairs] = labels
    weights = torch.where(classes == c.num_classes, c.no_object_weight, 1.0).double()
    entropies = F.cross_entropy(logits.transpose(1, 2), classes, reduction="none").double()
    return weights * entropies / weights.sum()


def _compare_masks(pairs: Pairs) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Points [L, G, P, 2], losses and errors at them [L, G, P], mask and dice loss [L, G], all of the matched masks.

    Of masks that are compared on all pixels or cells ``num_points`` of these are kept for looking, evenly spread.
    Predictions whose masks have no loss add nothing.
    """
    c, layers = pairs.config, pairs.readings
    if not sum(pairs.counts):
        empty = pairs.masks.new_zeros(layers, 0, c.num_points)
        return empty[..., None].expand(-1, -1, -1, 2), empty, empty, empty[..., 0], empty[..., 0]
    places, values, labels = pairs.points.places, pairs.points.logits, pairs.points.labels
    losses = MASK_LOSSES[c.mask_loss](values.reshape(-1, 1), labels.reshape(-1, 1)).view_as(values)
    losses = losses * c.num_classes if c.mask_loss == "softmax" else losses
    errors, mask = (values.sigmoid() - labels).abs(), losses.double().mean(-1)
    dice = DICE_LOSSES[c.dice_loss](values, labels)
    mask, dice = (pairs.counted(part) for part in (mask, dice))
    if c.compared_on != "points":
        kept = torch.linspace(0, values.shape[1] - 1, c.num_points, device=values.device).long()
        places, losses, errors = (part[:, kept] for part in (places, losses, errors))
    return tuple(_of_all(part.unflatten(0, (-1, sum(pairs.counts))), layers) for part in (places, losses, errors, mask,
                                                                                          dice))  # fmt: skip


def _of_all(parts: Tensor, layers: int) -> Tensor:
    """The parts [l, G, ...] of the last predictions, after zeros for those before."""
    return torch.cat([parts.new_zeros(layers - len(parts), *parts.shape[1:]), parts])


def _by_image(criterion: Criterion, output: Output) -> dict[str, np.ndarray]:
    """The losses that are sums over the images: OneFormer's contrastive one."""
    return {name: _numbers(contrastive_parts(output)) for name in criterion.terms if name == "contrastive"}


def _others(criterion: Criterion, output: Output, pairs: Pairs, targets: list[Targets]) -> dict[str, float]:
    """The losses that cannot be taken apart, those of predictions that are supervised besides among them."""
    names = criterion.terms.keys() - {"class", "mask", "dice", "contrastive"}
    found = {name: criterion.terms[name](output, pairs, criterion.config) for name in sorted(names)}
    return {name: float(loss) for name, loss in (found | criterion.others(output, targets, pairs)).items()}


def _numbers(tensor: Tensor) -> np.ndarray:
    return tensor.double().cpu().numpy()
