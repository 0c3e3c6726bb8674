"""The widgets for notebooks under one name, whichever folder builds them: the inspectors, and those that show a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

_NAMES = {
    "ContrastInspector": "inspectors.contrast.widget",
    "FeatureInspector": "inspectors.features.widget",
    "LossInspector": "inspectors.losses.widget",
    "MaskInspector": "inspectors.masks.widget",
    "MatchInspector": "inspectors.matches.widget",
    "MergeInspector": "inspectors.merge.widget",
    "QueryInspector": "inspectors.queries.widget",
    "Replay": "runs.replay",
    "SamplingInspector": "inspectors.sampling.widget",
    "TaskInspector": "inspectors.tasks.widget",
    "Watch": "runs.watch",
}
__all__ = [*_NAMES]

if TYPE_CHECKING:  # the same names for editors and type checkers (a test compares)
    from .inspectors.contrast.widget import ContrastInspector as ContrastInspector
    from .inspectors.features.widget import FeatureInspector as FeatureInspector
    from .inspectors.losses.widget import LossInspector as LossInspector
    from .inspectors.masks.widget import MaskInspector as MaskInspector
    from .inspectors.matches.widget import MatchInspector as MatchInspector
    from .inspectors.merge.widget import MergeInspector as MergeInspector
    from .inspectors.queries.widget import QueryInspector as QueryInspector
    from .inspectors.sampling.widget import SamplingInspector as SamplingInspector
    from .inspectors.tasks.widget import TaskInspector as TaskInspector
    from .runs.replay import Replay as Replay
    from .runs.watch import Watch as Watch
else:
    from .on_demand import getter

    __getattr__ = getter(__name__, __package__, _NAMES)
