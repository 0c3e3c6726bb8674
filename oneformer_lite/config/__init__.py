"""Configurations: what all models share, each member's own, the named presets, the classes of published data sets."""

from . import presets
from .base import BaseConfig, for_classes
from .classes import class_list
from .model import ModelConfig
from .presets import *  # noqa: F403  (the presets, as its __all__ lists them)
from .stored import from_stored, stored

__all__ = ["BaseConfig", "ModelConfig", "class_list", "for_classes", "from_stored", "stored", *presets.__all__]
