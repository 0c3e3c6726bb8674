"""The logits of one image, and its masks at full size: all at once, or of a large picture a few rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ..model.output import class_probabilities
from ..notices import warn_user
from .merging import surest_classes

Size = tuple[int, int]
BAND = 2**26  # values of the masks that are alive at once: 150 masks of 640 x 480 pixels in one, 256 MB as float32


@dataclass
class RawPrediction:
    """The logits of one image at its final size: ``class_logits`` [Q, K+1], ``mask_logits`` [Q, h, w]
    at a quarter of the padded input, and the sizes between which masks are resized; ``no_object`` as in
    :class:`~oneformer_lite.model.Predictions`. Lesson 11."""

    class_logits: Tensor
    mask_logits: Tensor
    padded: Size
    unpadded: Size
    output: Size
    no_object: bool = True
    boxes: Tensor | None = None  # [Q, 4] of models that have some: centre x, y, width, height, in shares of the picture
    sums_first: bool = False  # whether class scores are summed at the input's size, and the sums resized
    temperature: float | None = None  # of the softmax of what the classes' sigmoids say, where they weigh masks
    # int [Q], of models in which some queries answer for one class each (``config.fixed_queries``): that class, -1 of
    # the other queries
    answers_for: Tensor | None = None

    @property
    def probabilities(self) -> Float[Tensor, "Q K"]:
        """Of the classes, without no object."""
        return class_probabilities(self.class_logits, self.no_object)

    @property
    def weights(self) -> Float[Tensor, "Q K"]:
        """What each class of a query counts where it weighs the query's mask: its probability; or, of sigmoids, which
        are no distribution and seldom surer than one half, their softmax at a low temperature."""
        if self.temperature is None:
            return self.probabilities
        return (self.probabilities / self.temperature).softmax(-1)

    @property
    def votes(self) -> Float[Tensor, "Q"]:
        """The weight of each query's surest class, with which its mask competes for pixels."""
        return self.surest[0] if self.temperature is None else self.weights.amax(-1)

    @property
    def num_classes(self) -> int:
        """Without no object, whose index this is."""
        return self.class_logits.shape[-1] - self.no_object

    @property
    def surest(self) -> tuple[Float[Tensor, "Q"], Int[Tensor, "Q"]]:
        """:func:`surest_classes`."""
        return surest_classes(self.class_logits, self.no_object)

    def masks(
        self, queries: Tensor | slice = slice(None), rows: slice = slice(None)
    ) -> Float[Tensor, "Q H W"]:
        """Full-size mask logits of some queries, in some rows: enlarge, cut the padding, resize.

        Some rows are equal to those of all to rounding, and cost what they hold.
        """
        return self._full_size(self.mask_logits[queries].float(), rows)

    def boxes_of(self, queries: Int[Tensor, "n"], with_padding: bool = False) -> Float[Tensor, "n 4"]:
        """The boxes that queries say themselves, as x, y, width and height in pixels of the picture. ``with_padding``:
        they are shares of the padded picture."""
        centre, size = self.boxes[queries].float().split(2, dim=1)
        sides = torch.tensor(self.output, device=centre.device, dtype=centre.dtype)
        if with_padding:
            sides = sides * sides.new_tensor(self.padded) / sides.new_tensor(self.unpadded)
        return torch.cat([centre - size / 2, size], dim=1) * sides.flip(0).repeat(2)

    def _full_size(
        self, logits: Float[Tensor, "Q h w"], rows: slice, between_both: Callable[[Tensor], Tensor] = lambda maps: maps
    ) -> Float[Tensor, "_n H W"]:
        """``between_both`` is done to what the padding was cut off from, at the input's size."""
        first, last, _ = rows.indices(self.output[0])
        if last - first == self.output[0]:
            logits = resize(logits, self.padded)
            return resize(between_both(logits[:, : self.unpadded[0], : self.unpadded[1]]), self.output)
        between = Between.of(first, last, self.unpadded[0], self.output[0])
        inner = Between.of(between.first, between.last, logits.shape[-2], self.padded[0])
        enlarged = inner.resize(logits[:, inner.first : inner.last], self.padded[1])
        return between.resize(between_both(enlarged[..., : self.unpadded[1]]), self.output[1])

    @property
    def device(self) -> torch.device:
        return self.class_logits.device

    @property
    def semantic_maps(self) -> int:
        """How many maps :meth:`class_scores` works with at once: of queries, or of classes."""
        return max(len(self.class_logits), self.num_classes)

    def class_scores(self, rows: slice = slice(None)) -> Float[Tensor, "K H W"]:
        """Class probability (:attr:`weights`) times mask probability, summed over the queries, in some rows."""

        def summed(logits: Tensor) -> Tensor:
            return torch.einsum("qk,qhw->khw", self.weights, logits.sigmoid())

        if self.sums_first:
            return self._full_size(self.mask_logits.float(), rows, summed)
        return summed(self.masks(rows=rows))

    def bands(self, maps: int) -> Iterator[slice]:
        """:func:`bands_of` this picture."""
        return bands_of(self.output, maps)


