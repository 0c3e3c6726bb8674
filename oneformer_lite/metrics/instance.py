"""Average precision of instance masks, computed by pycocotools.

Source: COCO's detection evaluation (``COCOeval`` with ``iouType="segm"``): precision over recall at
ten IoU thresholds 0.50, 0.55, ... 0.95, at most 100 masks an image and class; crowds absorb predictions
without cost. Where an image has more objects of a class than that (cells under a microscope; COCO has none), as many
masks count as the fullest image has, since no recall above 100 of them could be reached.
"""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..data.instance import encode_mask
from ..data.sample import Category, SegmentInfo
from ..errors import DataError

COCO_MOST = 100


@dataclass(frozen=True)
class InstanceResult:
    """Percent; nan where the ground truth has no instance of that size or class.

    Small, medium and large part at 32^2 and 96^2 pixels of mask area. By thing class, under its class id:
    ``per_class`` is AP, ``per_class_by_size`` AP of its small, medium and large masks, ``counts`` how many instances
    are annotated (crowds left out) and how many masks are predicted, whatever their score. ``precision`` float
    [10, 101, things] is the highest precision at each recall or beyond (0 to 1, nan without instances), by IoU
    threshold (0.50, 0.55, ...), recall (0, 0.01, ...) and class in the order of ``per_class``.
    """

    ap: float
    ap50: float
    ap75: float
    ap_small: float
    ap_medium: float
    ap_large: float
    per_class: dict[int, float]
    per_class_by_size: dict[int, tuple[float, float, float]]
    counts: dict[int, tuple[int, int]]
    precision: np.ndarray


