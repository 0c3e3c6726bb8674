"""Which query found which object, by masks alone: what it says of the class counts afterwards.

Objects and queries are matched one to one by the dice loss of their masks at the model's resolution, V-Net's:

    1 - 2 sum p y / (sum p^2 + sum y^2),  p a mask's probabilities, y the share of each cell that is the object's

Squares, because y is no whole number at edges, and only they are 0 where p = y. The class has no say: matching by it
chooses queries that happen to name the right one, and random predictions would be right about half of the time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment

from ..errors import DataError

COVERS = 0.5  # IoU above which a detection is of an object


@dataclass(frozen=True)
class MatchedMasksResult:
    """Means over objects or pictures, nan where there were none. An object without a query is wrong, its dice 0."""

    accuracy: float  # percent of objects whose query says their class; no object is wrong
    dice_loss: float  # 0 to 1, of matched masks at the model's resolution
    dice: float  # percent, of matched masks at full size, cut at a probability of one half
    counted: float  # percent of pictures with as many detections as objects
    redundant: float  # detections a picture of objects that another detection covers as well
    objects: int
    pictures: int


class MatchedMasksMetric:
    """Takes one picture after the other. Lesson 18."""

    def __init__(self) -> None:
        self._objects = np.zeros(4)  # their number, how many are named rightly, sums of dice loss and of dice
        self._pictures = np.zeros(3)  # their number, how many are counted rightly, redundant detections

    def update(
        self, said: np.ndarray, probabilities: np.ndarray, masks: np.ndarray, labels: np.ndarray, truth: np.ndarray
    ) -> None:
        """Add a picture.

        ``said`` int [Q]: the likeliest class of each query, -1 for no object; ``probabilities`` float [Q, h, w] of its
        mask at the model's resolution, ``masks`` bool [Q, H, W] at full size. ``labels`` int [G] and ``truth`` bool
        [G, H, W]: the objects, each with a pixel. Raises :class:`DataError` where sizes differ.
        """
        fits = len(said) == len(probabilities) == len(masks) and len(labels) == len(truth)
        if not fits or masks.shape[1:] != truth.shape[1:]:
            raise DataError(
                f"{len(said)} classes, {len(probabilities)} and {list(masks.shape)} masks for {len(labels)} labels and "
                f"{list(truth.shape)} masks: expected one each, and masks of the annotation's size"
            )
        losses = dice_losses(probabilities, shrunk(truth, probabilities.shape[1:]))
        overlaps, sizes = _overlaps(masks, truth)
        queries, objects = linear_sum_assignment(losses)
        dice = 2 * overlaps[queries, objects] / sizes[queries, objects]
        missed = len(truth) - len(objects)
        named = np.sum(said[queries] == labels[objects])
        self._objects += len(truth), named, losses[queries, objects].sum() + missed, dice.sum()
        detected = (said >= 0) & masks.any((1, 2))
        iou = overlaps[detected] / (sizes - overlaps)[detected]
        self._pictures += 1, detected.sum() == len(truth), redundant(iou)

    def merge(self, other: MatchedMasksMetric) -> None:
        """Add what another metric saw of other pictures."""
        self._objects += other._objects
        self._pictures += other._pictures

    def compute(self) -> MatchedMasksResult:
        """The result over all pictures so far."""
        with np.errstate(invalid="ignore"):
            _, named, loss, dice = self._objects / self._objects[0]
            _, counted, surplus = self._pictures / self._pictures[0]
        means = (100 * named, loss, 100 * dice, 100 * counted, surplus)
        return MatchedMasksResult(*map(float, means), int(self._objects[0]), int(self._pictures[0]))


def shrunk(masks: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """The share of each cell of a grid [h, w] that is a mask's, float64 [G, h, w], of masks bool [G, H, W]."""
    if masks.shape[1:] == size or not len(masks):
        return masks.astype(np.float64) if len(masks) else np.zeros((0, *size))
    return F.adaptive_avg_pool2d(torch.from_numpy(masks).double(), size).numpy()


def dice_losses(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Of every query with every object, [Q, G]."""
    p, y = _flat(probabilities), _flat(truth)
    return 1 - 2 * p @ y.T / (np.square(p).sum(1)[:, None] + np.square(y).sum(1)[None])


def _overlaps(masks: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels that each mask shares with each object, and the sum of both their pixels, [Q, G]."""
    a, b = _flat(masks), _flat(truth)
    return a @ b.T, a.sum(1)[:, None] + b.sum(1)[None]


def _flat(maps: np.ndarray) -> np.ndarray:
    return maps.reshape(len(maps), maps.shape[1] * maps.shape[2]).astype(np.float64)


def redundant(iou: np.ndarray) -> int:
    """Detections beyond the first of each object: of overlaps [D, G], each detection counts for the object that it
    covers best, if it covers one."""
    if not iou.size:
        return 0
    covering = iou.max(1) > COVERS
    return int(covering.sum() - len(np.unique(iou.argmax(1)[covering])))
