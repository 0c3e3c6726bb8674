"""What a model says of one picture: segments that show and save themselves. Lesson 15."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image

from ..checks import check_count, check_flag, check_number
from ..data.image import write_image
from ..data.instance import encode_mask
from ..data.sample import Category
from ..errors import ConfigError, DataError
from ..notices import warn_user
from .exports import as_record, coco_results, write_masks
from .placed import PlacedMask
from .polygons import outlines

RENDERED = 8192  # pixels of the longer side that are drawn; of more, half as many at most
MOST_MASKS = 2**31  # bytes of a picture's masks; of more, each segment has its own alone
DRAWN, LEAST_DRAWN = 2**29, 1024  # bytes of masks that are drawn; pixels of the longer side to which they are reduced


@dataclass(frozen=True)
class Segment:
    """One found segment; ``id`` is its number in the segment map, ``area`` its pixels.

    ``score``, 0 to 1, is for panoptic segments the class probability (of the surest query, where stuff was merged),
    for instances that times the mean mask probability inside the mask, as in the official code. For semantic
    segments, to which that gives none, it is the class's share of all class scores, averaged over its pixels.
    """

    id: int
    class_id: int
    class_name: str
    score: float
    is_thing: bool
    area: int
    # the map on which its pixels are those of this value; shared by all segments of a prediction
    where: np.ndarray | PlacedMask | None = field(default=None, repr=False, compare=False)
    value: int | bool = field(default=True, repr=False, compare=False)
    # of an instance of DETR, the box [x, y, width, height] in pixels that it says apart from the mask
    predicted_box: tuple[float, ...] | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls, id_: int, categories: Sequence[Category], class_id: int, score: float, area: int,
        where: np.ndarray | PlacedMask, value: int | bool,
    ) -> Segment:  # fmt: skip
        """Of a class of ``categories``."""
        category = categories[class_id]
        return cls(id_, class_id, category.name, float(score), category.is_thing, int(area), where, value)

    @property
    def mask(self) -> np.ndarray:
        """Bool [H, W]: its pixels."""
        if self.where is None:
            raise DataError("this segment was made without a map, so it has no mask: those of a prediction have one")
        return self.where.whole() if isinstance(self.where, PlacedMask) else self.where == self.value

    @property
    def rle(self) -> dict:
        """COCO's compressed run-length code of the mask: ``size`` [height, width], and ``counts`` as a str."""
        return self.where.rle() if isinstance(self.where, PlacedMask) else encode_mask(self.mask)

    @property
    def box(self) -> list[int]:
        """COCO's box around the mask: [x, y, width, height] in pixels, all 0 without any pixel."""
        from pycocotools import mask as coco_mask

        if isinstance(self.where, PlacedMask):
            return self.where.box
        return coco_mask.toBbox(self.rle).astype(int).tolist()

    def reduced(self, factor: int) -> Segment:
        """With every ``factor``-th pixel of its mask, in both directions."""
        where = self.where if isinstance(self.where, PlacedMask) else PlacedMask.of(self.mask)
        box = self.predicted_box and tuple(value / factor for value in self.predicted_box)
        return replace(self, where=where.reduced(factor), value=True, predicted_box=box)

    def polygons(self) -> list[list[int]]:
        """COCO's polygons [x, y, x, y, ...] along the edges of the mask's pixels (:func:`~.polygons.outlines`)."""
        return self.where.polygons() if isinstance(self.where, PlacedMask) else outlines(self.mask)