def bands_of(size: Size, maps: int) -> Iterator[slice]:
    """A picture's rows in turn: all at once where ``maps`` of them hold at most :data:`BAND` values, as of a picture of
    ordinary size, else so few that they hold an eighth of that."""
    height, width = size
    row = max(1, maps) * width
    rows = height if row * height <= BAND else max(1, BAND // (8 * row))
    yield from (slice(top, min(top + rows, height)) for top in range(0, height, rows))


@dataclass
class Between:
    """Where the rows of a resized map lie in the map that it is made from: between the rows ``upper`` and ``lower``,
    counted from row ``first``, by ``weight`` nearer to the lower one. As ``F.interpolate`` has it."""

    first: int
    last: int
    upper: Tensor
    lower: Tensor
    weight: Tensor

    @classmethod
    def of(cls, first: int, last: int, before: int, after: int) -> Between:
        """For the rows from ``first`` to ``last`` when a height ``before`` becomes ``after``."""
        at = ((torch.arange(first, last) + 0.5) * (before / after) - 0.5).clamp_min(0)
        upper = at.long()
        lower = (upper + 1).clamp_max(before - 1)
        top = int(upper[0])
        return cls(top, int(lower[-1]) + 1, upper - top, lower - top, (at - upper)[:, None])

    def resize(self, maps: Float[Tensor, "N H W"], width: int) -> Float[Tensor, "N H2 W2"]:
        """``maps`` holds the rows from ``first`` to ``last``."""
        wide = resize(maps, (maps.shape[1], width))
        upper, lower, weight = (t.to(maps.device) for t in (self.upper, self.lower, self.weight))
        return wide[:, upper].mul_(1 - weight).add_(wide[:, lower].mul_(weight))


def resize(maps: Float[Tensor, "N H W"], size: Size) -> Float[Tensor, "N H2 W2"]:
    if maps.shape[-2:] == size or not len(maps):
        return maps if len(maps) else maps.new_zeros(0, *size)
    return F.interpolate(maps[None], size=size, mode="bilinear", align_corners=False)[0]


def raw_predictions(
    output,
    sizes: list[Size],
    output_sizes: list[Size],
    padded: Size | None = None,
    temperature: float | None = None,
) -> list[RawPrediction]:
    """Split a batch's output (a model's, or whatever has ``class_logits`` and ``mask_logits``) into images: ``sizes``
    before padding, ``output_sizes`` as wanted; ``padded``: what the model saw, if not four times the masks' size;
    ``temperature``: ``config.sharpened_by``."""
    if output.class_logits.isnan().any():
        warn_user(
            "the model's class logits are NaN, so its answer means nothing: its weights are damaged, it "
            "was trained until it diverged, or the precision is too low for it"
        )
    no_object, boxes = getattr(output, "no_object", True), getattr(output, "boxes", None)
    padded = padded or tuple(4 * side for side in output.mask_logits.shape[-2:])
    return [
        RawPrediction(
            output.class_logits[b], output.mask_logits[b], padded, size, wanted, no_object,
            None if boxes is None else boxes[b], temperature=temperature,
        )
        for b, (size, wanted) in enumerate(zip(sizes, output_sizes, strict=True))
    ]  # fmt: skip
