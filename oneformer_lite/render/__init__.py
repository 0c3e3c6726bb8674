"""Pictures: arrays in, uint8 images, PNG bytes or HTML out. Nothing here knows Jupyter. To be read in this order:

``colors.py`` of classes and segments; ``overlay.py``, ``masks.py`` and ``boxes.py`` paint over photographs,
``labels.py`` writes on them (``fonts.py``) and ``legend.py`` beneath, ``prediction.py`` gives each task one look;
``grid.py`` puts many on a sheet and into bytes, ``sheet.py`` says what it shows, ``described.py`` adds words to any
picture, ``ink.py`` takes a figure off its paper. ``curves.py`` and ``timeline.py`` are of a run's log (``plots.py``:
what all plots share); ``confusion.py``, ``comparison.py``, ``differences.py`` and ``findings.py`` are one subject each;
``pages.py`` fills templates, ``as_iframe.py`` frames one; ``paper.py`` is what words stand on, in light and in dark.
"""

from .colors import label_colors, segment_colors
from .confusion import confusion_picture
from .curves import loss_curves, metric_curves
from .described import described
from .findings import findings_html
from .grid import contact_sheet, data_uri, png_bytes, quick_bytes, webp_bytes
from .labels import draw_labels, label_items
from .overlay import (
    boundaries,
    enlarge,
    enlarge_map,
    overlay,
    overlay_labels,
    overlay_masks,
)
from .prediction import (
    render_instances,
    render_panoptic,
    render_prediction,
    render_semantic,
    render_truth,
)
from .sheet import prediction_sheet, sheet_html

__all__ = [
    "boundaries",
    "confusion_picture",
    "contact_sheet",
    "data_uri",
    "described",
    "draw_labels",
    "enlarge",
    "enlarge_map",
    "findings_html",
    "label_colors",
    "label_items",
    "loss_curves",
    "metric_curves",
    "overlay",
    "overlay_labels",
    "overlay_masks",
    "png_bytes",
    "quick_bytes",
    "prediction_sheet",
    "render_instances",
    "render_panoptic",
    "render_prediction",
    "render_semantic",
    "render_truth",
    "segment_colors",
    "sheet_html",
    "webp_bytes",
]
