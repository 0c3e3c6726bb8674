"""Recipes on smaller machines than the eight GPUs they were published for: what is changed, in which order, and why.

First what changes no result (activation checkpointing), then what hardly does (micro-batches, half precision), then
the training crop, at last the batch, with which learning rate and steps have to change.

What checkpointing saves, measured with ``ofl.plan`` on a CPU in float32 (coco_r50, two images at once, peak of the
whole process): 6.7 -> 3.3 GB at a crop of 512, 2.9 -> 1.7 GB at 256. The settings below have not been measured on the
cards whose names they bear: ``ofl.plan`` does that where the card is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ..checks import check_count, only_known_names
from ..config import BaseConfig
from ..errors import ConfigError
from ..notices import warn_user
from .config import TrainConfig, check_recipes


@dataclass(frozen=True)
class Machine:
    """Where to begin on a kind of machine; ``ofl.plan`` measures whether it fits."""

    images_at_once: int
    image_size: int  # longest training crop
    precision: str
    workers: int
    checkpoint_activations: bool = True
    batch_size: int | None = None  # None: the recipe's


MACHINES = {
    "gpu_24gb": Machine(images_at_once=2, image_size=1024, precision="bf16", workers=6),
    # Colab's T4 does not support bf16, and its two cores have to paint every picture
    "colab_16gb": Machine(images_at_once=2, image_size=768, precision="fp16", workers=2),
    "cpu": Machine(2, image_size=320, precision="float32", workers=1, checkpoint_activations=False, batch_size=4),
}


@only_known_names
def for_machine(config: BaseConfig, train_config: TrainConfig, machine: str) -> tuple[BaseConfig, TrainConfig]:
    """``config`` and ``train_config`` as they fit a "gpu_24gb", "colab_16gb" or "cpu"; a warning tells all changes.

    Lesson 14.

    >>> config, recipe = for_machine(ofl.config.coco_r50(), coco_training(), "gpu_24gb")
    >>> ofl.plan(config, recipe)  # does it fit, how long will it take

    The batch stays whole, in micro-batches of two images (fewer negatives for the contrastive loss, nothing else
    changes); only a CPU gets a smaller one (:func:`rescaled`).
    """
    check_recipes(config, train_config)
    if not isinstance(machine, str) or machine not in MACHINES:
        raise ConfigError(f"there are no settings for a machine {machine!r}; there are {', '.join(MACHINES)}")
    m = MACHINES[machine]
    recipe, changes = train_config, []
    if m.batch_size and m.batch_size < recipe.batch_size:
        recipe, words = _rescaled(recipe, m.batch_size)
        changes.append(words)
    settings = {
        "accumulate": max(recipe.accumulate, micro_batches(recipe.batch_size, m.images_at_once)),
        "checkpoint_activations": recipe.checkpoint_activations or (m.checkpoint_activations and not recipe.compile),
        "precision": m.precision,
        "workers": m.workers,
    }
    changes += [f"{name} {getattr(recipe, name)} -> {value}" for name, value in settings.items()
                if getattr(recipe, name) != value]  # fmt: skip
    recipe = replace(recipe, **settings)
    if config.image_size > m.image_size:
        changes.append(f"training crop {config.image_size} -> {m.image_size}")
        config = replace(config, image_size=m.image_size)
    if changes:
        warn_user(f"for {machine}: {'; '.join(changes)}")
    return config, recipe


def rescaled(train_config: TrainConfig, batch_size: int) -> TrainConfig:
    """The same training with another batch: as many images in all, and a learning rate that goes with it. Lesson 14.

    AdamW's steps have a length of their own, whatever the size of the gradient; so its rate grows with the square
    root of the batch (Malladi et al., "On the SDEs and Scaling Rules for Adaptive Gradient Algorithms", NeurIPS
    2022), not in proportion as SGD's. The averaged weights keep the number of images they average over (Busbridge
    et al., "How to Scale Your EMA", NeurIPS 2023). Warns, in words, of what changes.
    """
    recipe, words = _rescaled(train_config, batch_size)
    if words:
        warn_user(words)
    return recipe


def micro_batches(batch_size: int, at_once: int) -> int:
    """The fewest equal parts of a batch with at most ``at_once`` images each."""
    return next(
        parts for parts in range(1, batch_size + 1) if batch_size % parts == 0 and batch_size // parts <= at_once
    )


def _rescaled(c: TrainConfig, batch_size: int) -> tuple[TrainConfig, str]:
    check_count("batch_size", batch_size)
    ratio = batch_size / c.batch_size
    if ratio == 1:
        return c, ""
    settings = {
        "batch_size": batch_size,
        "accumulate": micro_batches(batch_size, c.images_at_once),
        "lr": c.lr * math.sqrt(ratio),
        "steps": c.steps and max(1, round(c.steps / ratio)),
        "warmup_steps": round(c.warmup_steps / ratio),
        "ema_decay": c.ema_decay and c.ema_decay**ratio,
    }
    told = [f"{name} {getattr(c, name):.4g} -> {value:.4g}" for name, value in settings.items()
            if getattr(c, name) != value and name not in ("batch_size", "steps")]  # fmt: skip
    steps = [f"steps {c.steps:,} -> {settings['steps']:,} (as many images)"] if c.steps else []
    return replace(c, **settings), ", ".join([f"batch_size {c.batch_size} -> {batch_size}", *steps, *told])
