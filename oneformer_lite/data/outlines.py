"""The outlines of a COCO instance file, polygons and run-length codes: kept in flat arrays, measured, made masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels


@dataclass(frozen=True)
class Outlines:
    """The outlines of n objects.

    ``coordinates / scale`` are those of all polygons in pixels; ``ends`` [P + 1] where each polygon ends among them,
    and ``polygons`` [n + 1] where each object ends among the polygons. ``text`` are all compressed run-length codes;
    ``text_ends`` [R + 1] where each ends in it, ``sizes`` int64 [R, 2] its (height, width), and ``codes`` [n + 1] where
    each object ends among the codes.
    """

    coordinates: np.ndarray
    scale: int
    ends: np.ndarray
    polygons: np.ndarray
    text: bytes
    text_ends: np.ndarray
    sizes: np.ndarray
    codes: np.ndarray
    pieces: np.ndarray  # int32 [n]: how many the file has for each object; 0 means there is no outline, a box at most

    def drawn(self) -> np.ndarray:
        """How many pieces are left of each object, int32 [n]: polygons of three points and more, and codes."""
        return np.diff(self.polygons) + np.diff(self.codes)

    def boxes(self) -> np.ndarray:
        """The polygons' extents float64 [P, 4]: left, top, right, bottom in pixels."""
        if len(self.ends) == 1:
            return np.zeros((0, 4))
        points = self._points()
        starts = self.ends[:-1] // 2
        return np.hstack([np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)])

    def areas(self) -> np.ndarray:
        """Float64 [P]: how many pixels each polygon encloses."""
        if len(self.ends) == 1:
            return np.zeros(0)
        points, starts = self._points(), self.ends[:-1] // 2
        following = np.arange(1, len(points) + 1)
        following[self.ends[1:] // 2 - 1] = starts
        (x, y), (next_x, next_y) = points.T, points[following].T
        return np.abs(np.add.reduceat(x * next_y - next_x * y, starts)) / 2

    def of_codes(self) -> tuple[np.ndarray, np.ndarray]:
        """The codes' extents float64 [R, 4] (left, top, right, bottom in pixels), and their pixels [R]."""
        from pycocotools import mask as coco_mask

        codes = [self._code(place) for place in range(len(self.sizes))]
        boxes = np.array(coco_mask.toBbox(codes) if codes else np.zeros((0, 4)))
        boxes = np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])
        return boxes, np.array(coco_mask.area(codes) if codes else [], np.float64)

    def lengths(self) -> np.ndarray:
        """Float64 [P]: how many pixels each polygon passes through."""
        if len(self.ends) == 1:
            return np.zeros(0)
        points = self._points()
        steps = np.abs(np.diff(points, axis=0, append=points[-1:])).max(1)
        steps[self.ends[1:] // 2 - 1] = np.abs(points[self.ends[1:] // 2 - 1] - points[self.ends[:-1] // 2]).max(1)
        return np.add.reduceat(steps, self.ends[:-1] // 2)

    def _points(self) -> np.ndarray:
        return (self.coordinates / self.scale).reshape(-1, 2)

    def counts(self, index: int) -> tuple[int, int]:
        """How many polygons and how many run-length codes the object has."""
        polygons, codes = (int(ends[index + 1] - ends[index]) for ends in (self.polygons, self.codes))
        return polygons, codes

    def extent(self, index: int) -> Box:
        """The extent of the object's polygons, of which it has at least one."""
        points = np.concatenate(self.rings(index))
        (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
        return left, top, right, bottom

    def rings(self, index: int) -> list[np.ndarray]:
        """The points float64 [k, 2] (x, y in pixels) of each of the object's polygons."""
        ends = self.ends[self.polygons[index] : self.polygons[index + 1] + 1].tolist()
        return [(self.coordinates[a:b] / self.scale).reshape(-1, 2) for a, b in zip(ends, ends[1:])]

    def enclosed(self, index: int) -> float:
        """How many pixels the object's polygons enclose, one after the other; what lies on the other side of a line
        that crosses itself counts against the rest."""
        rings = (points.T for points in self.rings(index))
        return sum(abs(float(x @ np.roll(y, -1) - np.roll(x, -1) @ y)) / 2 for x, y in rings)

    def box_and_area(self, index: int) -> tuple[Box, int]:
        """The extent and the pixels of the object's only run-length code."""
        from pycocotools import mask as coco_mask

        code = self._code(self.codes[index])
        left, top, width, height = coco_mask.toBbox(code).tolist()
        return (left, top, left + width, top + height), int(coco_mask.area(code))

    def _code(self, place: int) -> dict:
        size = self.sizes[place].tolist()
        return {"size": size, "counts": self.text[self.text_ends[place] : self.text_ends[place + 1]]}

    def size(self, index: int) -> tuple[int, int] | None:
        """Height and width of the picture as the object's run-length code has them."""
        start, end = self.codes[index : index + 2]
        return tuple(self.sizes[start].tolist()) if end > start else None

    def mask(self, index: int, height: int, width: int) -> np.ndarray:
        """The pixels of an object, bool [H, W], by pycocotools. A code of another size is a ``ValueError``."""
        from pycocotools import mask as coco_mask

        polygons = [points.ravel().tolist() for points in self.rings(index)]
        pieces = coco_mask.frPyObjects(polygons, height, width) if polygons else []
        for place in range(self.codes[index], self.codes[index + 1]):
            if self.sizes[place].tolist() != [height, width]:
                raise ValueError(f"its run-length code is of (height, width) {tuple(self.sizes[place].tolist())}")
            pieces.append(self._code(place))
        if not pieces:
            return np.zeros((height, width), bool)
        return coco_mask.decode(coco_mask.merge(pieces)).astype(bool)


def box_of(told: object) -> Box | None:
    """Corners of COCO's [x, y, width, height]; None for anything else, which nobody else reads."""
    if type(told) is not list or len(told) != 4 or not {int, float}.issuperset(map(type, told)):
        return None
    try:
        x, y, width, height = map(float, told)
    except OverflowError:  # a whole number beyond what a float holds
        return None
    is_box = np.isfinite([x, y, width, height]).all() and min(width, height) > 0
    return (x, y, x + width, y + height) if is_box else None


def same_area(area: float, pixels: float) -> bool:
    """Whether two areas are one, but for rounding."""
    return area > 0 and abs(area - pixels) <= 0.02 * pixels + 1
