"""The gradient of an answer beside that of the reference: a loss of the right value that teaches nothing is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from .calls import Raised, argument_names, call, leaves
from .compare import difference, listed
from .exercise import Case, Exercise

BUT = "right, but"  # how a line begins that says what is wrong beside the value
_STEPS = "detach, item, float, numpy and no_grad cut it off"


def gradient_difference(exercise: Exercise, yours: list[Tensor | None] | Raised, case: Case) -> str | None:
    """What differs first from the reference's gradients with respect to the arguments, in words; None if nothing."""
    names = _paths(argument_names(exercise.reference, len(case.args)), case.args)
    expected = gradients(exercise.reference, case.args)
    if isinstance(yours, Raised):
        return f"{BUT} where gradients are asked for yours raises {yours}"
    if not any(map(_counts, yours)) and any(map(_counts, expected)):
        return f"{BUT} no gradient flows back through yours: {_STEPS}"
    for name, wanted, found in zip(names, expected, yours, strict=True):
        if _counts(wanted) and found is None:
            return f"{BUT} no gradient flows back to {name}: {_STEPS}"
        zero = (
            torch.zeros(())
            if wanted is None and found is None
            else torch.zeros_like(found if wanted is None else wanted)
        )
        line = difference(zero if wanted is None else wanted, zero if found is None else found, 10 * exercise.tolerance)
        if line:
            return f"{BUT} in the gradient with respect to {name}: {line}"
    return None


def gradients(answer: Callable, args: tuple) -> list[Tensor | None] | Raised:
    """Of a weighted sum of all that an answer returns, with respect to each tensor of decimals among its arguments."""

    def weighted(*args: Any) -> list[Tensor | None]:
        with torch.enable_grad():
            total = sum((_weighted(part) for part in _tensors(answer(*args))), torch.zeros(()))
            if not total.requires_grad:
                return [None] * len(asking)
            return list(torch.autograd.grad(total, asking, allow_unused=True))

    args, asking = leaves(args)
    return call(weighted, args).output if asking else []


def _counts(gradient: Tensor | None) -> bool:
    return gradient is not None and bool(gradient.abs().max() > 1e-9)


def _weighted(output: Tensor) -> Tensor:
    """Each element times a number of its own, so that no two gradients cancel or are confused."""
    weights = torch.arange(output.numel(), dtype=output.dtype).mul(0.7).cos().view_as(output)
    return (output * weights).sum()


def _tensors(output: Any) -> list[Tensor]:
    if isinstance(output, Tensor):
        return [output] if output.is_floating_point() else []
    parts = list(output.values()) if isinstance(output, Mapping) else listed(output)
    return [t for part in parts for t in _tensors(part)] if isinstance(parts, list | tuple) else []


def _paths(names: list[str], args: tuple) -> list[str]:
    """The argument that each asking tensor stands in, in the order of :func:`leaves`."""
    return [name for name, value in zip(names, args, strict=True) for _ in leaves(value)[1]]
