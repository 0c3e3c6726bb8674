"""Training: configuration, optimiser, loop and what a run leaves on disk."""

from .config import TrainConfig, toytown_training
from .log import read_log
from .trainer import Trainer, TrainingResult, train

__all__ = ["TrainConfig", "Trainer", "TrainingResult", "read_log", "toytown_training", "train"]
