"""What a mask costs: cross-entropy, focal loss and dice, on the points of each mask.

Lesson 09b. Official ``modeling/criterion.py`` (``sigmoid_ce_loss``, ``dice_loss``); focal loss after
Lin et al. (ICCV 2017), as in DETR.
"""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ..model.output import values_of_logits

ALPHA, GAMMA = 0.25, 2.0  # of focal losses, everywhere as published


def bce_loss(logits: Float[Tensor, "N P"], labels: Float[Tensor, "N P"]) -> Float[Tensor, "N"]:
    """Binary cross-entropy of each mask: the mean over its points.

    Lesson 09b.
    """
    return F.binary_cross_entropy_with_logits(logits, labels, reduction="none").mean(1)


def focal_loss(
    logits: Float[Tensor, "N P"], labels: Float[Tensor, "N P"], alpha: float = ALPHA, gamma: float = GAMMA
) -> Float[Tensor, "N"]:
    """BCE in which points that are right already count little, (1 - p)^gamma, and foreground alpha.

    Lesson 09b.
    """
    return focal_values(logits, labels, alpha, gamma).mean(1)


def focal_values(
    logits: Float[Tensor, "*n"], labels: Float[Tensor, "*n"], alpha: float = ALPHA, gamma: float = GAMMA
) -> Float[Tensor, "*n"]:
    """:func:`focal_loss` of each number."""
    probability = logits.sigmoid()
    wrongness = probability * (1 - labels) + (1 - probability) * labels
    balance = alpha * labels + (1 - alpha) * (1 - labels)
    bce = F.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    return balance * wrongness**gamma * bce


def dice_loss(logits: Float[Tensor, "N P"], labels: Float[Tensor, "N P"]) -> Float[Tensor, "N"]:
    """One minus the dice overlap of probabilities p and labels y; the 1s keep empty masks defined.

    1 - (2 sum p y + 1) / (sum p + sum y + 1)

    Lesson 09b.
    """
    probability = logits.sigmoid()
    overlap = 2 * (probability * labels).sum(1)
    return 1 - (overlap + 1) / (probability.sum(1) + labels.sum(1) + 1)


def squared_dice_loss(logits: Float[Tensor, "N P"], labels: Float[Tensor, "N P"]) -> Float[Tensor, "N"]:
    """Dice as V-Net has it (Milletari et al., 3DV 2016, section 3), with the 1s of :func:`dice_loss`.

    1 - (2 sum p y + 1) / (sum p^2 + sum y^2 + 1). Lesson 18.
    """
    probability = logits.sigmoid()
    overlap = 2 * (probability * labels).sum(1)
    return 1 - (overlap + 1) / (probability.square().sum(1) + labels.square().sum(1) + 1)


def vnet_dice_loss(logits: Float[Tensor, "N P"], labels: Float[Tensor, "N P"]) -> Float[Tensor, "N"]:
    """The same without the 1s, as in mmdetection: 1 - 2 sum p y / (sum p^2 + sum y^2 + 0.002)."""
    probability = logits.sigmoid()
    total = probability.square().sum(1) + labels.square().sum(1) + 2e-3
    return 1 - 2 * (probability * labels).sum(1) / total


def value_dice_loss(values: Float[Tensor, "N P"], labels: Float[Tensor, "N P"]) -> Float[Tensor, "N"]:
    """The same of masks that are numbers from 0 on, and no probabilities, as Panoptic SegFormer has it:
    1 - 2 sum v y / (sum v^2 + sum y^2 + 2e-6)."""
    total = values.square().sum(1) + labels.square().sum(1) + 2e-6
    return 1 - 2 * (values * labels).sum(1) / total


def dice_loss_of_values(logits: Float[Tensor, "N P"], labels: Float[Tensor, "N P"]) -> Float[Tensor, "N"]:
    """:func:`value_dice_loss` of masks given as logits."""
    return value_dice_loss(values_of_logits(logits), labels)


def softmax_loss(logits: Float[Tensor, "N P"], labels: Float[Tensor, "N P"]) -> Float[Tensor, "N"]:
    """What a class's mask adds to the cross-entropy of its picture, where masks share a softmax over the classes:
    ``sigmoid(logits)`` is its probability (``model/parts/class_maps.py``), and it pays for its own pixels alone."""
    return -(labels * F.logsigmoid(logits)).mean(1)


MASK_LOSSES = {"bce": bce_loss, "focal": focal_loss, "softmax": softmax_loss}
DICE_LOSSES = {
    "plain": dice_loss, "squared": squared_dice_loss, "vnet": vnet_dice_loss, "values": dice_loss_of_values,
}  # fmt: skip
