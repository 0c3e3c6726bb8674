"""Label maps: for each picture a map whose pixel values are class ids (semantic segmentation)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from contextlib import suppress
from numbers import Integral
from pathlib import Path

import numpy as np

from ..checks import check_flag, only_known_names
from ..errors import DataError
from ..listing import few
from ..notices import warn_user
from ..spread import spread_over
from .by_name import warn_of_names
from .coco_json import distinct_color
from .folders import require_folder
from .label_map import read_label_map
from .map_dataset import MapDataset
from .paired import pair_files
from .palette import compare_colours, greys_of_all
from .sample import Category, SegmentInfo
from .segment_ids import present_ids
from .smoothed import Edges
from .unseen import is_blank

_LOOKED_AT = 64  # label maps that are read when a data set is opened, evenly spread
_AT_LEAST = 8  # of these, also where maps are large
_PIXELS = 2**25  # of all that are read beyond
_MANY_VALUES = 12  # that no class has: more than names that were forgotten


@only_known_names
class SemanticDataset(MapDataset):
    """Pictures and label maps (PNG, TIFF, BMP or GIF) that share their file name up to the suffix.

    ``values`` are the pixel values of the classes, in the order of ``class_names``: 0..K-1 unless given. They may
    start elsewhere, as where 0 means that nobody knows (``values=range(1, K + 1), ignore_index=0``), and have gaps, as
    in the masks of drawing programs (``values=(0, 255), ignore_index=None``). ``ignore_index`` is the value of pixels
    without class (void), None if there is none. They are the ids of ``categories``, which :class:`ResultFiles` writes.
    How a map is read that is not grey is in :func:`~.label_map.read_label_map` and :mod:`.palette`.

    Each class present becomes one segment, with id = class id + 1. ``is_thing`` says for each class whether it is
    countable; label maps do not tell instances apart, so only the semantic task can be trained and by default every
    class counts as stuff.

    Pictures without a label map are left out with a warning that counts them, hidden files (``._0.png``) without one.
    A few maps are looked at when the data set is opened: a warning says if they hold void and but a single class, and
    whether palettes count by index or by grey is settled for all maps.
    Whatever contradicts the format raises a :class:`DataError` that names the file.
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
        self._pairs = pair_files(self.image_dir, self.label_dir, "label maps")
        self.image_ids = list(range(len(self._pairs)))
        self._greys = greys_of_all(self._spread(), [c.id for c in self.categories], ignore_index)
        if not self._greys:
            compare_colours(self._spread())
        self._look_at_values()

    def _look_at_values(self) -> None:
        """Numbering that is not the one given makes other classes of all pixels, or none: a few maps show it."""
        values: dict[int, Path] = {}
        read, edges = 0, Edges(objects=False)
        for number, path in enumerate(self._spread()):
            if number >= _AT_LEAST and read > _PIXELS:
                break
            with suppress(DataError):  # said when this map is read
                labels = self._read(path)
                read += labels.size
                if number < _AT_LEAST:
                    edges.add(labels, self.ignore_index)
                values |= dict.fromkeys([*present_ids(labels).tolist(), *[0] * (0 in labels)], path)
        ids, count = {category.id for category in self.categories}, len(self.categories)
        if self._counts_from_0() and values.keys() - ids - {self.ignore_index} == {count}:
            raise DataError(f"{values[count]} {self._unknown({count})}")
        if edges.smoothed:
            warn_user(
                f"the label maps in {self.label_dir} seem to have been resized with smoothing, or saved as JPEG on the "
                f"way, which makes other classes along the edges: {edges.smoothed}. Write them again from the source, "
                "and resize with nearest-neighbour (unless a class is but a thin line around others)"
            )
        classes = [c.name for c in self.categories if c.id in values]
        if self.ignore_index in values and len(classes) == 1 < len(self.categories):
            warn_user(
                f"the label maps looked at in {self.label_dir} hold the values {sorted(values)}: only the class "
                f"{classes[0]!r} and {self.ignore_index}, which is void (ignore_index), so there is nothing to tell "
                f"apart. If {self.ignore_index} is a class, give the values of all: values=({min(values)}, "
                f"{max(values)}), ignore_index=None"
            )

    def _spread(self) -> list[Path]:
        """The maps that are looked at: first a few from the whole set, then those between."""
        places = spread_over(len(self._pairs), _LOOKED_AT)
        first = places[:: max(1, len(places) // _AT_LEAST)]
        return [self._pairs[i][1] for i in [*first, *sorted({*places}.difference(first))]]

    @property
    def segment_classes(self) -> np.ndarray:
        """What pixel values mean: the lowest one, then the segment id of each from there on."""
        return np.array([self._lowest, *self._segment_ids.tolist()])

    def _read(self, path: Path) -> np.ndarray:
        return read_label_map(path, [c.id for c in self.categories], self.ignore_index, self._greys)

    def _files(self, index: int) -> tuple[Path, Path, str]:
        image_path, label_path = self._pairs[index]
        return image_path, label_path, image_path.name

    def annotation(self, index: int) -> tuple[np.ndarray, tuple[SegmentInfo, ...]]:
        """The segment map int32 [H, W] and its segments, without decoding the picture."""
        path = self._pairs[index][1]
        labels = self._read(path)
        segment_map = self._segment_ids[np.clip(labels - self._lowest, 0, len(self._segment_ids) - 1)]
        if segment_map.min() < 0:
            raise DataError(f"{path} {self._unknown(set(np.unique(labels[segment_map < 0]).tolist()))}")
        return segment_map, tuple(SegmentInfo(id=i, class_id=i - 1) for i in present_ids(segment_map).tolist())

    def _unknown(self, values: set[int]) -> str:
        """What is said of ``values`` that are neither a class nor void."""
        count = len(self.categories)
        known = f"0..{count - 1}" if self._counts_from_0() else few({category.id for category in self.categories})
        cure = "correct the map, class_names, values or ignore_index"
        if self._counts_from_0() and values == {count}:
            cure = (
                f"if the {count} classes are numbered from 1, values=range(1, {count + 1}), and ignore_index=0 if 0 is "
                "where nobody knows; else name the class that is missing"
            )
        elif count == 2 and values == {255}:
            cure = "of masks of 0 and 255, values=(0, 255) are the two classes"
        elif len(values) > max(_MANY_VALUES, count):
            cure = (
                f"so many ({len(values)}) other values come from a lossy format (a JPEG saved as PNG later) or from "
                "resizing with smoothing, unless this is no label map: write it again as PNG from the source, and "
                "resize with nearest-neighbour"
            )
        return (
            f"holds the values {few(values)}, which are neither a class id ({known}) nor "
            f"ignore_index={self.ignore_index}: {cure}"
        )

    def _counts_from_0(self) -> bool:
        return [category.id for category in self.categories] == list(range(len(self.categories)))


def _categories(
    names: Sequence[str], is_thing: Sequence[bool] | None, values: Sequence[int] | None
) -> tuple[Category, ...]:
    unordered = (str, dict, Set)  # a set would number the classes anew in each process
    names = list(names) if isinstance(names, Iterable) and not isinstance(names, unordered) else names
    if not isinstance(names, list) or not names or any(not isinstance(n, str) or is_blank(n) for n in names):
        raise DataError(f"class_names must be a list of names, none of them blank, got {names!r}")
    if len(set(names)) < len(names):
        raise DataError(f"two classes have the same name in {list(names)}: give each its own")
    warn_of_names(names, "class_names")
    for what, entries in (("is_thing", is_thing), ("values", values)):
        if entries is not None and (isinstance(entries, (dict, Set)) or not isinstance(entries, Iterable)):
            raise DataError(
                f"{what} must be a list with an entry for each class, in the order of class_names (a set has none), "
                f"got {entries!r}"
            )
    things = [False] * len(names) if is_thing is None else list(is_thing)
    numbers = range(len(names)) if values is None else list(values)
    for index, thing in enumerate(things):
        check_flag(f"is_thing[{index}]", thing)
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
        warn_user(
            f"ignore_index={ignore_index} is also the value of the class "
            f"{categories[values.index(ignore_index)].name!r}, which so never comes. If every pixel has a class, pass "
            "ignore_index=None; if the classes are numbered from 1, values=range(1, len(class_names) + 1)"
        )
    lowest = min((*values, *void)) - 1
    ids = np.full(max((*values, *void)) - lowest + 2, -1, np.int32)
    ids[np.array(values) - lowest] = np.arange(1, len(values) + 1)
    ids[[value - lowest for value in void]] = 0
    return lowest, ids