@dataclass
class Prediction:
    """What the model says of one picture under one task. Lesson 15.

    panoptic: ``segment_map`` int32 [H, W], 0 = void. semantic: ``label_map`` int64 [H, W].
    instance: ``masks`` bool [n, H, W] with ``scores`` and ``class_ids`` [n]; ``None`` where these masks of a picture
    seen through windows would hold more than 2 GB. ``segments``, of which each has its ``mask``, lists what was found
    in every case. Fields of other tasks are ``None``.
    """

    task: str
    image: np.ndarray = field(repr=False)
    segments: list[Segment]
    categories: tuple[Category, ...] = field(repr=False)
    segment_map: np.ndarray | None = field(default=None, repr=False)
    label_map: np.ndarray | None = field(default=None, repr=False)
    masks: np.ndarray | None = field(default=None, repr=False)

    @property
    def scores(self) -> np.ndarray:
        return np.array([s.score for s in self.segments], dtype=np.float64)

    @property
    def class_ids(self) -> np.ndarray:
        return np.array([s.class_id for s in self.segments], dtype=np.int64)

    @property
    def category_ids(self) -> np.ndarray:
        """The ids of ``class_ids`` in the data set's annotation file."""
        return np.array([self.categories[s.class_id].id for s in self.segments], dtype=np.int64)

    def render(self) -> np.ndarray:
        """uint8 [H', W', 3]: the picture with its segments in colour; of a picture whose longer side has more than 8192
        pixels, or whose masks are too many, a reduced one, of more than 500 instances the surest, with a warning."""
        from ..render import render_prediction

        longest = max(self.image.shape[:2])
        if longest <= RENDERED and (self.task != "instance" or self.masks is not None):
            return render_prediction(self.image, self, self.categories)
        shown, every = self._smaller(longest), len(self.segments)
        surest = f" with the surest {len(shown.segments)} of {every} instances" * (len(shown.segments) < every)
        warn_user(
            f"a picture of {self.image.shape[1]} x {self.image.shape[0]} pixels is drawn reduced to "
            f"{shown.image.shape[1]} x {shown.image.shape[0]}{surest}; segment_map, label_map and the segments' masks "
            "are whole"
        )
        return render_prediction(shown.image, shown, self.categories)

    def _smaller(self, longest: int) -> Prediction:
        """To be drawn: at most half of :data:`RENDERED` pixels, and masks of at most :data:`DRAWN` bytes."""
        factor = max(2, -(-2 * longest // RENDERED))
        if self.task != "instance":
            return self.reduced(factor)
        height, width = self.image.shape[:2]
        fitting = math.ceil(math.sqrt(len(self.segments) * height * width / DRAWN))
        factor = max(factor, min(fitting, longest // LEAST_DRAWN))
        most = DRAWN // (-(-height // factor) * -(-width // factor))
        surest = sorted(self.segments, key=lambda s: -s.score)[: max(1, most)]
        return replace(self, segments=surest).reduced(factor)

    def reduced(self, factor: int) -> Prediction:
        """The picture's mean over ``factor`` x ``factor`` pixels, and of maps and masks every ``factor``-th pixel.
        Segments are the same, but for their masks; ``masks`` are None where they would hold more than 2 GB."""
        check_count("factor", factor)
        image = np.asarray(Image.fromarray(self.image).reduce(factor))
        maps = {
            name: getattr(self, name)[::factor, ::factor]
            for name in ("segment_map", "label_map") if getattr(self, name) is not None
        }  # fmt: skip
        if self.task != "instance":
            (map_,) = maps.values()
            return replace(self, image=image, segments=[replace(s, where=map_) for s in self.segments], **maps)
        segments, size, masks = [s.reduced(factor) for s in self.segments], image.shape[:2], None
        if len(segments) * size[0] * size[1] <= MOST_MASKS:
            masks = np.array([s.mask for s in segments], bool).reshape(len(segments), *size)
        return replace(self, image=image, masks=masks, segments=segments)

    def show(self) -> Image.Image:
        """The rendered picture as a PIL image, which a notebook displays."""
        return Image.fromarray(self.render())

    def save(self, path: str | Path) -> Path:
        """Write the rendered picture, small ones enlarged; the file name's ending chooses the format.

        Raises :class:`DataError` where that is not possible.
        """
        write_image(path, self.render())
        return Path(path)

    def to_dict(self, masks: bool = True) -> dict:
        """What was found, ready for JSON (:func:`~.exports.as_record`); without ``masks``, no run-length codes."""
        return as_record(self, masks)

    def to_json(self, masks: bool = True, indent: int | None = None) -> str:
        """:meth:`to_dict` as JSON text, which ``Path("out.json").write_text(...)`` writes.

        Raises :class:`ConfigError` for a ``masks`` that is no flag, such as the name of a file.
        """
        if isinstance(masks, (str, PathLike)):
            raise ConfigError(
                f"to_json returns text and writes no file: expected masks to be True or False, got {str(masks)!r}; "
                f"write Path({str(masks)!r}).write_text(prediction.to_json())"
            )
        check_flag("masks", masks)
        if not isinstance(indent, str | None):
            check_number("indent", indent, 0, whole=True)
        return json.dumps(self.to_dict(masks), indent=indent)

    def to_coco(self, image_id: int | str) -> list[dict]:
        """The segments as entries of COCO's results format, under the data set's category ids
        (:func:`~.exports.coco_results`)."""
        return coco_results(self, image_id)

    def save_masks(self, folder: str | Path, name: str) -> list[Path]:
        """Write the masks as PNGs called after ``name`` (:func:`~.exports.write_masks`); returns their paths."""
        return write_masks(self, folder, name)

    def _repr_png_(self) -> bytes:
        from ..render import png_bytes

        return png_bytes(self.render())
