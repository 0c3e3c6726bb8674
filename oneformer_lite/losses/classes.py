"""What a class costs: as one of a softmax with "no object", or as a sigmoid of its own.

Lessons 08 and 09. Carion et al., "DETR" (ECCV 2020), equations 1 and 2; with sigmoids Lin et al., "Focal Loss" (ICCV
2017), matched as in Zhu et al., "Deformable DETR" (ICLR 2021); official ``modeling/matcher.py`` and
``modeling/criterion.py`` of both kinds.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ..config import BaseConfig
from ..data.targets import Targets
from ..model.output import Predictions, class_probabilities
from .masks import ALPHA, GAMMA, focal_values
from .precision import at_least_float32
from .predicted_masks import matched_pairs


def class_cost(
    class_logits: Float[Tensor, "Q K1"], labels: Int[Tensor, "G"], no_object: bool = True
) -> Float[Tensor, "Q G"]:
    """Minus the probability of the mask's class (an approximation of its log-likelihood, as in DETR).

    Lesson 08.
    """
    return -class_probabilities(class_logits, no_object)[:, labels]


def focal_class_cost(
    class_logits: Float[Tensor, "Q K1"], labels: Int[Tensor, "G"], no_object: bool = False
) -> Float[Tensor, "Q G"]:
    """By how much the focal loss grows when a query has to say yes to the mask's class and not no; its other classes
    cost the same either way. Of sigmoids, also where the logits are learned in a softmax (``no_object``)."""
    probability = class_logits[:, labels].sigmoid()
    yes = ALPHA * (1 - probability) ** GAMMA * -(probability + 1e-8).log()
    no = (1 - ALPHA) * probability**GAMMA * -(1 - probability + 1e-8).log()
    return yes - no


CLASS_COSTS = {"probability": class_cost, "focal": focal_class_cost}


def wanted_classes(
    prediction: Predictions, targets: list[Targets], assigned: list[Int[Tensor, "_g"]], no_object: int
) -> Int[Tensor, "B Q"]:
    """The class of the mask that each query answers for; ``no_object`` if for none.

    Lesson 09.
    """
    shape = prediction.class_logits.shape[:2]
    classes = prediction.class_logits.new_full(shape, no_object, dtype=torch.int64)
    classes[matched_pairs(assigned)] = labels_of(targets)
    return classes


def class_loss(
    prediction: Predictions, targets: list[Targets], assigned: list[Int[Tensor, "_g"]], config: BaseConfig
) -> Float[Tensor, ""]:
    """Cross-entropy of one prediction; queries without a mask should say "no object", at a tenth of the weight.

    Lesson 09.
    """
    logits = at_least_float32(prediction.class_logits)
    classes = wanted_classes(prediction, targets, assigned, config.num_classes)
    weights = logits.new_ones(config.num_classes + 1)
    weights[-1] = config.no_object_weight
    return F.cross_entropy(logits.transpose(1, 2), classes, weights)  # sum of w l over sum of w


def sigmoid_class_loss(
    prediction: Predictions, targets: list[Targets], assigned: list[Int[Tensor, "_g"]]
) -> Float[Tensor, ""]:
    """The focal loss of all classes of all queries of one prediction, as a sum: a query without a mask should say no to
    every class. Who asks divides it by the number of masks."""
    return sigmoid_class_losses(prediction, targets, assigned).sum()


def sigmoid_class_losses(
    prediction: Predictions, targets: list[Targets], assigned: list[Int[Tensor, "_g"]]
) -> Float[Tensor, "B Q K"]:
    """What each class of each query adds to :func:`sigmoid_class_loss`."""
    logits = at_least_float32(prediction.class_logits)
    wanted = logits.new_zeros(logits.shape)
    wanted[(*matched_pairs(assigned), labels_of(targets))] = 1
    return focal_values(logits, wanted)


def labels_of(targets: list[Targets]) -> Int[Tensor, "G"]:
    """The classes of all masks, image by image."""
    return torch.cat([t.labels for t in targets])
