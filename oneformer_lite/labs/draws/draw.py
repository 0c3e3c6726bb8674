"""Random numbers of a seed, the same on every machine, and the cases that are made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..exercise import Case


class Draw:
    """Tensors and choices of one drawn case, the ``nth`` of its seed."""

    def __init__(self, seed: int, number: int) -> None:
        self.rng, self.nth = np.random.default_rng([seed, number]), number

    def normal(self, *shape: int, scale: float = 1.0) -> Tensor:
        """Float32."""
        return torch.from_numpy(scale * self.rng.standard_normal(shape)).float()

    def uniform(self, *shape: int) -> Tensor:
        """Float32 from 0 to 1."""
        return torch.from_numpy(self.rng.random(shape)).float()

    def whole(self, high: int, *shape: int) -> Tensor:
        """Int64 from 0 to ``high`` - 1."""
        return torch.from_numpy(self.rng.integers(0, high, shape))

    def between(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return int(self.rng.integers(low, high + 1))

    def number(self, low: float, high: float) -> float:
        """A decimal."""
        return float(self.rng.uniform(low, high))

    def some(self, values: Sequence[Any], count: int) -> list[Any]:
        """``count`` of the values, any of them perhaps more than once."""
        return [values[i] for i in self.rng.integers(0, len(values), count)]

    def order(self, count: int) -> list[int]:
        """0 to ``count`` - 1 in any order."""
        return self.rng.permutation(count).tolist()


def drawn(make: Callable[[Draw], tuple], count: int = 2) -> Callable[[int], list[Case]]:
    """What draws ``count`` cases, named "drawn 1" and so on, from a seed; ``make`` gives the arguments of one."""
    return lambda seed: [Case(f"drawn {n}", *make(Draw(seed, n))) for n in range(1, count + 1)]
