"""Mean intersection over union and its relatives, from a confusion matrix of pixels.

For class k, with TP its correctly labelled pixels,  IoU = TP / (annotated + predicted - TP)  and
dice = 2 TP / (annotated + predicted), which is the F1 score and 2 IoU / (1 + IoU). Their means are no functions of each
other.

Source: detectron2's ``SemSegEvaluator`` (the one OneFormer reports with).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..data.sample import SegmentInfo
from ..errors import DataError

IGNORE = -1  # the label of pixels that nobody annotated


@dataclass(frozen=True)
class SemanticResult:
    """Percent. Averages run over the classes with annotated pixels; the others' entries are nan.

    Older detectron2 (0.6, which OneFormer was published with) also counts a class that is only
    predicted, as IoU 0. On a whole validation set all classes are annotated and the two agree.
    """

    miou: float
    mdice: float
    fwiou: float  # classes weighted by their share of annotated pixels
    mean_accuracy: float  # mean over classes of correct / annotated pixels
    pixel_accuracy: float
    per_class_iou: np.ndarray  # float [K]
    per_class_dice: np.ndarray  # float [K]
    per_class_accuracy: np.ndarray  # float [K]
    annotated: np.ndarray  # pixels int64 [K]
    predicted: np.ndarray  # pixels int64 [K], those that are annotated as some class


class SemanticMetric:
    """Counts pixels by annotated and predicted class. Lesson 12."""

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        # [annotated, predicted]; the last column holds pixels predicted as nothing
        self._confusion = np.zeros((num_classes, num_classes + 1), dtype=np.int64)

    def update(self, pred_label_map: np.ndarray, gt_label_map: np.ndarray) -> None:
        """Add one image; both maps int [H, W] of class ids or -1.

        Pixels annotated -1 do not count. Pixels predicted -1 count as missed: a model that labels
        every pixel has none, a panoptic prediction read as labels does. Raises :class:`DataError`
        if the sizes differ or a class id is unknown.
        """
        pred, gt = np.asarray(pred_label_map), np.asarray(gt_label_map)
        if pred.shape != gt.shape:
            raise DataError(
                f"predicted label map {pred.shape} and ground truth {gt.shape} differ in size: "
                "resize the prediction to the annotation"
            )
        for which, labels in (("predicted", pred), ("annotated", gt)):
            if labels.size and not IGNORE <= labels.min() <= labels.max() < self.num_classes:
                raise DataError(
                    f"{which} labels run from {labels.min()} to {labels.max()}, expected class ids "
                    f"from 0 to {self.num_classes - 1}, or -1 to ignore"
                )
        counted = gt != IGNORE
        columns = self.num_classes + 1
        # -1 % columns is the last column
        codes = gt[counted].astype(np.int64) * columns + pred[counted].astype(np.int64) % columns
        self._confusion += np.bincount(codes, minlength=self._confusion.size).reshape(-1, columns)

    def merge(self, other: SemanticMetric) -> None:
        """Add what another metric saw of other images of the same data set."""
        if other.num_classes != self.num_classes:
            raise DataError(
                f"cannot merge semantic metrics over {self.num_classes} and {other.num_classes} "
                "classes"
            )
        self._confusion += other._confusion

    @property
    def confusion_matrix(self) -> np.ndarray:
        """Pixels int64 [K, K + 1]: rows annotated, columns predicted, the last one as nothing."""
        return self._confusion.copy()

    def compute(self) -> SemanticResult:
        """The result over all images so far; all nan before the first annotated pixel."""
        correct = self._confusion.diagonal().astype(float)
        annotated = self._confusion.sum(axis=1).astype(float)
        predicted = self._confusion[:, :-1].sum(axis=0)
        pixels = {"annotated": self._confusion.sum(axis=1), "predicted": predicted}
        present = annotated > 0
        if not present.any():
            unknown = np.full(self.num_classes, np.nan)
            return SemanticResult(*[np.nan] * 5, *[unknown] * 3, **pixels)
        annotated[~present] = np.nan  # carries through to the quotients
        iou = 100 * correct / (annotated + predicted - correct)
        dice = 200 * correct / (annotated + predicted)
        accuracy = 100 * correct / annotated
        return SemanticResult(
            miou=float(np.nanmean(iou)),
            mdice=float(np.nanmean(dice)),
            fwiou=float(np.nansum(iou * annotated) / np.nansum(annotated)),
            mean_accuracy=float(np.nanmean(accuracy)),
            pixel_accuracy=float(100 * correct.sum() / np.nansum(annotated)),
            per_class_iou=iou,
            per_class_dice=dice,
            per_class_accuracy=accuracy,
            **pixels,
        )


def semantic_labels(
    segment_map: np.ndarray, segments: Sequence[SegmentInfo], ignore: int = IGNORE
) -> np.ndarray:
    """Class ids int64 [H, W] of a panoptic annotation int [H, W], ``ignore`` on void.

    Crowds keep their class: the official semantic ground truth of COCO is made that way
    (``prepare_coco_semantic_annos_from_panoptic_annos.py``), though training skips them. Lesson 12.
    """
    labels = np.full(np.shape(segment_map), ignore, dtype=np.int64)
    for segment in segments:
        labels[segment_map == segment.id] = segment.class_id
    return labels
