"""Evaluation mode for a while: no dropout, no statistics collected; then each part of the model is as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from weakref import WeakKeyDictionary

from torch import nn


@dataclass
class _Visit:
    """One module while at least one block is inside."""

    was_training: bool
    blocks: int = 0


_lock = Lock()
_visits: WeakKeyDictionary[nn.Module, _Visit] = WeakKeyDictionary()


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """``model.eval()`` for the block, also where only parts of it train.

    Blocks may be nested and may overlap in several threads, over one model or parts of it: each module is in
    evaluation mode from the first block that begins to the last that ends. (A training step in another thread
    meanwhile would run in evaluation mode too; a model is trained or asked, not both at once.)
    """
    modules = list(model.modules())
    with _lock:
        for module in modules:
            visit = _visits.setdefault(module, _Visit(module.training))
            visit.blocks += 1
            visit.was_training |= module.training  # somebody called train() within a block
            module.training = False
    try:
        yield
    finally:
        with _lock:
            for module in modules:
                _leave(module)


def _leave(module: nn.Module) -> None:
    visit = _visits[module]
    visit.blocks -= 1
    if visit.blocks == 0:
        module.training |= visit.was_training
        del _visits[module]
