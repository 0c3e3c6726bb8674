"""Widgets for notebooks: thin shells of core ipywidgets around :mod:`oneformer_lite.render`."""

from .features import FeatureInspector
from .masks import MaskInspector
from .replay import Replay
from .watch import Watch

__all__ = ["FeatureInspector", "MaskInspector", "Replay", "Watch"]
