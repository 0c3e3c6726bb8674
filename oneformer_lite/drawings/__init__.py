"""Drawings that are made of numbers: the tensors that a lesson prints, or the trace of a prediction. To be read in this
order:

``svg.py`` has boxes, arrows and tables of numbers; ``attention.py``, ``sampling.py``, ``residual.py`` and
``criterion.py`` draw one subject each; ``model_map.py`` is the map of OneFormer, ``readings.py`` what it shows of a
model.
"""

from .attention import attention, heads
from .criterion import criterion
from .model_map import model_map
from .residual import residual_and_norm
from .sampling import sampling
from .svg import Drawing

__all__ = ["Drawing", "attention", "criterion", "heads", "model_map", "residual_and_norm", "sampling"]
