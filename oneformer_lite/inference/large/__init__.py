"""Pictures too large to be looked at at once: window by window, what the windows say made one prediction.

``sides.py`` says how large the windows are, ``grid.py`` where they lie and what of the picture each one decides;
``semantic.py`` averages class scores where windows overlap; ``panoptic.py`` and ``instances.py`` find out which
segments of neighbouring windows are one (``joining.py``). Of the picture's size there are only the picture and the
result; class scores and masks have the size of a window. No paper on mask transformers covers this: semantic windows
are mmsegmentation's practice (``slide`` inference), joining by the overlap inside the common region is that of tiled
instance segmentation.
"""

from .predicting import in_windows
from .sides import grid_for

__all__ = ["grid_for", "in_windows"]
