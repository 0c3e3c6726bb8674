"""Masks of small things on a large picture: their pixels, and where these lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .polygons import outlines


@dataclass(frozen=True, eq=False)
class PlacedMask:
    """A mask of a picture of ``size`` (height, width), of which bool [h, w] ``pixels`` are kept whose first lies in row
    ``top`` and column ``left``: none outside belongs to it."""

    pixels: np.ndarray
    top: int
    left: int
    size: tuple[int, int]

    @classmethod
    def of(cls, mask: np.ndarray, top: int = 0, left: int = 0, size: tuple[int, int] | None = None) -> PlacedMask:
        """A mask, bool [h, w], without the rows and columns around it that are empty."""
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        size = size or (top + mask.shape[0], left + mask.shape[1])
        if not len(rows):
            return cls(np.zeros((0, 0), bool), top, left, size)
        kept = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
        return cls(kept, top + int(rows[0]), left + int(columns[0]), size)

    @property
    def place(self) -> tuple[slice, slice]:
        height, width = self.pixels.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    @property
    def area(self) -> int:
        return int(np.count_nonzero(self.pixels))

    def shared(self, other: PlacedMask) -> int:
        """How many pixels both hold."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom, right = (min(a.stop, b.stop) for a, b in zip(self.place, other.place))
        if top >= bottom or left >= right:
            return 0
        mine, theirs = (
            mask.pixels[top - mask.top : bottom - mask.top, left - mask.left : right - mask.left]
            for mask in (self, other)
        )
        return int(np.count_nonzero(mine & theirs))

    @property
    def box(self) -> list[int]:
        """x, y, width and height of what is kept; all 0 without any pixel."""
        height, width = self.pixels.shape
        return [self.left, self.top, width, height] if height else [0, 0, 0, 0]

    def whole(self) -> np.ndarray:
        """Bool [H, W]: the mask on the whole picture."""
        mask = np.zeros(self.size, bool)
        mask[self.place] = self.pixels
        return mask

    def rle(self) -> dict:
        """COCO's compressed run-length code of :meth:`whole`, made without it."""
        from pycocotools import mask as coco_mask

        height, width = self.size
        columns, rows = np.nonzero(self.pixels.T)
        places = (columns + self.left) * height + rows + self.top  # COCO counts down the columns
        begins = np.diff(places, prepend=-2) != 1
        ends = np.r_[begins[1:], np.ones(min(1, len(places)), bool)]
        edges = np.stack([places[begins], places[ends] + 1], 1).ravel()
        counts = np.diff(np.r_[0, edges, height * width]).tolist()
        code = coco_mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)
        return {"size": [height, width], "counts": code["counts"].decode("ascii")}

    def polygons(self) -> list[list[int]]:
        """COCO's polygons along the edges of its pixels."""
        moved = (self.left, self.top)
        return [[value + moved[i % 2] for i, value in enumerate(line)] for line in outlines(self.pixels)]

    def reduced(self, factor: int) -> PlacedMask:
        """Every ``factor``-th pixel of the whole mask, in both directions."""
        top, left = -(-self.top // factor), -(-self.left // factor)
        pixels = self.pixels[top * factor - self.top :: factor, left * factor - self.left :: factor]
        height, width = (-(-side // factor) for side in self.size)
        return PlacedMask(pixels, top, left, (height, width))
