"""One step's batch as the LossInspector shows it: pictures, targets and, with a model, the parts of its losses."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch

from ...data.batch import PIXEL_MEAN, PIXEL_STD, Batch
from ...data.sample import Category, SegmentInfo
from ...data.targets import Targets
from ...losses.criterion import learned_targets
from ...model import MaskModel
from ...render import segment_colors
from ...render.labels import draw_labels, label_items, label_size
from ...render.masks import blend_masks, display_ids, display_image
from ...render.overlay import stack_masks
from .gradients import GradientNorms, gradient_norms
from .pictures import HIGHEST, heat, heat_colors, points_by_cost, scale_bar, segments_by_cost
from .reading import LossParts, Seeds, read_losses
from .steps import Source
from .words import COLUMNS, focus_text

_LARGE = 20e6  # parameters
_KEPT = 4


class LossSteps:
    """The batches behind the steps of a source, built when they are asked for; the last few are kept."""

    def __init__(self, source: Source) -> None:
        self._source, self._kept = source, {}

    def at(self, step: int | None) -> LossStep | None:
        """The batch behind a step of the run (None: that of the samples); None where the data are not at hand."""
        if step in self._kept:
            self._kept[step] = self._kept.pop(step)  # the last one looked at goes last
        else:
            if (batches := self._source.batches(step)) is None:
                return None
            while len(self._kept) >= _KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[step] = LossStep(*batches, self._source.model, self._source.config.categories)
        return self._kept[step]


class LossStep:
    """Batches and seeds of one step; what is asked for is computed once."""

    def __init__(
        self, batches: Sequence[Batch], seeds: Sequence[Seeds], model: MaskModel | None, categories: Sequence[Category]
    ) -> None:
        device = next(model.parameters()).device if model else "cpu"
        self.batches, self.seeds = [batch.to(device) for batch in batches], seeds
        self.model, self.categories = model, categories
        self.tasks = [task for batch in batches for task in batch.tasks]
        self.captions = [f"{number} {task}" for number, task in enumerate(self.tasks)]
        self._ids: dict[int, np.ndarray] = {}
        self._photos: dict[int, np.ndarray] = {}

    @cached_property
    def parts(self) -> LossParts | None:
        """None without a model."""
        return read_losses(self.model, self.batches, self.seeds) if self.model else None

    @cached_property
    def gradients(self) -> GradientNorms:
        """Four backward passes the first time."""
        return gradient_norms(self.model, self.batches, self.seeds)

    def norms_at_hand(self) -> bool:
        """Whether :attr:`gradients` are known, or take a moment: those of a large model take minutes and gigabytes."""
        return "gradients" in vars(self) or sum(p.numel() for p in self.model.parameters()) < _LARGE

    @property
    def is_measured(self) -> bool:
        """Whether :attr:`parts` are at hand: the model has run, or there is none."""
        return self.model is None or "parts" in vars(self)

    @cached_property
    def targets(self) -> list[Targets]:
        """Of all images; those that the losses keep, where there is a model."""
        every = [t for batch in self.batches for t in batch.targets]
        if not self.model:
            return every
        return [learned_targets(t, self.model.config, self.model.config.num_queries) for t in every]

    @cached_property
    def images(self) -> list[np.ndarray]:
        """uint8 [H, W, 3] each, as large as the model met them."""
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in (PIXEL_MEAN, PIXEL_STD))
        pictures = [image.cpu() * std + mean for batch in self.batches for image in batch.images]
        return [p.round().clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy() for p in pictures]

    def names(self, image: int) -> list[str]:
        """The classes of an image's targets."""
        return [self.categories[label].name for label in self.targets[image].labels.tolist()]

    @cached_property
    def all_painted(self) -> list[np.ndarray]:
        """:meth:`painted` of each image."""
        return [self.painted(image) for image in range(len(self.tasks))]

    def losses_text(self) -> str:
        """What the batch costs, in words."""
        losses = self.parts.losses()
        parts = ", ".join(f"{name} {losses[name]:.3g}" for name in self.parts.weights)
        return f"this batch costs {losses['total']:.3g} ({parts}, over all predictions)."

    def told(self, whose: str, loss: str, layer: int, image: int, segment: int | None) -> list[str]:
        """What the batch costs with ``whose`` weights, who carries it, and what the colours of :meth:`focus` mean; as
        long as that is not known, that it is not."""
        if not self.is_measured:
            return ["What this batch costs now is being computed …"]
        pair = None if segment is None else self.pair(image, segment)
        told = [f"Now, with {whose}, {self.losses_text()}", focus_text(self.parts, loss, layer, pair)]
        if loss not in COLUMNS:
            return told
        (_, _, end) = self.scale(loss, segment)[0]
        return [*told, scale_bar("0", end)]

    def painted(self, image: int) -> np.ndarray:
        """An image with its targets in the colours of their classes, as large as the model met it."""
        labels = self.targets[image].labels.tolist()
        segments = [SegmentInfo(place + 1, label) for place, label in enumerate(labels)]
        colors = segment_colors(segments, self.categories)
        return blend_masks(self.images[image], self._stacked(image), colors) if colors else self.images[image]

    def photo(self, image: int) -> np.ndarray:
        """At the size at which it is looked at closely."""
        if image not in self._photos:
            self._photos[image] = display_image(self.images[image])
        return self._photos[image]

    def ids(self, image: int) -> np.ndarray:
        """The targets' places + 1 on :meth:`photo`, 0 where there is none."""
        if image not in self._ids:
            self._ids[image] = display_ids(self._stacked(image))
        return self._ids[image]

    def pair(self, image: int, segment: int) -> int:
        """The place among all masks of the batch of one of an image's targets."""
        return sum(len(t) for t in self.targets[:image]) + segment

    def focus(self, loss: str, layer: int, image: int, segment: int | None) -> np.ndarray:
        """:meth:`photo` with what adds to a loss in one layer: the segments by what they cost, or the points of one."""
        photo = self.photo(image)
        if not self.parts or loss not in COLUMNS:
            return photo
        ids = self.ids(image)
        if segment is not None and loss != "class":
            pair = self.pair(image, segment)
            points, costs = self.parts.points[layer, pair], self._point_costs(loss, layer, pair)
            return points_by_cost(photo, ids == segment + 1, points, costs)
        costs = self.parts.pairs(loss, layer)
        mine = {
            int(self.parts.segments[g]) + 1: costs[g] for g in np.flatnonzero(self.parts.images == image)
            if segment in (None, self.parts.segments[g])
        }  # fmt: skip
        return segments_by_cost(photo, ids, mine, costs.max(initial=0.0))

    def named(self, picture: np.ndarray, image: int, segment: int | None) -> np.ndarray:
        """A picture of :meth:`focus` with the names of its targets, or of the one that is looked at."""
        names = {place + 1: name for place, name in enumerate(self.names(image)) if segment in (None, place)}
        size = label_size(picture.shape[:2])
        return draw_labels(picture, label_items(self.ids(image), names, size, min_share=0.001), size)

    def scale(self, loss: str, segment: int | None) -> list[tuple[str, np.ndarray, str]]:
        """From what to what the colours of :meth:`focus` go; none where they have no meaning."""
        if not self.parts or loss not in COLUMNS:
            return []
        end = "the most expensive segment of the batch"
        if loss != "class" and segment is not None:
            end = "1" if loss == "dice" else f"{HIGHEST:g} and more; undecided is 0.69"
        return [(f"{loss} loss: 0", heat_colors(), end)]

    def _point_costs(self, loss: str, layer: int, pair: int) -> np.ndarray:
        """Places in the colours: of the pointwise loss, or for dice of the error, as dice is no sum over points."""
        if loss == "dice":
            return heat(self.parts.point_errors[layer, pair], 1.0)
        return heat(self.parts.point_losses[layer, pair], HIGHEST)

    def _stacked(self, image: int) -> np.ndarray:
        masks = self.targets[image].masks.cpu().numpy()
        return stack_masks(masks) if len(masks) else np.zeros(self.images[image].shape[:2], dtype=np.int32)
