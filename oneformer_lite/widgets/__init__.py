"""Widgets for notebooks: thin shells of core ipywidgets around :mod:`oneformer_lite.render`."""

from .masks import MaskInspector
from .replay import Replay
from .watch import Watch

__all__ = ["MaskInspector", "Replay", "Watch"]
