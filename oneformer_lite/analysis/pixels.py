"""What adds up over all pictures of the semantic task, which has no segments to be found or missed, but pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..data.sample import Category, Sample
from ..inference import Prediction
from ..metrics import IGNORE, semantic_labels
from .behind import Behind
from .boundary import band_width, bounding_box, inner_band
from .calibration import Calibration, bin_name
from .segments import confused

PIXEL_KINDS = {
    "at outlines": "wrong pixels within 2 % of the picture's diagonal of the outline of their annotated class",
    "inside": "wrong pixels further inside of what is annotated",
}


class PixelFindings:
    """Errors, confusions, outlines and scores; memory grows with the classes alone.

    Boundary IoU sums the pixels of all pictures before it divides, as mIoU does. What has a score here is a class in a
    picture (its share of all class scores, averaged over its pixels), and it counts its pixels: right are those that
    have that class.
    """

    def __init__(self, categories: Sequence[Category], behind: Behind) -> None:
        self.task, self.names, self.behind = "semantic", [c.name for c in categories], behind
        self.errors = dict.fromkeys(PIXEL_KINDS, 0)
        self.outlines = np.zeros((len(self.names), 2), int)  # pixels in both bands, in either
        self.calibration = Calibration()

    def add(self, prediction: Prediction, sample: Sample, picture: int) -> None:
        """Count one picture, the ``picture``-th of its data set."""
        truth, said = semantic_labels(sample.segment_map, sample.segments), prediction.label_map
        self._confusions(truth, said, picture)
        self._scores(truth, prediction, picture)
        at_outlines = self._outlines(truth, said, picture)
        wrong = (truth != said) & (truth != IGNORE)
        counts = {"at outlines": (wrong & at_outlines).sum(), "inside": (wrong & ~at_outlines).sum()}
        for kind, count in counts.items():
            self.errors[kind] += int(count)
            self.behind.note(("errors", self.task, kind), picture, int(count))

    def _confusions(self, truth: np.ndarray, said: np.ndarray, picture: int) -> None:
        wrong = (truth != said) & (truth != IGNORE)
        pairs, counts = np.unique(np.stack([truth[wrong], said[wrong]]), axis=1, return_counts=True)
        for (true, other), count in zip(pairs.T.tolist(), counts.tolist()):
            self.behind.note(("confusion", self.task, confused(self.names, true, other)), picture, count)

    def _scores(self, truth: np.ndarray, prediction: Prediction, picture: int) -> None:
        counted = truth != IGNORE
        classes = prediction.class_ids
        right = np.bincount(truth[counted & (truth == prediction.label_map)], minlength=len(self.names))[classes]
        pixels = np.bincount(prediction.label_map[counted], minlength=len(self.names))[classes]
        bins = self.calibration.add(prediction.scores, right / np.maximum(pixels, 1), pixels)
        for number, wrong in enumerate(np.bincount(bins, pixels - right).astype(int).tolist()):
            self.behind.note(("calibration", self.task, bin_name(number)), picture, wrong)

    def _outlines(self, truth: np.ndarray, said: np.ndarray, picture: int) -> np.ndarray:
        """Bool [H, W]: what lies at the outlines of the annotated classes; counts the bands of all classes."""
        width, counted = band_width(*truth.shape), truth != IGNORE
        at_outlines = np.zeros(truth.shape, bool)
        for class_id in np.union1d(truth[counted], said).tolist():
            first, second = truth == class_id, said == class_id
            box = bounding_box(first | second)
            mine, theirs = inner_band(first[box], width), inner_band(second[box], width) & counted[box]
            at_outlines[box] |= mine
            both, either = int((mine & theirs).sum()), int((mine | theirs).sum())
            self.outlines[class_id] += (both, either)
            self.behind.note(("boundary", self.task, self.names[class_id]), picture, either - both)
        return at_outlines
