"""What kind of error each wrong segment is: every one has exactly one kind, so that shares sum to all.

In the spirit of TIDE (Bolya, Foley, Hays and Hoffman, "TIDE: A General Toolbox for Identifying Object Detection
Errors", ECCV 2020, section 2.2), which parts the errors of detectors with boxes; masks can also be split and merged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .scene import FOUND, Scene

NEAR = 0.1  # the IoU above which a prediction is meant for an object (TIDE's background threshold)
KINDS = {
    "wrong class": "drawn well (IoU above 0.5 with an object), but named otherwise",
    "duplicate": "drawn well, but a surer prediction of the class found that object already",
    "merged": "one prediction over several objects of its class, of each of which it holds more than half",
    "split": "an object in pieces: predictions of its class more than half of which lies in it",
    "inexact": "near an object of its class (IoU above 0.1), but drawn badly (0.5 at most)",
    "inexact, wrong class": "near objects of other classes alone, and drawn badly",
    "background": "invented: no object has an IoU above 0.1 with it",
    "missed": "annotated, and no prediction above is meant for it",
}


@dataclass(frozen=True)
class SegmentError:
    """One error: its kind (of :data:`KINDS`), the predicted and the annotated segments (their places in the scene)
    that it explains, and the annotated one that a "wrong class" is about."""

    kind: str
    predicted: tuple[int, ...] = ()
    annotated: tuple[int, ...] = ()
    about: int | None = None


def errors_of(scene: Scene) -> list[SegmentError]:
    """The errors of a picture.

    What is found (:attr:`Scene.found`) or excused is none. Each other prediction, and each annotated segment that was
    not found, is in exactly one error: the first of :data:`KINDS` that fits, judged in that order,

    * *wrong class*, *duplicate*: a prediction whose highest IoU with any annotated segment is above 0.5; of another
      class (which explains that segment, if it was not found), or of the same, which is taken then. In panoptic
      predictions, whose segments do not overlap, there are no duplicates.
    * *merged*: a prediction, found or not, with more than half the pixels of two or more segments of its class; it
      explains those of them that were not found, one at least.
    * *split*: two or more predictions of a class each with more than half of its pixels in one segment of the class, or
      one beside the prediction that found this segment.
    * *inexact*: a prediction with an IoU above 0.1 with a segment of its class; it explains the nearest that is left.
    * *inexact, wrong class*: the same with segments of other classes alone, of which it explains none.
    * *background*: any other prediction. *missed*: any segment that is left.

    So a segment that was named or drawn wrongly is one error, not a false positive and a miss; as in TIDE.
    """
    return _Sorting(scene).errors


class _Sorting:
    """Predictions and segments that are ``open``, and the errors that explain the others."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.errors = scene, []
        self.open = (scene.found < 0) & ~scene.excused
        self.missing = ~np.isin(np.arange(len(scene.true_classes)), scene.found)
        self.order = scene.surest_first.tolist()
        if len(scene.true_classes):
            self._drawn_well()
            self._merged()
            self._split()
            self._inexact()
        for p in self._left():
            self._explain("background", [p])
        for g in np.flatnonzero(self.missing).tolist():
            self._explain("missed", [], [g])

    def _left(self) -> list[int]:
        """The open predictions, the surest first."""
        return [p for p in self.order if self.open[p]]

    def _explain(self, kind: str, predicted: list[int], annotated: list[int] = (), about: int | None = None) -> None:
        self.errors.append(SegmentError(kind, tuple(predicted), tuple(annotated), about))
        self.open[list(predicted)] = False
        self.missing[list(annotated)] = False

    def _drawn_well(self) -> None:
        iou, same = self.scene.iou, self.scene.same_class
        for p in self._left():
            g = int(iou[p].argmax())
            if iou[p, g] > FOUND and same[p, g]:
                self._explain("duplicate", [p])
            elif iou[p, g] > FOUND:
                self._explain("wrong class", [p], [g] if self.missing[g] else [], about=g)

    def _merged(self) -> None:
        s = self.scene
        swallowed = s.same_class & (2 * s.shared > s.true_areas[None])
        for p in self.order:
            inside = np.flatnonzero(swallowed[p])
            explained = inside[self.missing[inside]].tolist()
            if len(inside) > 1 and explained and (self.open[p] or s.found[p] >= 0):
                self._explain("merged", [p] if self.open[p] else [], explained)

    def _split(self) -> None:
        s = self.scene
        pieces = s.same_class & (2 * s.shared > s.areas[:, None])
        for g in range(len(s.true_classes)):
            left = [p for p in self._left() if pieces[p, g]]
            if len(left) > 1 or (left and g in s.found):
                self._explain("split", left, [g] if self.missing[g] else [])

    def _inexact(self) -> None:
        iou, same = self.scene.iou, self.scene.same_class
        for p in self._left():
            own = np.where(same[p], iou[p], 0)
            if own.max() > NEAR:
                left = np.where(self.missing, own, 0)
                self._explain("inexact", [p], [int(left.argmax())] if left.max() > NEAR else [])
            elif iou[p].max() > NEAR:
                self._explain("inexact, wrong class", [p])
