"""Tensors that depend on a size or a task alone are made once."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps

import torch


def remembered(function: Callable) -> Callable:
    """``function``, of hashable arguments, with its last 256 results kept.

    Made outside of inference mode, for the same map may serve prediction first and training later; and not kept while
    ``torch.compile`` or ``torch.export`` looks on, whose stand-ins for tensors must not outlive it.
    """
    fresh = torch.inference_mode(False)(function)
    kept = lru_cache(maxsize=256)(fresh)

    @wraps(function)
    def call(*arguments, **options):
        return (fresh if torch.compiler.is_compiling() else kept)(*arguments, **options)

    call.cache_clear = kept.cache_clear
    return call
