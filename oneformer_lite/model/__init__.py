"""The models and their parts, one file each. To be read in this order:

``oneformer.py`` is a whole model as the figure of its paper shows it; ``base.py`` says what all models share, and
``output.py`` what they return. Then the parts, as a picture passes them: ``backbone.py`` (with ``networks.py``),
``pixel_decoder.py`` or ``fpn.py``, ``task.py``, ``query.py``, ``decoder.py``, and in training ``text.py``.
"""

from ..config import ModelConfig
from .base import MaskModel
from .oneformer import OneFormer
from .output import Features, OneFormerOutput, Output, Predictions, Trace

__all__ = [
    "Features", "MaskModel", "OneFormer", "OneFormerOutput", "Output", "Predictions", "Trace", "build",
]  # fmt: skip


def build(config: ModelConfig) -> MaskModel:
    """The model that ``config`` describes, with random weights (and its backbone's ImageNet weights, if a package
    carries them and ``config.pretrained`` asks for them)."""
    return OneFormer(config)
