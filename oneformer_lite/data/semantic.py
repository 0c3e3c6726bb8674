"""Label maps: for each picture a map whose pixel values are class ids (semantic segmentation)."""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Container, Sequence
from numbers import Integral
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import DataError
from .coco_json import distinct_color, require_folder
from .label_map import SUFFIXES, read_label_map
from .map_dataset import MapDataset
from .sample import Category, SegmentInfo
from .segment_ids import few, present_ids

_LOOKED_AT = 8  # label maps that are read when a data set is opened


class SemanticDataset(MapDataset):
    """Pictures and label maps (PNG, TIFF, BMP or GIF) that share their file name up to the suffix.

    ``values`` are the pixel values of the classes, in the order of ``class_names``: 0..K-1 unless given. They may
    start elsewhere, as where 0 means that nobody knows (``values=range(1, K + 1), ignore_index=0``), and have gaps, as
    in the masks of drawing programs (``values=(0, 255), ignore_index=None``). ``ignore_index`` is the value of pixels
    without class (void), None if there is none. They are the ids of ``categories``, which :class:`ResultFiles` writes.
    How a map is read that is not grey is in :func:`~.label_map.read_label_map`.

    Each class present becomes one segment, with id = class id + 1. ``is_thing`` says for each class whether it is
    countable; label maps do not tell instances apart, so only the semantic task can be trained and by default every
    class counts as stuff.

    Pictures without a label map are left out with a warning that counts them, hidden files (``._0.png``) without one.
    A warning also says if the first few maps hold void and but a single class. Whatever contradicts the format raises
    a :class:`DataError` that names the file.
    """

    tasks = ("semantic",)

    def __init__(
        self,
        image_dir: str | Path,
        label_dir: str | Path,
        class_names: Sequence[str],
        ignore_index: int | None = 255,
        is_thing: Sequence[bool] | None = None,
        values: Sequence[int] | None = None,
    ) -> None:
        self.ignore_index = ignore_index
        self.categories = _categories(class_names, is_thing, values)
        self._lowest, self._segment_ids = _segment_ids(self.categories, ignore_index)
        self.image_dir = require_folder(image_dir, "the pictures")
        self.label_dir = require_folder(label_dir, "the label maps")
        self._pairs = self._pair_files()
        self.image_ids = list(range(len(self._pairs)))
        self._looked = False

    def _pair_files(self) -> list[tuple[Path, Path]]:
        pictures = _by_stem(self.image_dir, Image.registered_extensions(), "their label maps")
        labels = _by_stem(self.label_dir, SUFFIXES, "their pictures")
        orphans = [path.name for stem, path in labels.items() if stem not in pictures]
        if orphans or not labels:
            came = f"{orphans[0]} and {len(orphans) - 1} more have none" if orphans else f"got none{self._others()}"
            raise DataError(
                f"{self.label_dir}: expected PNG label maps, each named like a picture in "
                f"{self.image_dir} up to the suffix, but {came}: check both folders"
            )
        bare = {path.name for stem, path in pictures.items() if stem not in labels}
        if bare:
            warnings.warn(
                f"{len(bare)} of {len(pictures)} pictures in {self.image_dir} have no label map in {self.label_dir} "
                f"and are left out: {few(bare, 4)}",
                stacklevel=4,
            )
        return [(pictures[stem], path) for stem, path in labels.items()]

    def _others(self) -> str:
        """What lies in the folder instead of label maps."""
        endings = sorted({path.suffix.lower() for path in self.label_dir.iterdir() if path.suffix})
        blurred = ", and JPEG does not keep class ids" if {".jpg", ".jpeg"} & set(endings) else ""
        return f" (there are {', '.join(endings[:4])}{blurred})" if endings else ""

    def _look_for_lost_classes(self) -> None:
        """Masks of 0 and 255 look like one class and void, and teach nothing: said when the first map is read."""
        self._looked = True
        step = max(1, len(self._pairs) // _LOOKED_AT)
        values: set[int] = set()
        for _, path in self._pairs[: step * _LOOKED_AT : step]:
            try:
                values |= set(np.unique(self._read(path)).tolist())
            except DataError:  # said when this map is read
                continue
        classes = [c.name for c in self.categories if c.id in values]
        if self.ignore_index in values and len(classes) == 1 < len(self.categories):
            warnings.warn(
                f"the label maps looked at in {self.label_dir} hold the values {sorted(values)}: only the class "
                f"{classes[0]!r} and {self.ignore_index}, which is void (ignore_index), so there is nothing to tell "
                f"apart. If {self.ignore_index} is a class, give the values of all: values=({min(values)}, "
                f"{max(values)}), ignore_index=None",
                stacklevel=4,
            )

    def _read(self, path: Path) -> np.ndarray:
        return read_label_map(path, [c.id for c in self.categories], self.ignore_index)

    def _files(self, index: int) -> tuple[Path, Path, str]:
        image_path, label_path = self._pairs[index]
        return image_path, label_path, image_path.name

    def annotation(self, index: int) -> tuple[np.ndarray, tuple[SegmentInfo, ...]]:
        """The segment map int32 [H, W] and its segments, without decoding the picture."""
        if not self._looked:
            self._look_for_lost_classes()
        path = self._pairs[index][1]
        labels = self._read(path)
        segment_map = self._segment_ids[np.clip(labels - self._lowest, 0, len(self._segment_ids) - 1)]
        if segment_map.min() < 0:
            raise DataError(
                f"{path} holds the values {np.unique(labels[segment_map < 0])[:8].tolist()}, which are neither a class "
                f"id ({self._listed()}) nor ignore_index={self.ignore_index}: correct the map, class_names, values or "
                "ignore_index"
            )
        return segment_map, tuple(SegmentInfo(id=i, class_id=i - 1) for i in present_ids(segment_map).tolist())

    def _listed(self) -> str:
        values = [category.id for category in self.categories]
        return f"0..{len(values) - 1}" if values == list(range(len(values))) else few(set(values))


def _categories(
    names: Sequence[str], is_thing: Sequence[bool] | None, values: Sequence[int] | None
) -> tuple[Category, ...]:
    if isinstance(names, str) or not names or not all(isinstance(name, str) for name in names):
        raise DataError(f"class_names must be a list of names, got {names!r}")
    if len(set(names)) < len(names):
        raise DataError(f"two classes have the same name in {list(names)}: give each its own")
    things = [False] * len(names) if is_thing is None else list(is_thing)
    numbers = range(len(names)) if values is None else list(values)
    for what, entries in (("is_thing", things), ("values", numbers)):
        if len(entries) != len(names):
            raise DataError(f"{what} has {len(entries)} entries for {len(names)} class names: pass one for each class")
    return tuple(
        Category(id=value, name=name, is_thing=bool(thing), color=distinct_color(index))
        for index, (name, thing, value) in enumerate(zip(names, things, numbers, strict=True))
    )


def _segment_ids(categories: Sequence[Category], ignore_index: int | None) -> tuple[int, np.ndarray]:
    """The lowest value, and the segment id int32 of each value from there on: class id + 1, void 0, others -1, among
    them the first and the last."""
    values = [category.id for category in categories]
    void = [] if ignore_index is None else [ignore_index]
    for value in (*values, *void):
        if not isinstance(value, Integral) or isinstance(value, bool) or not -(2**15) <= value < 2**16:
            raise DataError(f"values and ignore_index must be whole numbers of at most 16 bits, got {value!r}")
    if min(values) < 0:
        raise DataError(f"values holds {min(values)}: expected 0 and more, as a model's category ids are")
    if len(set(values)) < len(values):
        raise DataError(f"two classes have the same value in {values}: give each its own")
    if ignore_index in values:
        warnings.warn(
            f"ignore_index={ignore_index} is also the value of the class "
            f"{categories[values.index(ignore_index)].name!r}, which so never comes. If every pixel has a class, pass "
            "ignore_index=None; if the classes are numbered from 1, values=range(1, len(class_names) + 1)",
            stacklevel=3,
        )
    lowest = min((*values, *void)) - 1
    ids = np.full(max((*values, *void)) - lowest + 2, -1, np.int32)
    ids[np.array(values) - lowest] = np.arange(1, len(values) + 1)
    ids[[value - lowest for value in void]] = 0
    return lowest, ids


def _by_stem(folder: Path, suffixes: Container[str], others: str) -> dict[str, Path]:
    """The pictures of a folder by their name without suffix, sorted; hidden files are none."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in suffixes or path.name.startswith("."):
            continue
        stem = unicodedata.normalize("NFC", path.stem)  # other systems write the same letters otherwise
        if stem in found:
            raise DataError(
                f"{path} and {found[stem]} have the same name up to the suffix, so {others} cannot be told apart: "
                "remove or rename one"
            )
        found[stem] = path
    return found
