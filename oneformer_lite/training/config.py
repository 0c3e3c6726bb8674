"""How a model is trained: data, schedule, optimiser, and where the run lives on disk."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ConfigError


@dataclass(frozen=True)
class TrainConfig:
    """A training run. Exactly one of ``steps`` and ``minutes`` bounds it.

    ``data`` is a folder in COCO's layout: pictures in ``{data}/{split}/``, annotations in
    ``{data}/annotations/panoptic_{split}.json`` and the folder of the same name.
    """

    out: str = "runs/toytown"
    data: str = "data/toytown"
    train_split: str = "train"
    val_split: str = "val"
    augmentation: str = "flip"

    # -- budget: optimiser steps, or minutes of training (evaluation and saving do not count)
    steps: int | None = None
    minutes: float | None = None
    batch_size: int = 8

    # -- AdamW with the published parameter groups (training/optim.py)
    lr: float = 1e-4
    weight_decay: float = 0.05
    backbone_lr_multiplier: float = 0.1
    warmup_steps: int = 20
    final_lr: float = 0.01  # of the peak, at the end of the cosine
    clip_norm: float | None = None  # None is what the released script does in effect
    ema_decay: float | None = None  # average the weights over about 1 / (1 - decay) steps

    # -- looking at it
    evaluations: int = 4  # quick ones during training, on eval_images scenes
    eval_images: int = 48
    save_minutes: float = 5.0
    log_steps: int = 10

    workers: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.minutes is None):
            raise ConfigError("give either steps or minutes, so that the run knows when to end")
        for name in ("steps", "minutes", "batch_size", "lr", "log_steps"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ConfigError(f"{name} must be positive, got {value}")


def toytown_training(**changes) -> TrainConfig:
    """What the demo trains with: a high rate, many small steps (ten minutes are some 2000)."""
    settings = {
        "lr": 2e-3, "backbone_lr_multiplier": 0.2, "clip_norm": 1.0, "ema_decay": 0.995,
        "batch_size": 8, "warmup_steps": 50,
    }  # fmt: skip
    return TrainConfig(**(settings | changes))
