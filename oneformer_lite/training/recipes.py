"""How the published models were trained, by data set: a :class:`.TrainConfig` of each, which any setting may change."""

from __future__ import annotations

from numbers import Real

from ..config import BaseConfig
from ..errors import ConfigError
from .config import TrainConfig, for_learned_tasks


def toytown_training(**changes) -> TrainConfig:
    """What the demo trains with: a high rate, many small steps (ten minutes are some 2500)."""
    settings = {
        "lr": 2e-3, "clip_norm": 1.0, "ema_decay": 0.995, "batch_size": 6, "warmup_steps": 50,
    }  # fmt: skip
    return TrainConfig(**(settings | changes))


def digits_training(**changes) -> TrainConfig:
    """Scattered digits, which are not mirrored: many small steps at a high rate, as for Toytown."""
    settings = {"data": "data/digits", "out": "runs/digits", "augmentation": "fit", "batch_size": 16}
    return toytown_training(**(settings | changes))


def camvid_training(**changes) -> TrainConfig:
    """CamVid, semantic: square crops of pictures at 0.8 to 1.6 times their size, colours, flips; four pictures a
    step."""
    settings = {"data": "data/camvid", "out": "runs/camvid", "augmentation": "small_photographs", "batch_size": 4}
    return toytown_training(**(settings | changes))


def nuclei_training(**changes) -> TrainConfig:
    """Nuclei, instance: squares 3.5 to 7 nuclei wide, turned and mirrored any way; four pictures a step, at a quarter
    of Toytown's rate (a third of which for the backbone), as its 2e-3 undoes what the start knows. Lesson 21.
    """
    settings = {
        "data": "data/nuclei", "out": "runs/nuclei", "augmentation": "microscope", "batch_size": 4,
        "lr": 5e-4, "backbone_lr_multiplier": 0.3, "ema_decay": 0.99,
    }  # fmt: skip
    return toytown_training(**(settings | changes))


def coco_training(epochs: float = 50, **changes) -> TrainConfig:
    """COCO as published: 50 epochs for ResNet-50 and Swin-T, 100 for Swin-L and DiNAT-L, without the thousand of
    118,287 pictures in which there is no thing.

    Swin-L's official file puts its second drop at step 735,184 of 737,500, surely a slip of 710,184;
    ``lr_drops=(655_556 / 737_500, 735_184 / 737_500)`` repeats it.
    """
    if not isinstance(epochs, Real) or not 0 < epochs < 1e6:
        raise ConfigError(f"epochs must be positive, got {epochs!r}")
    settings = {
        "data": "data/coco", "train_split": "train2017", "val_split": "val2017", "augmentation": "coco",
        "steps": max(1, round(7375 * epochs)), "schedule": "multistep",
        "lr_drops": (327_778 / 368_750, 355_092 / 368_750), "only_with_things": True,
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


def recipe_for(config: BaseConfig, **changes) -> TrainConfig:
    """The recipe of the data set that ``config.data_set`` names, as the model's paper has it.

    Raises :class:`ConfigError` if none is published.
    """
    if config.data_set not in RECIPES:
        raise ConfigError(
            f"there is no recipe for data_set {config.data_set!r}; there are those of {', '.join(RECIPES)}: set "
            "data_set of the configuration to one of them, or write a TrainConfig"
        )
    own = dict(config.recipe)
    if "minutes" in changes or "epochs" in changes:  # another budget takes the place of the published steps
        own.pop("steps", None)
    return for_learned_tasks(config, RECIPES[config.data_set](**{**own, **changes}))


def _published(settings: dict, changes: dict) -> TrainConfig:
    """What all official configurations share, then a data set's, then the caller's.

    ``minutes`` takes the place of the published steps; the schedule stretches or shrinks with the budget.
    """
    shared = {
        "out": f"runs/{settings['augmentation']}", "batch_size": 16, "lr": 1e-4, "weight_decay": 0.05,
        "backbone_lr_multiplier": 0.1, "warmup_steps": 0, "clip_norm": None, "ema_decay": None,
        "task_probabilities": (0.34, 0.33, 0.33), "workers": 4, "precision": "auto",
    }  # fmt: skip
    budget = {"steps": None} if changes.get("minutes") is not None else {}
    return TrainConfig(**(shared | settings | budget | changes))


RECIPES = {
    "toytown": toytown_training, "coco": coco_training, "ade20k": ade20k_training,
    "cityscapes": cityscapes_training, "mapillary": mapillary_training,
    "digits": digits_training, "camvid": camvid_training, "nuclei": nuclei_training,
}  # fmt: skip
