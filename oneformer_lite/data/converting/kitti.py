"""KITTI's semantic and instance segmentation (2015): 200 street pictures with Cityscapes' labels.

``training/image_2/*.png`` are the pictures, ``training/instance/*.png`` grey PNGs of 16 bits: 256 label + number of
the instance, where the label is Cityscapes' id and the numbers count from 1 in each class, 0 = none (the benchmark's
development kit). The 200 test pictures have no public labels, and there is no official validation split: every fifth
picture by name is ``val``.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from ...errors import DataError
from ..classes import class_list
from ..grey import DEEP_MODES
from ..image import open_image
from ..label_map import read_label_map
from ..published.cityscapes import panoptic
from .layout import matched, refuse_unknown, root_of, unknown_values
from .work import Pair, Segments, write_panoptic_pairs

LABELS = range(34)  # Cityscapes' ids, those that it does not evaluate included
_APART = "pictures whose semantic and instance PNGs disagree in some pixels (the instance PNG counts)"


def convert(folder: Path, draft: Path, workers: int) -> dict[str, int]:
    """Cityscapes' 19 classes in COCO's panoptic layout, splits train (160) and val (40)."""
    training = root_of(folder, "training/instance", "KITTI's semantic segmentation") / "training"
    files = matched(training / "image_2", training / "instance", "instance PNGs")
    semantic = training / "semantic"
    pairs = [
        Pair("val" if i % 5 == 4 else "train", picture.name, picture, (path, semantic / path.name))
        for i, (picture, path) in enumerate(files)
    ]
    return write_panoptic_pairs(pairs, read, class_list("cityscapes"), draft, workers)


def read(pair: Pair) -> Segments:
    """The segments of a picture; ids as Cityscapes' instance maps have them."""
    path, semantic = pair.maps
    values = read_numbers(path)
    labels, numbers = values // 256, values % 256
    refuse_unknown(path, unknown_values(labels, LABELS), "labels of Cityscapes (0..33, times 256)")
    things = np.isin(labels, [category.id for category in class_list("cityscapes") if category.is_thing])
    segment_map, entries = panoptic(np.where(things & (numbers > 0), 1000 * labels + numbers, labels))
    return Segments(segment_map, entries, _compare(semantic, labels))


def read_numbers(path: Path) -> np.ndarray:
    """A grey PNG of 16 bits as int32 [H, W]; :class:`DataError` for any other."""
    picture = open_image(path)
    if picture.mode not in DEEP_MODES or picture.mode == "F":
        raise DataError(
            f"{path} has Pillow's mode {picture.mode!r}, expected a grey PNG of 16 bits (256 label + number of the "
            "instance): is this the folder of the instance PNGs?"
        )
    return np.asarray(picture).astype(np.int32)


def _compare(path: Path, labels: np.ndarray) -> Counter[str]:
    """Notes whether the semantic PNG, where there is one, says the same; of another size it is refused."""
    if not path.exists():
        return Counter()
    semantic = read_label_map(path, LABELS, None)
    if semantic.shape != labels.shape:
        raise DataError(f"{path} has (height, width) {semantic.shape}, but the instance PNG of its name {labels.shape}")
    return Counter({_APART: 1} if (semantic != labels).any() else {})
