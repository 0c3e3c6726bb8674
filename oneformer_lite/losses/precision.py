"""Losses and costs are computed in float32 at least, whatever the model computes in."""

from __future__ import annotations

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """Half precision becomes float32; float32, and the float64 of exact comparisons, stay."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
