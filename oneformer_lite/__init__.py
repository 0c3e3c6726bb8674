"""oneformer_lite: OneFormer to read, run, take apart and train.

The names below are imported on first use, so that importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_MODULES = (
    "config", "data", "errors", "labs", "losses", "metrics", "model", "render", "training", "weights", "widgets",
)  # fmt: skip
_NAMES = {
    "ModelConfig": "config",
    "Diagnosis": "diagnosis",
    "OneFormer": "model",
    "Plan": "training.plan",
    "Prediction": "inference",
    "Run": "training.run",
    "Segment": "inference",
    "TrainConfig": "training.config",
    "TrainingResult": "training.trainer",
    "doctor": "diagnosis",
    "evaluate": "evaluation",
    "from_pretrained": "weights",
    "launch": "training.launch",
    "plan": "training.plan",
    "predict": "inference",
    "save_pretrained": "weights",
    "train": "training.trainer",
}
__all__ = [*_MODULES, *_NAMES]

if TYPE_CHECKING:
    from . import config, data, errors, labs, losses, metrics, model, render, training, weights, widgets  # noqa: F401


def __getattr__(name: str):
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    if name in _NAMES:
        return getattr(importlib.import_module(f".{_NAMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it offers {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)
