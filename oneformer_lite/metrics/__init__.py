"""Panoptic quality, mean IoU and average precision, each exactly as its official evaluator has it.

Every metric takes one image at a time (``update``), joins what other processes saw (``merge``) and answers in percent
(``compute``). To be read in this order: ``overlaps.py`` (which segment found which) and ``panoptic.py`` made of it,
``semantic.py``, ``instance.py``, ``matched_masks.py``; ``summary.py`` is what one quotes, ``by_class.py`` its table of
classes; ``results.py`` writes predictions down.
"""

from .by_class import worst_first
from .instance import InstanceMetric, InstanceResult
from .matched_masks import MatchedMasksMetric, MatchedMasksResult
from .panoptic import PanopticMetric, PanopticResult, match_segments
from .results import ResultFiles
from .semantic import IGNORE, SemanticMetric, SemanticResult, semantic_labels
from .summary import Evaluation, summarise

__all__ = [
    "IGNORE",
    "Evaluation",
    "InstanceMetric",
    "InstanceResult",
    "MatchedMasksMetric",
    "MatchedMasksResult",
    "PanopticMetric",
    "PanopticResult",
    "ResultFiles",
    "SemanticMetric",
    "SemanticResult",
    "match_segments",
    "semantic_labels",
    "summarise",
    "worst_first",
]
