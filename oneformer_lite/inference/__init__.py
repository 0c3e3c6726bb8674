"""From a picture to its segments.

``pictures.py`` prepares the picture and runs the model, ``postprocessing.py`` makes masks, classes and scores of the
logits (``merging.py``: who wins each pixel), ``prediction.py`` names what was found, shows and saves it.
"""

from .pictures import as_pixels, check_model, predict, predict_raw, prepare
from .postprocessing import (
    RawPrediction,
    Size,
    instance_inference,
    mean_inside,
    panoptic_inference,
    raw_predictions,
    semantic_inference,
)
from .prediction import Prediction, Segment, read_prediction

__all__ = [
    "Prediction",
    "RawPrediction",
    "Segment",
    "Size",
    "as_pixels",
    "check_model",
    "instance_inference",
    "mean_inside",
    "panoptic_inference",
    "predict",
    "predict_raw",
    "prepare",
    "raw_predictions",
    "read_prediction",
    "semantic_inference",
]
