"""How a model is trained: data, schedule, optimiser, and where the run lives on disk."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ..data.sample import TASKS
from ..errors import ConfigError

PRECISIONS = ("float32", "bf16", "fp16")
SCHEDULES = ("cosine", "multistep", "poly")
# what may change when a run is taken up again: where it lies, how long it takes, how it is watched and saved
CHANGEABLE = {
    "out", "data", "val_split", "steps", "minutes", "evaluations", "eval_images", "keep_best", "save_minutes",
    "save_steps", "log_steps", "log_tensorboard", "workers", "checkpoint_activations", "compile", "data_may_change",
}  # fmt: skip


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
    # a trained model to go on from (fine-tuning): whatever ofl.from_pretrained reads; None: ImageNet's backbone, or
    # random weights, as ModelConfig.pretrained says
    start_from: str | None = None
    # how often an image is given each of TASKS (panoptic, instance, semantic), as far as its annotation
    # supplies them; only the proportions count
    task_probabilities: tuple[float, ...] = (1 / 3, 1 / 3, 1 / 3)

    # -- budget: optimiser steps, or minutes of training (evaluation and saving do not count)
    steps: int | None = None
    minutes: float | None = None
    batch_size: int = 8  # images a step, over all processes
    # micro-batches, one after the other, whose gradients are summed: less memory. Each is divided by its own
    # number of masks, and the contrastive loss finds its negatives in the micro-batch only
    accumulate: int = 1

    # -- AdamW with the published parameter groups (training/optim.py)
    lr: float = 1e-4
    weight_decay: float = 0.05
    backbone_lr_multiplier: float = 0.1
    warmup_steps: int = 20
    # the rate over the budget: "cosine" down to final_lr of the peak, "multistep" a tenth from each of
    # lr_drops (shares of the budget) on, "poly" as (1 - share) ** 0.9
    schedule: str = "cosine"
    final_lr: float = 0.01
    lr_drops: tuple[float, ...] = ()
    # largest norm of the whole gradient. The official configurations say 0.01, but the released script
    # never clips (its iterator over the parameters is used up before): None is what it does in effect
    clip_norm: float | None = None
    ema_decay: float | None = None  # average the weights over about 1 / (1 - decay) steps

    # "bf16" and "fp16": autocast; pixel decoder, losses and weights stay in float32
    precision: str = "float32"
    # less memory for a third more computation: the layers' inner values are computed again when gradients need
    # them (training/switches.py); the gradients stay the same. Not together with compile
    checkpoint_activations: bool = False
    # torch.compile: minutes at the start for faster steps; roundings differ, and what dropout draws
    compile: bool = False

    # -- looking at it
    evaluations: int = 4  # quick ones during training, on eval_images scenes
    eval_images: int = 48
    # also leave the model with the best PQ (else AP, else mIoU) of these evaluations, in {out}/best
    keep_best: bool = False
    save_minutes: float = 5.0
    save_steps: int | None = None  # also after every so many steps
    log_steps: int = 10
    log_tensorboard: bool = False  # besides metrics.jsonl, in {out}/tensorboard

    workers: int = 1
    seed: int = 0
    # resume although the training data are not those that the run began with: other pictures, order or classes
    data_may_change: bool = False

    def __post_init__(self) -> None:
        for name in ("task_probabilities", "lr_drops"):  # JSON has lists
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if (self.steps is None) == (self.minutes is None):
            raise ConfigError("give either steps or minutes, so that the run knows when to end")
        for name in ("steps", "minutes", "batch_size", "accumulate", "lr", "log_steps", "save_steps"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ConfigError(f"{name} must be positive, got {value}")
        if self.schedule not in SCHEDULES:
            raise ConfigError(f"schedule is {self.schedule!r}; expected one of {SCHEDULES}")
        if self.precision not in PRECISIONS:
            raise ConfigError(f"precision is {self.precision!r}; expected one of {PRECISIONS}")
        if bool(self.lr_drops) != (self.schedule == "multistep"):
            raise ConfigError('lr_drops are what schedule="multistep" needs, and no other takes')
        if self.checkpoint_activations and self.compile:
            raise ConfigError(
                "checkpoint_activations and compile do not go together: PyTorch's compiled recomputation may draw "
                "other random numbers for dropout than the first pass did; choose one"
            )
        shares = self.task_probabilities
        if len(shares) != len(TASKS) or min(shares) < 0 or not sum(shares):
            raise ConfigError(f"task_probabilities are {shares}; expected a share of 0 or more for each of {TASKS}")

    def recipe(self) -> dict:
        """The settings on which it depends what a run learns."""
        return {name: value for name, value in asdict(self).items() if name not in CHANGEABLE}


def toytown_training(**changes) -> TrainConfig:
    """What the demo trains with: a high rate, many small steps (ten minutes are some 2500)."""
    settings = {
        "lr": 2e-3, "clip_norm": 1.0, "ema_decay": 0.995, "batch_size": 6, "warmup_steps": 50,
    }  # fmt: skip
    return TrainConfig(**(settings | changes))


def coco_training(epochs: int = 50, **changes) -> TrainConfig:
    """COCO as published: 50 epochs for ResNet-50 and Swin-T, 100 for Swin-L and DiNAT-L.

    Swin-L's official file puts its second drop at step 735,184 of 737,500, surely a slip of 710,184;
    ``lr_drops=(655_556 / 737_500, 735_184 / 737_500)`` repeats it.
    """
    settings = {
        "data": "data/coco", "train_split": "train2017", "val_split": "val2017", "augmentation": "coco",
        "steps": 7375 * epochs, "schedule": "multistep", "lr_drops": (327_778 / 368_750, 355_092 / 368_750),
    }  # fmt: skip
    return _published(settings, changes)


def ade20k_training(**changes) -> TrainConfig:
    """ADE20K as published, whatever backbone and crop: 160,000 steps."""
    settings = {"data": "data/ade20k", "augmentation": "ade20k", "steps": 160_000, "schedule": "poly"}
    return _published(settings, changes)


def cityscapes_training(**changes) -> TrainConfig:
    """Cityscapes as published: 90,000 steps."""
    settings = {"data": "data/cityscapes", "augmentation": "cityscapes", "steps": 90_000, "schedule": "poly"}
    return _published(settings, changes)


def mapillary_training(**changes) -> TrainConfig:
    """Mapillary Vistas as published: 300,000 steps, and never the instance task."""
    settings = {
        "data": "data/mapillary", "augmentation": "mapillary", "steps": 300_000, "schedule": "poly",
        "task_probabilities": (0.5, 0.0, 0.5),
    }  # fmt: skip
    return _published(settings, changes)


def _published(settings: dict, changes: dict) -> TrainConfig:
    """What all official configurations share, then a data set's, then the caller's.

    ``minutes`` takes the place of the published steps; the schedule stretches or shrinks with the budget.
    """
    shared = {
        "out": f"runs/{settings['augmentation']}", "batch_size": 16, "lr": 1e-4, "weight_decay": 0.05,
        "backbone_lr_multiplier": 0.1, "warmup_steps": 0, "clip_norm": None, "ema_decay": None,
        "task_probabilities": (0.34, 0.33, 0.33), "workers": 4,
    }  # fmt: skip
    budget = {"steps": None} if changes.get("minutes") else {}
    return TrainConfig(**(shared | settings | budget | changes))
