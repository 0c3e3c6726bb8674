"""Training: configuration, optimiser, loop and what a run leaves on disk."""

from .config import (
    TrainConfig,
    ade20k_training,
    cityscapes_training,
    coco_training,
    mapillary_training,
    recipe_for,
    toytown_training,
)
from .log import read_log
from .machines import for_machine, rescaled
from .trainer import Trainer, TrainingResult, train

__all__ = [
    "TrainConfig",
    "Trainer",
    "TrainingResult",
    "ade20k_training",
    "cityscapes_training",
    "coco_training",
    "for_machine",
    "mapillary_training",
    "read_log",
    "recipe_for",
    "rescaled",
    "toytown_training",
    "train",
]
