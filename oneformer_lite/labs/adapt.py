"""A right answer whose results come in other containers than the reference's, so that a lab can go on with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .calls import Raised, outputs
from .compare import is_nothing, listed, stacked
from .exercise import Exercise


def adapted(answer: Callable, exercise: Exercise) -> Callable:
    """``answer`` itself if it gives what the reference gives, kind for kind; else one that turns its results."""
    cases = exercise.cases()
    pairs = list(zip(outputs(exercise.reference, cases), outputs(answer, cases), strict=True))
    pairs = [pair for pair in pairs if not isinstance(pair[0], Raised)]
    if all(_like(expected, yours) is yours for expected, yours in pairs):
        return answer
    pattern = max((expected for expected, _ in pairs), key=_richness)

    @wraps(answer)
    def turned(*args: Any, **kwargs: Any) -> Any:
        return _like(pattern, answer(*args, **kwargs))

    return turned


def _like(pattern: Any, value: Any) -> Any:
    """``value`` in the kind of ``pattern``: tensor, array, list or dictionary; itself where it is of that kind."""
    if isinstance(pattern, Tensor | np.ndarray) and pattern.ndim > 1 and is_nothing(value):
        return pattern[:0]
    if isinstance(pattern, Tensor) and pattern.ndim and not isinstance(value, Tensor):
        return torch.as_tensor(stacked(value)).to(pattern.dtype)
    if isinstance(pattern, np.ndarray) and not isinstance(value, np.ndarray):
        return stacked(value).astype(pattern.dtype)
    if isinstance(pattern, Mapping) and pattern and isinstance(value, Mapping):
        first = next(iter(pattern.values()))
        return _unless_same(value, {key: _like(pattern.get(key, first), part) for key, part in value.items()})
    if isinstance(pattern, list | tuple) and pattern:
        parts = listed(value)
        patterns = pattern if len(pattern) == len(parts) else [pattern[0]] * len(parts)
        return _unless_same(value, [_like(p, part) for p, part in zip(patterns, parts, strict=True)])
    return value


def _unless_same(value: Any, turned: Any) -> Any:
    """``value`` if it is a list or dictionary and nothing in it was turned."""
    if isinstance(value, Mapping):
        return value if all(turned[key] is part for key, part in value.items()) else turned
    same = isinstance(value, list | tuple) and all(a is b for a, b in zip(value, turned, strict=True))
    return value if same else turned


def _richness(pattern: Any) -> int:
    """How many parts a pattern tells the kind of."""
    if isinstance(pattern, list | tuple):
        return 1 + sum(map(_richness, pattern))
    return 1 + len(pattern) if isinstance(pattern, Mapping) else 1
