"""CamVid: 701 street pictures of Cambridge, in the three layouts in which they are passed on.

* SegNet's tutorial: ``train``, ``val``, ``test`` and ``trainannot`` ...: PNGs of class ids 0..10, 11 = void.
* The authors': ``701_StillsRaw_full/*.png`` and ``LabeledApproved_full/*_L.png``, colours of 32 classes. Their split is
  SegNet's: 367 / 101 / 233 pictures, told by the names.
* Kaggle's: the same colours in ``train`` and ``train_labels`` ..., with a split of its own (369 / 100 / 232).

The 11 classes of the literature join 31 of the 32, as SegNet's authors have them; Void (black) is void.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np

from ...errors import DataError
from ..classes import class_list
from ..image import open_image, to_rgb
from ..label_map import read_label_map
from .colours import Color, exact
from .layout import matched, refuse_unknown, root_of, unknown_values
from .work import Labels, Pair, write_label_pairs

VOID = 255
_SEGNET_VOID = 11
_STILLS, _APPROVED = "701_StillsRaw_full", "LabeledApproved_full"
_STRAY = 0.01  # share of a picture's pixels that may have another colour: above it, the colours are others
_STRAYS = "pixels of colours that CamVid does not have (void)"

# the class of the 11 -> colours of the 32 (label_colors.txt), in the order of SegNet's ids
COLOURS: dict[str, tuple[Color, ...]] = {
    "sky": ((128, 128, 128),),
    "building": ((128, 0, 0), (192, 0, 128), (0, 128, 64), (64, 0, 64), (64, 192, 0)),  # archway bridge tunnel wall
    "pole": ((192, 192, 128), (0, 0, 64)),  # column, traffic cone
    "road": ((128, 64, 128), (128, 0, 192), (192, 0, 64)),  # its markings
    "pavement": ((0, 0, 192), (64, 192, 128), (128, 128, 192)),  # sidewalk, parking block, shoulder
    "tree": ((128, 128, 0), (192, 192, 0)),  # other vegetation
    "sign": ((192, 128, 128), (128, 128, 64), (0, 64, 64)),  # text, traffic light
    "fence": ((64, 64, 128),),
    "car": ((64, 0, 128), (64, 128, 192), (192, 128, 192), (192, 64, 128), (128, 64, 64)),  # SUV truck train other
    "pedestrian": ((64, 64, 0), (192, 128, 64), (64, 0, 192), (64, 128, 64)),  # child, pram, animal
    "bicyclist": ((0, 128, 192), (192, 0, 192)),  # motorcyclist
}
_VOID_COLOUR = (0, 0, 0)


def convert(folder: Path, draft: Path, workers: int) -> dict[str, int]:
    """Label maps of 11 classes, splits train, val and test."""
    root = root_of(folder, ("trainannot", "train_labels", _APPROVED), "CamVid")
    pairs, read = _pairs(root)
    return write_label_pairs(pairs, read, [category.name for category in class_list("camvid")], draft, workers)


def _pairs(root: Path):
    """The pairs of the layout that is there, and what reads one."""
    if (root / "trainannot").exists():
        return _of_splits(root, "{}annot", ""), read_ids
    if (root / "train_labels").exists():
        return _of_splits(root, "{}_labels", "_L"), read_colours
    files = matched(root / _STILLS, root / _APPROVED, "label PNGs", "_L")
    return [Pair(split_of(picture), picture.name, picture, (path,)) for picture, path in files], read_colours


def _of_splits(root: Path, maps: str, ending: str) -> list[Pair]:
    return [
        Pair(split, picture.name, picture, (path,))
        for split in ("train", "val", "test")
        for picture, path in matched(root / split, root / maps.format(split), "label PNGs", ending)
    ]


def split_of(picture: Path) -> str:
    """SegNet's split, by the sequence and the frame in a picture's name: 0016E5_07959.png."""
    if not (found := re.match(r"(0001TP|0006R0|0016E5|Seq05VD)_f?(\d+)$", picture.stem)):
        raise DataError(f"{picture} is not called like one of CamVid's 701 pictures (0016E5_07959.png)")
    sequence, frame = found[1], int(found[2])
    if sequence == "Seq05VD" or sequence == "0001TP" and frame >= 8550:
        return "test"
    return "val" if sequence == "0016E5" and 7959 <= frame <= 8159 else "train"


def read_ids(pair: Pair) -> Labels:
    """The label map of a picture of SegNet's."""
    (path,) = pair.maps
    labels = read_label_map(path, range(_SEGNET_VOID), _SEGNET_VOID)
    refuse_unknown(path, unknown_values(labels, range(_SEGNET_VOID + 1)), "classes (0..10, or 11 for void)")
    return Labels(np.where(labels == _SEGNET_VOID, VOID, labels).astype(np.uint8), Counter())


def read_colours(pair: Pair) -> Labels:
    """The label map of a picture of the authors'; a few pixels of other colours are void and counted."""
    (path,) = pair.maps
    picture = open_image(path)
    if picture.mode not in ("RGB", "RGBA", "P"):
        raise DataError(f"{path} has Pillow's mode {picture.mode!r}, expected colours: is this the folder of the maps?")
    rgb = to_rgb(picture)
    colors = [*(color for group in COLOURS.values() for color in group), _VOID_COLOUR]
    values = [*(i for i, group in enumerate(COLOURS.values()) for _ in group), VOID]
    labels = exact(rgb, colors, values, -1)
    if strays := int((labels < 0).sum()):
        if strays > _STRAY * labels.size:
            refuse_unknown(path, dict(_most_frequent(rgb[labels < 0])), "colours of CamVid's 32 classes")
        labels = np.where(labels < 0, VOID, labels)
    return Labels(labels.astype(np.uint8), Counter({_STRAYS: strays} if strays else {}))


def _most_frequent(rgb: np.ndarray) -> list[tuple[Color, int]]:
    """Colours among pixels [N, 3] with the numbers of their pixels."""
    colors, counts = np.unique(rgb, axis=0, return_counts=True)
    return [((r, g, b), count) for (r, g, b), count in zip(colors.tolist(), counts.tolist(), strict=True)]
