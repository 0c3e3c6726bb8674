"""Pascal VOC's segmentation (2007 to 2012): 20 classes of objects and the background.

``ImageSets/Segmentation/SPLIT.txt`` lists the names, ``JPEGImages`` has the pictures, ``SegmentationClass`` and
``SegmentationObject`` PNGs with a palette: the index is the class (0 = background, 1..20, 255 = void, the contours) and
the number of the object. Names, order and colours are those of the challenge's development kit (``VOCinit.m``,
``VOClabelcolormap.m``).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from ...errors import DataError
from ..label_map import read_label_map
from ..sample import Category
from ..segment_ids import present_ids
from .layout import refuse_unknown, require_files, root_of, unknown_values
from .work import Pair, Segments, write_panoptic_pairs

NAMES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
VOID = 255
_LISTS = "ImageSets/Segmentation"
_GROUND = 256  # segment id of the background; objects keep their numbers
_NUMBERLESS = "pictures with pixels of a class that no object holds (a crowd of that class)"
_MIXED = "objects with pixels of several classes (the most frequent one counts)"


def color(index: int) -> tuple[int, int, int]:
    """The colour of an index in VOC's palette: its bits, spread over the three channels from their highest bit on."""
    channels = [sum((index >> (3 * bit + c) & 1) << (7 - bit) for bit in range(3)) for c in range(3)]
    return channels[0], channels[1], channels[2]


def categories() -> tuple[Category, ...]:
    """Background, which is stuff, and the 20 classes of objects; the id is the index in the PNGs."""
    return tuple(Category(i, name, i > 0, color(i)) for i, name in enumerate(NAMES))


def convert(folder: Path, draft: Path, workers: int) -> dict[str, int]:
    """21 classes in COCO's panoptic layout, splits train and val as listed (VOC 2012: 1464 and 1449)."""
    root = root_of(folder, _LISTS, "Pascal VOC's segmentation")
    pairs = [pair for split in ("train", "val") for pair in _listed(root, split)]
    return write_panoptic_pairs(pairs, read, categories(), draft, workers)


def _listed(root: Path, split: str) -> list[Pair]:
    path = root / _LISTS / f"{split}.txt"
    try:
        names = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}): expected the names of the pictures, one on a line") from None
    if not names:
        raise DataError(f"{path} is empty: expected the names of the pictures, one on a line")
    pairs = [
        Pair(split, f"{name}.jpg", root / "JPEGImages" / f"{name}.jpg", tuple(
            root / kind / f"{name}.png" for kind in ("SegmentationClass", "SegmentationObject")
        ))
        for name in names
    ]  # fmt: skip
    require_files((file for pair in pairs for file in (pair.picture, *pair.maps)), path)
    return pairs


def read(pair: Pair) -> Segments:
    """The segments of a picture: objects by their numbers, the background, and what has a class and no object."""
    labels, objects = (read_label_map(path, range(256), None) for path in pair.maps)
    if labels.shape != objects.shape:
        raise DataError(f"{pair.maps[0]} has (height, width) {labels.shape}, but {pair.maps[1]} {objects.shape}")
    refuse_unknown(pair.maps[0], unknown_values(labels, (*range(len(NAMES)), VOID)), "classes (0..20, or 255 for void)")
    segment_map, notes = np.zeros_like(labels), Counter[str]()
    classes = {_GROUND: 0}
    for number in present_ids(np.where(objects == VOID, 0, objects)).tolist():
        classes[number], mixed = _class_of(labels[objects == number], number, pair.maps[1])
        segment_map[objects == number] = number
        notes[_MIXED] += mixed
    free = objects == 0
    segment_map[free & (labels == 0)] = _GROUND
    for label in np.unique(labels[free]).tolist():
        if label not in (0, VOID):
            classes[_GROUND + label] = label
            segment_map[free & (labels == label)] = _GROUND + label
            notes[_NUMBERLESS] = 1
    return Segments.of(segment_map, lambda i: (classes[i], i > _GROUND), +notes)


def _class_of(labels: np.ndarray, number: int, path: Path) -> tuple[int, bool]:
    """The class of an object's pixels, and whether they have several."""
    counts = np.bincount(labels[(labels > 0) & (labels != VOID)], minlength=2)
    if not counts.any():
        raise DataError(
            f"{path}: object {number} lies where the map of classes has background or void alone: use both maps of the "
            "same release"
        )
    return int(counts.argmax()), bool(np.count_nonzero(counts) > 1)
