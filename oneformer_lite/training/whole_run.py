"""A training in this process, whole: from two configurations to its result, its folder locked meanwhile."""

from __future__ import annotations

import warnings

import torch

from ..checks import only_known_names
from ..config import BaseConfig
from ..data.opening import open as open_dataset
from ..data.parallel import refuse_to_start_again
from ..data.views import Given
from .config import TrainConfig, check_recipes, for_learned_tasks
from .distributed import join_processes
from .finetune import chosen_start
from .locks import TRAINER_LOCK, locked
from .own_folder import run_folder
from .state import keep_recipe, reported
from .trainer import Trainer, TrainingResult


@only_known_names
def train(
    config: BaseConfig, train_config: TrainConfig, train_data: Given | None = None, val_data: Given | None = None
) -> TrainingResult:
    """Train a model in this process and leave it in ``{out}/model``. Lesson 13.

    Data sets come from ``train_config.data`` unless given: training data alone need ``evaluations=0``. A run that was
    stopped resumes where it stood when called again with the same ``out``. Ctrl-C (or SIGTERM) saves and returns, with
    a warning: ``finished`` of the result is False, ``trouble`` says where it stands, and there is no model folder. In a
    script that ``torchrun`` has started in several processes, each of them does its share. One that learns nothing
    ends with a :class:`DivergedError`, or says so in ``trouble`` of the result.
    """
    check_recipes(config, train_config)
    train_config = chosen_start(config, for_learned_tasks(config, train_config))
    refuse_to_start_again("the training")
    folder, processes = run_folder(train_config.out), join_processes()
    with torch.inference_mode(False), torch.enable_grad():  # whatever the caller has switched off
        if not processes.is_first:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # all meet the same, and the first one says it
                return _train(config, train_config, train_data, val_data)
        with locked(folder / TRAINER_LOCK), reported(folder) as report:
            keep_recipe(config, train_config, train_data is not None)
            result = _train(config, train_config, train_data, val_data)
            report("finished" if result.finished else "stopped", result.trouble)
            return result


def _train(
    config: BaseConfig, train_config: TrainConfig, train_data: Given | None, val_data: Given | None
) -> TrainingResult:
    if train_data is None:
        train_data = open_dataset(train_config.data, train_config.train_split)
        if val_data is None and train_config.evaluations:
            val_data = open_dataset(train_config.data, train_config.val_split)
    return Trainer(config, train_config, train_data, val_data).run()
