"""Training, and what a run leaves on disk. To be read in this order:

``config.py`` (``fields.py``) is a recipe, ``recipes.py`` has the published ones (``machines.py``: on smaller machines,
``precision.py``, ``switches.py``: what a step costs), ``whole_run.py`` a training, ``trainer.py`` its loop. In it
``preflight.py`` looks at the data (``crops.py``, ``rates.py``), ``prepared.py`` leaves the useful pictures,
``finetune.py`` says where the weights come from, ``loader.py`` draws tasks and makes batches (``readable.py``,
``open_files.py``), ``step.py`` is one step of ``optim.py`` (``guard.py``: a step that would do harm),
``evaluations.py`` and ``pictures.py`` look in between, ``trend.py`` judges how it goes, ``progress.py`` shows it
(``meter.py``, ``log.py``), ``checkpoint.py`` keeps it (``checksum.py``, ``fingerprint.py``: of which data,
``randomness.py``).

``launch.py`` does so in the background: ``supervisor.py`` (``failures.py``) starts ``worker.py`` in several processes,
which ``distributed.py`` keeps together. ``run.py`` is a run on disk: its ``state.py``, ``locks.py``, ``own_folder.py``,
``moved.py``. ``plan.py`` says what a run will cost, after ``measure.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

_NAMES = {
    "TrainConfig": "config",
    "Trainer": "trainer",
    "TrainingResult": "trainer",
    "ade20k_training": "recipes",
    "camvid_training": "recipes",
    "cityscapes_training": "recipes",
    "coco_training": "recipes",
    "digits_training": "recipes",
    "for_machine": "machines",
    "mapillary_training": "recipes",
    "nuclei_training": "recipes",
    "read_log": "log",
    "recipe_for": "recipes",
    "rescaled": "machines",
    "toytown_training": "recipes",
    "train": "whole_run",
}
__all__ = [*_NAMES]

if TYPE_CHECKING:  # the same names for editors and type checkers (a test compares)
    from .config import TrainConfig as TrainConfig
    from .log import read_log as read_log
    from .machines import for_machine as for_machine
    from .machines import rescaled as rescaled
    from .recipes import ade20k_training as ade20k_training
    from .recipes import camvid_training as camvid_training
    from .recipes import cityscapes_training as cityscapes_training
    from .recipes import coco_training as coco_training
    from .recipes import digits_training as digits_training
    from .recipes import mapillary_training as mapillary_training
    from .recipes import nuclei_training as nuclei_training
    from .recipes import recipe_for as recipe_for
    from .recipes import toytown_training as toytown_training
    from .trainer import Trainer as Trainer
    from .trainer import TrainingResult as TrainingResult
    from .whole_run import train as train
else:
    from ..on_demand import getter

    __getattr__ = getter(__name__, __name__, _NAMES)
