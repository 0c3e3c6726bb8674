"""From a picture to its segments.

``predicting.py`` is the door, ``reading.py`` prepares the picture and runs the model, ``raw.py`` holds its logits and
enlarges masks (``windows.py``: those of a window that slides along the picture; ``ensemble.py`` and ``agreement.py``:
those of several models and views, made one), ``postprocessing.py`` makes masks, classes and scores of the logits
(``merging.py``: who wins each pixel; ``detr.py``, ``knet.py``, ``panoptic_segformer.py``: the rules of these;
``rules.py`` chooses, ``duplicates.py`` leaves out what was said twice), ``naming.py`` says what that is,
``prediction.py`` shows and saves it (``placed.py``: small masks of large pictures). ``large/`` does all that to
pictures which are seen through many windows.
"""

from .ensemble import AveragedScores, Ensemble, answers_of
from .large import grid_for, in_windows
from .naming import read_prediction
from .postprocessing import instance_inference, mean_inside, panoptic_inference, semantic_inference, surest_labels
from .predicting import MIN_SCORE, as_pixels, check_model, predict, predict_raw
from .prediction import Prediction, Segment
from .raw import RawPrediction, Size, raw_predictions
from .reading import prepare
from .windows import WindowedPrediction, predict_windows

__all__ = [
    "AveragedScores",
    "MIN_SCORE",
    "Ensemble",
    "Prediction",
    "RawPrediction",
    "Segment",
    "Size",
    "WindowedPrediction",
    "answers_of",
    "as_pixels",
    "check_model",
    "grid_for",
    "in_windows",
    "instance_inference",
    "mean_inside",
    "panoptic_inference",
    "predict",
    "predict_raw",
    "predict_windows",
    "prepare",
    "raw_predictions",
    "read_prediction",
    "semantic_inference",
    "surest_labels",
]
