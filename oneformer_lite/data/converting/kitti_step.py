"""KITTI-STEP: sequences of street pictures with panoptic maps, 12 to train and 9 to validate.

``images/SPLIT/SSSS/*.png`` are the pictures of sequence SSSS, ``panoptic_maps/SPLIT/SSSS/*.png`` colours: red is the
class (Cityscapes' train id, 255 = void), 256 green + blue the number of the object, which stays through a sequence
(DeepLab2's documentation). Only persons and cars have numbers, so only they are things, as in STEP's evaluation; those
without one are a crowd. These colours are no segment ids of COCO's, though they look like some.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...errors import DataError
from ..classes import class_list
from ..folders import contents, require_folder
from ..image import open_image, to_rgb
from ..sample import Category
from .layout import folders_in, matched, refuse_unknown, root_of, unknown_values
from .work import Pair, Segments, write_panoptic_pairs

THINGS = (11, 13)  # train ids of person and car
VOID = 255
_ROOM = 65536  # numbers of objects: what two colours hold


def categories() -> tuple[Category, ...]:
    """Cityscapes' 19 classes, of which the place is the train id; persons and cars are the things."""
    return tuple(replace(category, is_thing=i in THINGS) for i, category in enumerate(class_list("cityscapes")))


def convert(folder: Path, draft: Path, workers: int) -> dict[str, int]:
    """19 classes in COCO's panoptic layout, splits train and val; pictures are called SSSS_FFFFFF.png."""
    root = root_of(folder, "panoptic_maps", "KITTI-STEP")
    pairs = [
        Pair(split, f"{sequence.name}_{picture.name}", picture, (path,))
        for split in ("train", "val")
        for sequence in _sequences(root / "panoptic_maps" / split)
        for picture, path in matched(root / "images" / split / sequence.name, sequence, "panoptic maps")
    ]
    return write_panoptic_pairs(pairs, read, categories(), draft, workers)


def _sequences(folder: Path) -> list[Path]:
    if not (found := folders_in(require_folder(folder, "the sequences"))):
        raise DataError(f"{folder} {contents(folder)}: expected a folder of PNGs for each sequence (0000 ...)")
    return found


def read(pair: Pair) -> Segments:
    """The segments of a picture: id = 65536 (train id + 1) + number of the object, so an object keeps its id."""
    (path,) = pair.maps
    picture = open_image(path)
    if picture.mode != "RGB":
        raise DataError(
            f"{path} has Pillow's mode {picture.mode!r}, expected three colours (class, and the number of the object "
            "in two): is this the folder of the panoptic maps?"
        )
    red, green, blue = np.moveaxis(to_rgb(picture).astype(np.int32), -1, 0)
    classes = categories()
    refuse_unknown(path, unknown_values(red, (*range(len(classes)), VOID)), "classes in red (0..18, or 255 for void)")
    numbers = np.where(np.isin(red, THINGS), 256 * green + blue, 0)
    segment_map = np.where(red == VOID, 0, (red + 1) * _ROOM + numbers).astype(np.int32)

    def meaning(segment_id: int) -> tuple[int, bool]:
        category = classes[segment_id // _ROOM - 1]
        return category.id, category.is_thing and segment_id % _ROOM == 0

    return Segments.of(segment_map, meaning, Counter())
