"""Can the model learn from this batch? Its losses one by one, its gradients, its numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection

import torch

from ..data.batch import Batch
from ..dataset_checks.findings import Finding
from ..losses.contrastive import contrastive_loss
from ..losses.terms import TERMS
from ..model import MaskModel
from ..training.guard import blame, first_bad_parameter
from .examination import Examination, examine_a_step_later, with_all_parts
from .sense import BELOW_CURE, BELOW_ZERO

ZERO_LOSS = 1e-6  # a loss below counts as zero
QUIET_CLASSES = 0.01  # a class loss over ten predictions that is smaller knows, or sees, nothing but "no object"


@torch.no_grad()
def check_parameters(model: MaskModel) -> Finding:
    """No parameter is infinite or not a number, and no statistic that a norm has collected."""
    bad = first_bad_parameter(model)
    bad = bad or next((name for name, value in model.named_buffers() if value.isnan().any()), None)
    if bad:
        return Finding("numbers", "fault", f"{bad} is not finite", "load the last good checkpoint")
    return Finding("numbers", "fine", "all parameters are finite")


def check_numbers(e: Examination) -> Finding:
    """No parameter, loss or gradient is infinite or not a number."""
    name = "numbers"
    if (parameters := check_parameters(e.model)).verdict == "fault":
        return parameters
    if not torch.isfinite(e.losses["total"]):
        culprits = blame(with_all_parts(e.model), e.batch, e.losses)
        return Finding(name, "fault", "; ".join(culprits), "lower lr or set clip_norm=1.0")
    bad = [key for key, gradient in e.gradients.items() if gradient is not None and not gradient.isfinite().all()]
    if bad:
        return Finding(
            name, "fault", f"the gradient of {bad[0]} is not finite ({len(bad)} in all)",
            "look for a division or a root at 0 in the loss, and set clip_norm=1.0",
        )  # fmt: skip
    return Finding(name, "fine", "parameters, losses and gradients are finite")


def check_losses(e: Examination, left_out: Collection[str] = ()) -> list[Finding]:
    """Each loss but those ``left_out`` is above zero, or the reason why not."""
    return [_check_loss(e, name) for name in e.losses if name not in ("total", *left_out)]


def check_labels(batch: Batch, classes: int) -> Finding:
    """There are masks, of the pictures' size, and their labels name one of the model's ``classes``."""
    name = "labels of the batch"
    labels = torch.cat([target.labels for target in batch.targets])
    if not len(labels):
        return Finding(
            name, "fault", f"no ground truth is left in {len(batch.targets)} pictures ({_tasks(batch)})",
            "look at the crop and at which segments become targets; with nothing to find, cross-entropy falls to 0",
        )  # fmt: skip
    if int(labels.min()) < 0 or int(labels.max()) >= classes:
        return Finding(
            name, "fault", f"they run from {int(labels.min())} to {int(labels.max())}, the model knows 0 to "
            f"{classes - 1}; {classes} means \"no object\"",
            "labels equal to the number of classes teach every query to say \"no object\": subtract the offset",
        )  # fmt: skip
    sizes = {tuple(target.masks.shape[1:]) for target in batch.targets}
    if sizes != {tuple(batch.images.shape[2:])}:
        found = ", ".join(f"{h} x {w}" for h, w in sorted(sizes))
        return Finding(
            name, "fault", f"masks are {found}, the pictures {batch.images.shape[2]} x {batch.images.shape[3]}: "
            "masks at the wrong resolution", "pad targets like images, as ofl.data.collate does",
        )  # fmt: skip
    return Finding(name, "fine", f"{len(labels)} masks of {len(labels.unique())} classes in {_tasks(batch)}")


def check_gradients(e: Examination, criterion: Callable) -> Finding:
    """Every parameter that may learn gets a gradient, now or one step later."""
    name = "gradients"
    frozen = sum(not p.requires_grad for p in e.model.parameters())
    if not e.gradients:
        return Finding(name, "fault", "no parameter may learn (requires_grad is False for all)", "unfreeze some")
    if not e.masks:
        return Finding(
            name, "warning", "without a mask to learn from, not all parameters can get one",
            "see the findings on segments and on the labels of the batch",
        )  # fmt: skip
    dead = _without_gradient(e)
    if dead and len(dead) < len(e.gradients):
        later = _without_gradient(examine_a_step_later(e, criterion))
        dead = [key for key in dead if key in later]
    if dead:
        parts = Counter(key.split(".")[0] for key in dead)
        where = ", ".join(f"{part} ({n})" for part, n in parts.most_common())
        return Finding(
            name, "fault", f"{len(dead)} of {len(e.gradients)} parameters get none: {where}; the first is {dead[0]}",
            "a dead part is cut off by .detach(), by a loss that is zero, or not used in forward",
        )  # fmt: skip
    norm = math.sqrt(sum(float(g.double().square().sum()) for g in e.gradients.values() if g is not None))
    idle = len(_idle(e) & e.gradients.keys())
    aside = f"; {idle} have nothing to do here" if idle else ""
    evidence = f"all {len(e.gradients) - idle} parameters get one ({frozen} are frozen{aside}), norm {norm:.3g}"
    return Finding(name, "fine", evidence)


def _without_gradient(e: Examination) -> list[str]:
    """Parameters that got none, though the configuration does not say so."""
    dead = [key for key, gradient in e.gradients.items() if gradient is None or not gradient.any()]
    learning, idle = dict(e.model.named_parameters()), _idle(e)
    return [key for key in dead if learning[key].numel() and key not in idle]


def _idle(e: Examination) -> set[str]:
    """Parameters that configuration or batch leave nothing to do, as the model itself says."""
    idle = {id(p) for part in e.model.idle(len(e.batch.images)) for p in part.parameters()}
    return {name for name, parameter in e.model.named_parameters() if id(parameter) in idle}


def _check_loss(e: Examination, loss: str) -> Finding:
    name, value = f"{loss} loss", float(e.losses[loss].detach())
    weight = getattr(e.model.config, f"{loss}_weight", 1.0)  # a criterion of one's own may have losses of its own
    evidence = f"{value:.3g}, weight {weight:g}"
    if not math.isfinite(value):
        return Finding(name, "fault", evidence, "see the finding on numbers")
    if value < -ZERO_LOSS and loss in TERMS:
        return Finding(name, "fault", f"{evidence}: {BELOW_ZERO}", BELOW_CURE)
    if loss == "contrastive" and value < ZERO_LOSS and _told_apart(e):
        return Finding(name, "fine", f"{evidence}: {len(e.batch.images)} pictures are told apart without a doubt")
    if loss == "contrastive" and len(e.batch.images) == 1:
        evidence += ": a batch of one has no other picture to compare with"
        return Finding(name, "fault", evidence, "train with a batch of two or more, and show the doctor as many")
    if value < ZERO_LOSS or (loss == "class" and value < QUIET_CLASSES and not e.masks):
        reason, cure = _why_zero(e, loss)
        return Finding(name, "fault", f"{evidence}: {reason}", cure)
    if weight == 0 and loss == "contrastive" and len(set(e.batch.tasks)) == 1:
        return Finding(name, "fine", f"{evidence}: under one task there is next to nothing to compare")
    if weight == 0:
        return Finding(name, "warning", f"{evidence}: it has no effect", f"set {loss}_weight in the configuration")
    return Finding(name, "fine", evidence)


def _told_apart(e: Examination) -> bool:
    """Whether the zero is earned: the queries and texts of several pictures give it."""
    own = contrastive_loss(e.output.object_queries, e.output.text_queries, e.output.logit_scale)
    return len(e.batch.images) > 1 and float(own.detach()) < ZERO_LOSS


def _why_zero(e: Examination, loss: str) -> tuple[str, str]:
    if loss == "contrastive":
        return "the queries and texts of this batch do not give that", "look at what the criterion does with them"
    if not e.masks:
        return "no ground truth is left in the batch", "look at the crop, and at the findings on segments and labels"
    if loss == "class":
        return (
            f"with {e.masks} masks to name, no honest cross-entropy is zero",
            "compare the labels that reach F.cross_entropy with Targets.labels, and its weights with no_object_weight",
        )
    return f"no query was matched to any of {e.masks} masks", "look at what the matcher returns"


def _tasks(batch: Batch) -> str:
    return ", ".join(f"{n} {task}" for task, n in Counter(batch.tasks).items())
