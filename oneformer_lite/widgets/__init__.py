"""Widgets for notebooks: thin shells of core ipywidgets around :mod:`oneformer_lite.render`."""

from .contrast import ContrastInspector
from .features import FeatureInspector
from .masks import MaskInspector
from .matches import MatchInspector
from .replay import Replay
from .watch import Watch

__all__ = ["ContrastInspector", "FeatureInspector", "MaskInspector", "MatchInspector", "Replay", "Watch"]
