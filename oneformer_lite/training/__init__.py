"""Training, and what a run leaves on disk. To be read in this order:

``config.py`` is a recipe, ``recipes.py`` has the published ones (``machines.py``: on smaller machines,
``precision.py``, ``switches.py``: what a step costs), ``whole_run.py`` a training, ``trainer.py`` its loop. In it
``preflight.py`` looks at the data (``crops.py``, ``rates.py``), ``finetune.py`` says where the weights come from,
``loader.py`` draws tasks and makes batches (``readable.py``, ``open_files.py``),
``step.py`` is one step of ``optim.py`` (``guard.py``: a step that would do harm), ``evaluations.py`` and
``pictures.py`` look in between, ``trend.py`` judges how it goes, ``progress.py`` shows it (``meter.py``, ``log.py``),
``checkpoint.py`` keeps it (``checksum.py``, ``fingerprint.py``: of which data, ``randomness.py``).

``launch.py`` does so in the background: ``supervisor.py`` starts ``worker.py`` in several processes, which
``distributed.py`` keeps together. ``run.py`` is a run on disk: its ``state.py``, ``locks.py``, ``own_folder.py``,
``moved.py``. ``plan.py`` says what a run will cost, after ``measure.py``.
"""

from .config import TrainConfig
from .log import read_log
from .machines import for_machine, rescaled
from .recipes import (
    ade20k_training,
    cityscapes_training,
    coco_training,
    digits_training,
    mapillary_training,
    recipe_for,
    toytown_training,
)
from .trainer import Trainer, TrainingResult
from .whole_run import train

__all__ = [
    "TrainConfig",
    "Trainer",
    "TrainingResult",
    "ade20k_training",
    "cityscapes_training",
    "coco_training",
    "digits_training",
    "for_machine",
    "mapillary_training",
    "read_log",
    "recipe_for",
    "rescaled",
    "toytown_training",
    "train",
]
