"""Where does a model go wrong, over a data set? To be read in this order:

``analyse.py`` goes over the pictures; ``scene.py`` says which predicted segment found which annotated one,
``errors.py`` of what kind the errors are, ``boundary.py`` how well outlines agree, ``calibration.py`` what scores mean;
``segments.py`` and ``pixels.py`` add all that up, ``behind.py`` keeps the pictures behind each figure; ``numbers.py``
makes figures of it, ``report.py`` is what one gets, ``page.py`` (with ``curves.py``) its page.
"""

from .analyse import analyse
from .boundary import boundary_iou
from .report import Analysis

__all__ = ["Analysis", "analyse", "boundary_iou"]
