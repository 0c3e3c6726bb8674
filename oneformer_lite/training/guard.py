"""Where the first NaN or infinity came from: for the message of a skipped step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..data.batch import Batch
from ..evaluating import evaluating


def blame(model: nn.Module, batch: Batch, losses: dict[str, Tensor]) -> tuple[str, str]:
    """Which losses are not finite, and where that began: two half sentences.

    ``losses`` as the criterion returns them. Runs the model once more.
    """
    culprits = [name for name, loss in losses.items() if name != "total" and not torch.isfinite(loss)] or ["total"]
    what = f"the {', '.join(culprits)} loss is not finite (images {batch.image_ids})"
    if not torch.isfinite(batch.images).all():
        return what, "the pictures themselves hold numbers that are not finite"
    if parameter := first_bad_parameter(model):
        return what, f"the first parameter that is not finite is {parameter}"
    if module := first_bad_module(model, batch):
        return what, f"the first layer with an output that is not finite is {module}"
    return what, "all layers' outputs are finite: it happens in the loss itself"


def first_bad_parameter(model: nn.Module, gradients: bool = False) -> str | None:
    """Name of the first parameter (or the first whose gradient) is not finite."""
    for name, parameter in model.named_parameters():
        value = parameter.grad if gradients else parameter
        if value is not None and not torch.isfinite(value).all():
            return name
    return None


@torch.no_grad()
def first_bad_module(model: nn.Module, batch: Batch) -> str | None:
    """Name of the layer (a module without modules in it) that first gives a number that is not finite.

    In evaluation mode, so that norms neither collect the batch's statistics nor wait for other processes.
    """
    found: list[str] = []

    def watch(name: str):
        def look(module, inputs, output) -> None:
            tensors = output if isinstance(output, (list, tuple)) else [output]
            if not found and any(
                isinstance(t, Tensor) and t.is_floating_point() and not torch.isfinite(t).all() for t in tensors
            ):
                found.append(name)

        return look

    leaves = [(name, module) for name, module in model.named_modules() if not list(module.children())]
    hooks = [module.register_forward_hook(watch(name)) for name, module in leaves]
    try:
        with evaluating(model):
            model.learn(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else None
