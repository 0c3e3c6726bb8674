"""Configurations: the dataclass, the named presets, the classes of the published data sets."""

from . import presets
from .classes import class_list
from .model import ModelConfig, for_classes
from .presets import *  # noqa: F403  (the presets, as its __all__ lists them)
from .stored import from_stored

__all__ = ["ModelConfig", "class_list", "for_classes", "from_stored", *presets.__all__]
