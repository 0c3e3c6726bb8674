"""One batch through model, criterion and back, kept for all checks that look at it."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..data.batch import Batch
from ..evaluating import evaluating
from ..model import MaskModel
from ..model.output import Output

STEP = 0.1  # length of the step, over all parameters


@dataclass(frozen=True)
class Examination:
    """``gradients``: of the weighted sum of losses, by parameter; None where none arrived."""

    model: MaskModel
    batch: Batch
    output: Output
    losses: dict[str, Tensor]
    gradients: dict[str, Tensor | None]

    @property
    def masks(self) -> int:
        """Ground-truth masks in the batch."""
        return sum(len(target) for target in self.batch.targets)


def examine_batch(model: MaskModel, batch: Batch, criterion: Callable, seed: int = 0) -> Examination:
    """Run the batch in evaluation mode (no dropout, no statistics collected), with gradients.

    Nothing of the model changes, nor do the random numbers drawn later.
    """
    twin = with_all_parts(model)
    with evaluating(twin), warnings.catch_warnings(), torch.random.fork_rng(), torch.enable_grad():
        warnings.simplefilter("ignore")  # what it would warn about is a finding
        torch.manual_seed(seed)
        output = twin.learn(batch, trace=True)
        losses = criterion(output, batch.targets)
        gradients = _gradients(twin, losses["total"])
    return Examination(model, batch, output, losses, gradients)


def with_all_parts(model: MaskModel) -> MaskModel:
    """The model itself, or if it came without parts for learning, as published ones without text mapper, a twin that
    shares its parameters and has such parts with random weights that may not learn: all but their own losses can then
    be examined."""
    missing = model.missing_parts
    if not missing:
        return model
    twin = copy.copy(model)
    twin._modules = dict(model._modules)  # so that the model keeps none
    with torch.random.fork_rng():
        twin.add_missing_parts()
    for name in missing:
        getattr(twin, name).to(model.device, model.dtype).requires_grad_(False)
    return twin


def examine_a_step_later(e: Examination, criterion: Callable) -> Examination:
    """The same batch after a small step down the gradient, taken by a copy of the model.

    Some layers start from zero (the deformable attention's offsets and weights), and what lies before them gets
    no gradient until they have left it. In float32: in half precision small gradients are rounded to zero.
    """
    model = copy.deepcopy(e.model).float()
    norm = sum(float(g.double().square().sum()) for g in e.gradients.values() if g is not None) ** 0.5
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if (gradient := e.gradients.get(name)) is not None:
                parameter -= STEP * gradient / max(norm, 1e-12)
    return examine_batch(model, e.batch, criterion)


def _gradients(model: MaskModel, loss: Tensor) -> dict[str, Tensor | None]:
    learning = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not learning or not loss.requires_grad:
        return dict.fromkeys(learning)
    return dict(zip(learning, torch.autograd.grad(loss, list(learning.values()), allow_unused=True)))
