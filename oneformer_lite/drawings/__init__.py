"""Drawings that are made of numbers: the tensors that a lesson prints, or the trace of a prediction. To be read in this
order:

``svg.py`` has boxes, arrows and tables of numbers; ``attention.py``, ``sampling.py``, ``residual.py`` and
``criterion.py`` draw one subject each; ``whole_model.py`` is the map of OneFormer, ``paper_figure.py`` figure 2 of the
paper with the names of the code, ``readings.py`` what they show of a model, ``grid.py`` how they place it.
"""

from typing import TYPE_CHECKING

from ..on_demand import getter
from .attention import attention, heads
from .criterion import criterion
from .residual import residual_and_norm
from .sampling import sampling
from .svg import Drawing

__all__ = ["Drawing", "attention", "criterion", "figure_two", "heads", "model_map", "residual_and_norm", "sampling"]

if TYPE_CHECKING:
    from .paper_figure import figure_two as figure_two
    from .whole_model import model_map as model_map
else:
    # the model, its losses and its inspectors are loaded where somebody draws one of these
    __getattr__ = getter(__name__, __name__, {"figure_two": "paper_figure", "model_map": "whole_model"})
