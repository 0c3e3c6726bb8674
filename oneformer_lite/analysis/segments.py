"""What adds up over all pictures of a task with segments: panoptic or instance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..data.sample import Category, Sample
from ..inference import Prediction
from .behind import Behind
from .boundary import band_width, boundary_iou
from .calibration import Calibration, bin_name
from .errors import KINDS, SegmentError, errors_of
from .scene import Scene, instance_scene, panoptic_scene

SIZES = {"small": 32**2, "medium": 96**2, "large": 2**62}  # areas in pixels below which a segment is called so: COCO's
NOTHING = "nothing"


class SegmentFindings:
    """Errors, sizes, confusions, outlines and scores of one task; memory grows with the classes alone.

    ``min_score``: instances with a lower score count for the calibration only.
    """

    def __init__(self, task: str, categories: Sequence[Category], behind: Behind, min_score: float) -> None:
        self.task, self.names, self.behind, self.min_score = task, [c.name for c in categories], behind, min_score
        classes = len(self.names)
        self.errors: Counter[str] = Counter({kind: 0 for kind in KINDS})
        self.by_size = np.zeros((classes, len(SIZES), 4))  # TP, FP, FN and the sum of IoUs
        # segments [annotated, predicted]; last row: invented, last column: not found
        self.confusion = np.zeros((classes + 1, classes + 1), int)
        self.outlines = np.zeros((classes, 3))  # found segments, and the sums of their IoUs and boundary IoUs
        self.calibration = Calibration()

    def add(self, prediction: Prediction, sample: Sample, picture: int) -> None:
        """Count one picture, the ``picture``-th of its data set."""
        every = panoptic_scene(prediction, sample) if self.task == "panoptic" else instance_scene(prediction, sample)
        self._scores(every, picture)
        scene = every if self.task == "panoptic" else surer(every, self.min_score)
        errors = errors_of(scene)
        self._errors(errors, picture)
        self._sizes(scene, picture)
        self._confusions(scene, errors, picture)
        self._outlines(scene, prediction, sample, picture)

    def _errors(self, errors: Sequence[SegmentError], picture: int) -> None:
        counts = Counter(error.kind for error in errors)
        self.errors.update(counts)
        for kind, count in counts.items():
            self.behind.note(("errors", self.task, kind), picture, count)

    def _scores(self, scene: Scene, picture: int) -> None:
        judged = ~scene.excused
        right = scene.found[judged] >= 0
        bins = self.calibration.add(scene.scores[judged], right)
        wrong = Counter(bins[~right].tolist())
        for number, count in wrong.items():
            self.behind.note(("calibration", self.task, bin_name(number)), picture, count)

    def _sizes(self, scene: Scene, picture: int) -> None:
        before = self.by_size[..., 1:3].sum(2)  # [K, sizes] of FP and FN
        sizes, true_sizes = size_numbers(scene.areas), size_numbers(scene.true_areas)
        for p, g in enumerate(scene.found.tolist()):
            if g >= 0:
                self.by_size[scene.true_classes[g], true_sizes[g]] += (1, 0, 0, scene.iou[p, g])
            elif not scene.excused[p]:
                self.by_size[scene.classes[p], sizes[p], 1] += 1
        for g in np.setdiff1d(np.arange(len(true_sizes)), scene.found):
            self.by_size[scene.true_classes[g], true_sizes[g], 2] += 1
        wrong = self.by_size[..., 1:3].sum(2) - before
        for kind, names, counts in (("size", SIZES, wrong.sum(0)), ("class", self.names, wrong.sum(1))):
            for name, count in zip(names, counts.tolist()):
                self.behind.note((kind, self.task, name), picture, count)

    def _confusions(self, scene: Scene, errors: Sequence[SegmentError], picture: int) -> None:
        nothing, pairs = len(self.names), []
        pairs += [(scene.true_classes[g], scene.classes[p]) for p, g in enumerate(scene.found) if g >= 0]
        for error in errors:
            named = error.kind == "wrong class" and len(error.annotated)
            if named:
                pairs.append((scene.true_classes[error.annotated[0]], scene.classes[error.predicted[0]]))
            else:
                pairs += [(nothing, scene.classes[p]) for p in error.predicted]
                pairs += [(scene.true_classes[g], nothing) for g in error.annotated]
        for (true, said), count in Counter((int(a), int(b)) for a, b in pairs).items():
            self.confusion[true, said] += count
            if true != said:
                self.behind.note(("confusion", self.task, confused(self.names, true, said)), picture, count)

    def _outlines(self, scene: Scene, prediction: Prediction, sample: Sample, picture: int) -> None:
        width, lost = band_width(*sample.size), Counter()
        for p, g in enumerate(scene.found.tolist()):
            if g < 0:
                continue
            (truth,) = sample.segment_masks([int(scene.annotated_places[g])])
            value = boundary_iou(prediction.segments[scene.predicted_places[p]].mask, truth, width)
            self.outlines[scene.true_classes[g]] += (1, scene.iou[p, g], value)
            lost[int(scene.true_classes[g])] += 1 - value
        for class_id, amount in lost.items():
            self.behind.note(("boundary", self.task, self.names[class_id]), picture, amount)


def size_numbers(areas: np.ndarray) -> np.ndarray:
    """Int [n]: the number in :data:`SIZES` of each area."""
    return np.searchsorted(list(SIZES.values()), areas, side="right")


def surer(scene: Scene, min_score: float) -> Scene:
    """The scene without predictions whose score is below ``min_score``."""
    kept = scene.scores >= min_score
    names = ("classes", "scores", "areas", "shared", "void", "neutral", "predicted_places")
    return replace(scene, **{name: getattr(scene, name)[kept] for name in names})


def confused(names: Sequence[str], true: int, said: int) -> str:
    """A cell of the matrix in words."""
    every = [*names, NOTHING]
    return f"{every[true]} taken for {every[said]}"
