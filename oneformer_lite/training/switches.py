"""Switches that change what a step costs, and nothing of what it computes: memory against time, time against waiting.

Both act on the modules of a model where they stand: names, parameters and checkpoints stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint

from ..model import MaskModel
from .config import TrainConfig


def apply_switches(model: MaskModel, config: TrainConfig) -> None:
    """Prepare ``model`` for the steps of a run: what ``config`` says about memory and speed."""
    if config.checkpoint_activations:
        checkpoint_activations(model)
    if config.compile:
        compile_parts(model)


def checkpoint_activations(model: nn.Module) -> None:
    """Keep only the inputs of every repeated block, and compute the rest again in the backward pass. Lesson 14.

    A third more computation for a fraction of the memory: Chen et al., "Training Deep Nets with Sublinear Memory
    Cost" (2016). Random numbers are those of the first pass, and BatchNorms collect their statistics only there.
    """
    for block in repeated_blocks(model):
        contexts = partial(_contexts, block) if _collecting_norms(block) else None
        options = {"context_fn": contexts} if contexts else {}
        block.forward = partial(checkpoint, block.forward, use_reentrant=False, **options)


def repeated_blocks(model: nn.Module) -> list[nn.Module]:
    """The layers that a network repeats: items of lists whose items are of one kind, at the innermost level.

    These are the blocks of a backbone (not its stages), the layers of pixel decoder, query transformer, masked
    decoder and text encoder. Single linear and norm layers are too small to count.
    """
    lists = [m for m in model.modules() if isinstance(m, (nn.Sequential, nn.ModuleList)) and len(m)]
    uniform = [items for items in lists if len({type(item) for item in items}) == 1]
    blocks = [item for items in uniform for item in items if list(item.children())]
    known = set(blocks)
    return [block for block in blocks if known.isdisjoint(set(block.modules()) - {block})]


def compile_parts(model: MaskModel) -> None:
    """``torch.compile`` for all parts whose shapes are the same in every step of a training.

    OneFormer's text mapper is left out, as every batch has other numbers of texts and words, and so is the criterion
    (numbers of masks), which would be compiled again all the time.
    """
    for part in model.parts_of_fixed_shapes():
        part.compile()


def _contexts(block: nn.Module) -> tuple:
    """What surrounds the first pass through ``block``, and the second."""
    return nullcontext(), _statistics_kept(block)


@contextmanager
def _statistics_kept(block: nn.Module) -> Iterator[None]:
    """BatchNorms normalise by the batch as ever, but do not count it a second time."""
    norms = _collecting_norms(block)
    before = [(norm, norm.momentum, norm.num_batches_tracked.clone()) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum, count in before:
            norm.momentum = momentum
            norm.num_batches_tracked.copy_(count)


def _collecting_norms(block: nn.Module) -> list[nn.Module]:
    norms = [m for m in block.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    return [norm for norm in norms if norm.training and norm.track_running_stats]