class InstanceMetric:
    """Collects predicted and annotated instances as run-length codes, image by image. Lesson 12."""

    def __init__(self, categories: Sequence[Category]) -> None:
        self.categories = tuple(categories)
        self._sizes: dict[int | str, tuple[int, int]] = {}  # height and width by image id
        self._annotations: list[dict] = []
        self._predictions: list[dict] = []

    def update(
        self,
        image_id: int | str,
        masks: np.ndarray,
        class_ids: Sequence[int],
        scores: Sequence[float],
        ground_truth: np.ndarray,
        gt_segments: Sequence[SegmentInfo],
    ) -> None:
        """Add one image with n predictions: ``masks`` bool [n, H, W], class ids and scores [n].

        ``ground_truth`` is the segment map int [H, W] or, where instances overlap, the masks
        bool [G, H, W] in the order of ``gt_segments``. Stuff is left out on both sides. Raises
        :class:`DataError` if sizes differ, a class is unknown or the image id came before.
        """
        masks, ground_truth = np.asarray(masks), np.asarray(ground_truth)
        if image_id in self._sizes:
            raise DataError(f"image id {image_id} came twice: AP needs an id of its own per image")
        _check_sizes(masks, class_ids, scores, ground_truth, gt_segments)
        wanted = [i for i, s in enumerate(gt_segments) if self._is_thing(s.class_id)]
        found = [i for i, class_id in enumerate(class_ids) if self._is_thing(class_id)]

        columns = np.asfortranarray(ground_truth) if ground_truth.ndim == 2 else None
        for i in wanted:
            segment = gt_segments[i]
            mask = ground_truth[i] if columns is None else columns == segment.id
            entry = _entry(image_id, segment.class_id, mask)
            self._annotations.append(entry | {"iscrowd": int(segment.is_crowd)})
        for i in found:
            entry = _entry(image_id, class_ids[i], masks[i])
            self._predictions.append(entry | {"iscrowd": 0, "score": float(scores[i])})
        self._sizes[image_id] = masks.shape[1:]

    def merge(self, other: InstanceMetric) -> None:
        """Add what another metric saw of other images of the same data set."""
        if other.categories != self.categories:
            raise DataError("cannot merge instance metrics over different categories")
        if twice := sorted(self._sizes.keys() & other._sizes.keys()):
            raise DataError(f"cannot merge: both metrics saw the images {twice[:5]}")
        self._sizes |= other._sizes
        self._annotations += other._annotations
        self._predictions += other._predictions

    def compute(self) -> InstanceResult:
        """The result over all images so far.

        Without predictions every AP is 0, without annotated instances nan.
        """
        from pycocotools.cocoeval import COCOeval

        with contextlib.redirect_stdout(io.StringIO()):  # pycocotools reports by printing
            evaluation = COCOeval(
                self._coco(self._annotations), self._coco(self._predictions), iouType="segm"
            )
            evaluation.params.maxDets = [1, 10, self.most_masks]
            evaluation.evaluate()
            evaluation.accumulate()
        # [IoU thresholds, recalls, classes, areas (all, small, medium, large), numbers of masks]
        precision = evaluation.eval["precision"][..., -1]
        iou_thresholds = evaluation.params.iouThrs
        everything, classes = precision[..., 0], [int(i) for i in evaluation.params.catIds]
        return InstanceResult(
            ap=_mean(everything),
            ap50=_mean(everything[np.isclose(iou_thresholds, 0.5)]),
            ap75=_mean(everything[np.isclose(iou_thresholds, 0.75)]),
            ap_small=_mean(precision[..., 1]),
            ap_medium=_mean(precision[..., 2]),
            ap_large=_mean(precision[..., 3]),
            per_class={i: _mean(everything[:, :, column]) for column, i in enumerate(classes)},
            per_class_by_size={
                i: tuple(_mean(precision[:, :, column, area]) for area in (1, 2, 3)) for column, i in enumerate(classes)
            },
            counts=self._counts(classes),
            precision=np.where(everything > -1, everything, np.nan),
        )

    @property
    def most_masks(self) -> int:
        """How many predicted masks of a class count in an image, the surest."""
        owners = ((entry["image_id"], entry["category_id"]) for entry in self._annotations if not entry["iscrowd"])
        return max(COCO_MOST, *Counter(owners).values(), 0)

    def _counts(self, classes: Sequence[int]) -> dict[int, tuple[int, int]]:
        """Annotated instances that are no crowds, and predicted ones, by class."""
        annotated = Counter(entry["category_id"] for entry in self._annotations if not entry["iscrowd"])
        predicted = Counter(entry["category_id"] for entry in self._predictions)
        return {i: (annotated[i], predicted[i]) for i in classes}

    def _is_thing(self, class_id: int) -> bool:
        if not 0 <= class_id < len(self.categories):
            raise DataError(
                f"unknown class id {class_id}, expected an index into the "
                f"{len(self.categories)} categories"
            )
        return self.categories[class_id].is_thing

    def _coco(self, entries: list[dict]):
        """A pycocotools data set of these entries, with class ids for category ids."""
        from pycocotools.coco import COCO

        coco = COCO()
        coco.dataset = {
            "images": [
                {"id": i, "height": height, "width": width}
                for i, (height, width) in self._sizes.items()
            ],
            "categories": [
                {"id": i, "name": c.name} for i, c in enumerate(self.categories) if c.is_thing
            ],
            # numbered from 1, because COCOeval notes an unmatched mask as a match with 0; copied,
            # because it writes into the entries
            "annotations": [entry | {"id": i} for i, entry in enumerate(entries, start=1)],
        }
        coco.createIndex()
        return coco


def _entry(image_id: int | str, class_id: int, mask: np.ndarray) -> dict:
    return {
        "image_id": image_id,
        "category_id": int(class_id),
        "segmentation": encode_mask(mask),
        "area": int(np.count_nonzero(mask)),
    }


def _mean(precision: np.ndarray) -> float:
    """Percent, over the entries that pycocotools could compute (it marks the others -1)."""
    known = precision[precision > -1]
    return float(100 * known.mean()) if known.size else np.nan


def _check_sizes(
    masks: np.ndarray,
    class_ids: Sequence[int],
    scores: Sequence[float],
    ground_truth: np.ndarray,
    gt_segments: Sequence[SegmentInfo],
) -> None:
    if masks.ndim != 3 or not len(masks) == len(class_ids) == len(scores):
        raise DataError(
            f"expected masks [n, H, W] with n class ids and scores, got masks {masks.shape}, "
            f"{len(class_ids)} class ids and {len(scores)} scores"
        )
    if ground_truth.ndim not in (2, 3) or ground_truth.shape[-2:] != masks.shape[1:]:
        raise DataError(
            f"expected ground truth [H, W] or [G, H, W] of the predicted size {masks.shape[1:]}, "
            f"got {ground_truth.shape}: resize the prediction to the annotation"
        )
    if ground_truth.ndim == 3 and len(ground_truth) != len(gt_segments):
        raise DataError(
            f"expected one mask for each of {len(gt_segments)} segments, got {len(ground_truth)}"
        )
