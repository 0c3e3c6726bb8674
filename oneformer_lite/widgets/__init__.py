"""Widgets for notebooks: thin shells of core ipywidgets around :mod:`oneformer_lite.render`."""

from .contrast import ContrastInspector
from .features import FeatureInspector
from .losses import LossInspector
from .masks import MaskInspector
from .matches import MatchInspector
from .merge import MergeInspector
from .queries import QueryInspector
from .replay import Replay
from .sampling import SamplingInspector
from .tasks import TaskInspector
from .watch import Watch

__all__ = [
    "ContrastInspector",
    "FeatureInspector",
    "LossInspector",
    "MaskInspector",
    "MatchInspector",
    "MergeInspector",
    "QueryInspector",
    "Replay",
    "SamplingInspector",
    "TaskInspector",
    "Watch",
]
