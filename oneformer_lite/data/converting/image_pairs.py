"""Cityscapes Image Pairs: 2975 + 500 JPEGs of 512 x 256, a photograph on the left, colours of its labels on the right.

They were made for pix2pix and are passed on by Kaggle: ``train/*.jpg`` and ``val/*.jpg``. The colours are Cityscapes'
(of its 34 labels, some of them equal), blurred by JPEG, so classes are guessed from them. Objects of a class are not
told apart. Figures on these pictures are not comparable with those on Cityscapes.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from ...errors import DataError
from ..classes import class_list
from ..folders import by_stem, contents, require_folder
from ..image import read_image
from .colours import blurred, distances
from .layout import root_of
from .work import Labels, Pair, write_label_pairs

VOID = 255
# labels that Cityscapes does not evaluate (cityscapesscripts/helpers/labels.py): unlabelled, dynamic, ground, parking,
# rail track, guard rail, bridge, tunnel, caravan, trailer; pole groups and number plates have a class's colour
VOID_COLOURS = (
    (0, 0, 0), (111, 74, 0), (81, 0, 81), (250, 170, 160), (230, 150, 140), (180, 165, 180), (150, 100, 100),
    (150, 120, 90), (0, 0, 90), (0, 0, 110),
)  # fmt: skip
# Levels of 0..255, chosen on label maps of CamVid, drawn in these colours at 256 x 256 and saved as JPEG of quality 75
# and 90: 97 and 98 % of their pixels come back, with a mean IoU of 0.83 and 0.86.
_NEAR, _EVEN, _FAR = 40, 60, 80
# Of such maps 76 % of the pixels or more are within 12 levels of a colour, of photographs at most 11 %.
_FLAT, _LEAST_FLAT = 12, 0.5
_DOUBT = "pixels that are near no colour of a class, nor beside one (void)"


def convert(folder: Path, draft: Path, workers: int) -> dict[str, int]:
    """Label maps of Cityscapes' 19 classes beside the photographs (as PNG), splits train and val."""
    root = root_of(folder, "train", "Cityscapes Image Pairs")
    pairs = [
        Pair(split, f"{stem}.png", path, (path,))
        for split in ("train", "val")
        for stem, path in _pictures(root / split).items()
    ]
    return write_label_pairs(pairs, read, [category.name for category in class_list("cityscapes")], draft, workers)


def _pictures(folder: Path) -> dict[str, Path]:
    found = by_stem(require_folder(folder, "the pairs"), Image.registered_extensions(), "halves")
    if not found:
        raise DataError(f"{folder} {contents(folder)}: expected pictures of two halves")
    return found


def read(pair: Pair) -> Labels:
    """The photograph and the label map of a pair."""
    rgb = read_image(pair.picture)
    height, width = rgb.shape[:2]
    if width != 2 * height:
        raise DataError(
            f"{pair.picture} has (height, width) {(height, width)}, expected a photograph and its colours side by "
            "side, two squares"
        )
    classes = class_list("cityscapes")
    colors, right = [*(category.color for category in classes), *VOID_COLOURS], rgb[:, height:]
    if (flat := (distances(right, colors).min(0) <= _FLAT).mean()) < _LEAST_FLAT:
        raise DataError(
            f"{pair.picture}: {1 - flat:.0%} of the right half's pixels are no colours of Cityscapes: expected the "
            "photograph on the left and its labels on the right"
        )
    places = blurred(right, colors, _NEAR, _EVEN, _FAR)
    labels = np.where((places >= 0) & (places < len(classes)), places, VOID).astype(np.uint8)
    lost = int((places < 0).sum())
    return Labels(labels, Counter({_DOUBT: lost} if lost else {}), rgb[:, :height])
