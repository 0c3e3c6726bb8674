"""oneformer_lite: OneFormer and its family, to read, run, take apart and train. To be read in this order:

``model/`` is from pixels to queries and masks, ``inference/`` from these to segments, ``data/`` what both are given,
the texts of a picture (``data/targets.py``) among it. ``losses/`` matches and weighs, ``training/`` runs: it draws each
sample's task (``training/loader.py``) and keeps a run's status (``training/state.py``). ``metrics/`` judges, through
``evaluation.py`` (``judged.py``). ``weights/`` reads and writes models, ``config/`` has their sizes, ``checkpoints/``
the one that comes along.

To look: ``inspectors/`` (each one's sentences in its ``words.py``) and ``runs/``, both by name in ``widgets.py``;
``render/`` and ``drawings/``, with which they paint; ``analysis/``, ``diagnosis/`` and ``dataset_checks/`` say where it
goes wrong, ``studies/`` what a change is worth. To learn: ``lessons/``, ``labs/``, ``course/``. ``cli/`` is the command
line, ``demo.py`` its first command.

Beside them what all use: ``checks.py``, ``errors.py``, ``notices.py`` and ``listing.py`` (what callers pass, and what
is said of it), ``files.py``, ``file_kinds.py``, ``json_reader.py`` and ``json_faults.py``, ``device.py``,
``evaluating.py``, ``spread.py``, ``installation.py``. The names below are imported on first use (``on_demand.py``), so
that importing the package costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

_MODULES = (
    "config", "data", "drawings", "errors", "labs", "losses", "metrics", "model", "render", "training", "weights",
    "widgets",
)  # fmt: skip
_NAMES = {
    "Analysis": "analysis",
    "ModelConfig": "config",
    "Diagnosis": "diagnosis",
    "Ensemble": "inference",
    "OneFormer": "model",
    "Plan": "training.plan",
    "Prediction": "inference",
    "Run": "training.run",
    "Segment": "inference",
    "Study": "studies.study",
    "TrainConfig": "training.config",
    "TrainingResult": "training.trainer",
    "analyse": "analysis",
    "doctor": "diagnosis",
    "evaluate": "evaluation",
    "from_pretrained": "weights",
    "launch": "training.launch",
    "plan": "training.plan",
    "predict": "inference",
    "save_pretrained": "weights",
    "study": "studies.running",
    "train": "training.whole_run",
}
__all__ = [*_MODULES, *_NAMES]

if TYPE_CHECKING:  # the same names for editors and type checkers, which do not run what is below (a test compares)
    from . import config as config
    from . import data as data
    from . import drawings as drawings
    from . import errors as errors
    from . import labs as labs
    from . import losses as losses
    from . import metrics as metrics
    from . import model as model
    from . import render as render
    from . import training as training
    from . import weights as weights
    from . import widgets as widgets
    from .analysis import Analysis as Analysis
    from .analysis import analyse as analyse
    from .config import ModelConfig as ModelConfig
    from .diagnosis import Diagnosis as Diagnosis
    from .diagnosis import doctor as doctor
    from .evaluation import evaluate as evaluate
    from .inference import Ensemble as Ensemble
    from .inference import Prediction as Prediction
    from .inference import Segment as Segment
    from .inference import predict as predict
    from .model import OneFormer as OneFormer
    from .studies.running import study as study
    from .studies.study import Study as Study
    from .training.config import TrainConfig as TrainConfig
    from .training.launch import launch as launch
    from .training.plan import Plan as Plan
    from .training.plan import plan as plan
    from .training.run import Run as Run
    from .training.trainer import TrainingResult as TrainingResult
    from .training.whole_run import train as train
    from .weights import from_pretrained as from_pretrained
    from .weights import save_pretrained as save_pretrained
else:
    from .on_demand import getter

    __getattr__ = getter(__name__, __name__, _NAMES, _MODULES)


def __dir__() -> list[str]:
    return sorted(__all__)
