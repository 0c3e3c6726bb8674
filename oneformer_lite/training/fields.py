"""What the fields of a recipe may hold, and what is meant by a name that is none of them."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import fields
from numbers import Integral, Real
from types import NoneType
from typing import TypeVar

import numpy as np

from ..checks import only_known_names
from ..errors import ConfigError

Recipe = TypeVar("Recipe")
# what a value of an annotated type may be, and how that is said; the others are sequences of numbers
KINDS = {
    "int": (Integral, "a whole number"),
    "int | None": ((Integral, NoneType), "a whole number or None"),
    "float": (Real, "a number"),
    "float | None": ((Real, NoneType), "a number or None"),
    "str": ((str, os.PathLike), "a text"),
    "str | None": ((str, os.PathLike, NoneType), "a text or None"),
    "bool": (bool, "True or False"),
}
SEQUENCE = ((list, tuple, np.ndarray), "a list of numbers")
# how other programs call what a recipe has, and what of theirs it says otherwise
ALSO_CALLED = {
    "lr": ("learning_rate", "base_lr", "rate", "max_lr", "initial_lr", "lr0"),
    "batch_size": ("batch", "bs", "ims_per_batch", "train_batch_size", "per_device_train_batch_size"),
    "steps": ("iterations", "iters", "max_iter", "max_iters", "max_steps", "num_steps", "train_steps"),
    "workers": ("num_workers", "dataloader_num_workers", "n_workers"),
    "out": ("output", "output_dir", "out_dir", "save_dir", "work_dir", "project", "folder"),
    "data": ("dataset", "data_dir", "data_root", "root", "data_path"),
    "weight_decay": ("wd", "decay", "l2"),
    "warmup_steps": ("warmup", "warmup_iters", "num_warmup_steps"),
    "clip_norm": ("grad_clip", "gradient_clip", "clip_grad", "max_norm", "max_grad_norm", "gradient_clip_val"),
    "ema_decay": ("ema",),
    "precision": ("amp", "fp16", "bf16", "half", "mixed_precision", "dtype"),
    "accumulate": ("gradient_accumulation", "gradient_accumulation_steps", "grad_accum", "accumulate_grad_batches"),
    "schedule": ("scheduler", "lr_scheduler", "lr_schedule", "lr_scheduler_type"),
    "evaluations": ("eval_every", "eval_steps", "eval_period", "val_interval", "val_check_interval"),
    "start_from": ("checkpoint", "weights", "pretrained", "resume", "resume_from", "finetune_from", "model"),
    "seed": ("random_seed", "random_state"),
    "log_tensorboard": ("tensorboard", "use_tensorboard"),
    "log_steps": ("log_every", "log_interval", "logging_steps", "print_every"),
    "save_steps": ("save_every", "checkpoint_period"),
    "checkpoint_activations": ("gradient_checkpointing", "activation_checkpointing", "use_checkpoint"),
    "augmentation": ("augment", "augmentations", "transforms", "transform"),
    "keep_best": ("save_best", "save_best_only", "load_best_model_at_end"),
}
ELSEWHERE = {
    "epochs": "give steps = epochs x pictures / batch_size (coco_training(epochs=50) counts COCO's pictures)",
    "image_size": "the model's configuration has it: dataclasses.replace(config, image_size=...)",
    "num_classes": "the model's configuration has it: config.for_classes(config, dataset.categories)",
    "device": "ofl.train takes the GPU where there is one; ofl.launch(config, train_config, devices=...) chooses",
    "optimizer": "it is AdamW, with lr, weight_decay and backbone_lr_multiplier",
}
ELSEWHERE |= {"num_epochs": ELSEWHERE["epochs"], "max_epochs": ELSEWHERE["epochs"], "devices": ELSEWHERE["device"],
              "gpus": ELSEWHERE["device"], "num_train_epochs": ELSEWHERE["epochs"], "img_size": ELSEWHERE["image_size"],
              "crop_size": ELSEWHERE["image_size"], "optim": ELSEWHERE["optimizer"]}  # fmt: skip


def only_known_fields(recipe: type[Recipe]) -> type[Recipe]:
    """The data class, whose constructor answers a name that is none of its fields with what was probably meant
    (:class:`ConfigError`); ``dataclasses.replace`` goes through it too."""
    return only_known_names(recipe, "field", ALSO_CALLED, ELSEWHERE)


def check_kinds(recipe: object) -> None:
    """Every value is of its field's kind and finite; numpy's numbers become Python's, paths texts, lists tuples.

    Raises :class:`ConfigError`: values may come from a file.
    """
    for field in fields(recipe):
        value = getattr(recipe, field.name)
        kinds, words = KINDS.get(field.type, SEQUENCE)
        if isinstance(value, np.ndarray):
            value = value.tolist()
        value = value.item() if isinstance(value, np.generic) else value
        if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
            raise ConfigError(f"{field.name} must be {words}, got {value!r}")
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if isinstance(value, (list, tuple)):
            value = tuple(value)
            if not all(isinstance(v, Real) and not isinstance(v, bool) and math.isfinite(v) for v in value):
                raise ConfigError(f"{field.name} must be {words}, got {value!r}")
        if isinstance(value, Real) and not math.isfinite(value):
            raise ConfigError(f"{field.name} must be finite, got {value!r}")
        object.__setattr__(recipe, field.name, value)


def check_range(recipe: object, words: str, holds: Callable[[float], bool], names: tuple[str, ...]) -> None:
    """The numbers under ``names`` are as ``words`` say; raises :class:`ConfigError`. None stays None."""
    for name in names:
        value = getattr(recipe, name)
        if value is not None and not holds(value):
            raise ConfigError(f"{name} must be {words}, got {value!r}")
