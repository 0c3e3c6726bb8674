"""oneformer_lite: OneFormer to read, run, take apart and train.

The names below are imported on first use, so that importing the package costs next to nothing.
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
