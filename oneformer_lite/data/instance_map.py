"""Instance maps: for each picture a map in which every object has a number of its own, as microscopists have them."""

from __future__ import annotations

from contextlib import suppress
from numbers import Integral
from pathlib import Path

import numpy as np

from ..checks import check_flag, only_known_names
from ..errors import ConfigError, DataError
from ..notices import warn_user
from ..spread import spread_over
from .by_name import warn_of_names
from .coco_json import distinct_color
from .folders import require_folder
from .label_map import read_label_map
from .map_dataset import MapDataset
from .paired import pair_files
from .sample import TASKS, Category, SegmentInfo
from .segment_ids import present_ids
from .smoothed import Edges
from .unseen import is_blank

_LOOKED_AT = 8  # maps that are read when a data set is opened
_GREYS = range(1, 256)  # what the greys of a palette may mean
_LEAST_AREA, _MANY = 4, 1000  # mean pixels of an object, of so many that this tells what the map is
_CURE = "scipy.ndimage.label gives each connected region a number of its own"


@only_known_names
class InstanceMapDataset(MapDataset):
    """Pictures and maps (PNG, TIFF, BMP or GIF, of 8, 16 or 32 bits) of the same names: 0 is background, any other
    number one object, all of ``class_name``. Numbers may have gaps, and an object may be in several pieces.

    ``ignore_index``: the number of what nobody judged (a crowd: no target, and no error). ``ending``: what follows a
    picture's name in that of its map, "_masks" in Cellpose's cell_masks.tif of cell.png. ``background``: a name for
    what no object holds, which becomes a class of stuff: then all three tasks can be learned, else objects alone.
    ``as_drawn``: the numbers are those that were drawn, also where they look as if the maps had been smoothed, which is
    refused else (:mod:`.smoothed`): lines of one pixel that lie side by side, growth rings.

    Maps of several classes are panoptic (``data/README.md`` shows how to write them). A map that contradicts the format
    raises a :class:`DataError` that names the file, as does one without a picture. Lesson 21.
    """

    def __init__(
        self,
        image_dir: str | Path,
        map_dir: str | Path,
        class_name: str = "object",
        *,
        ignore_index: int | None = None,
        background: str | None = None,
        ending: str = "",
        as_drawn: bool = False,
    ) -> None:
        names = [class_name] if background is None else [class_name, background]
        self.categories, self.ignore_index = _categories(names), _checked(ignore_index)
        if not isinstance(ending, str):
            raise ConfigError(f"ending must be a text such as '_masks', or '' for none, got {ending!r}")
        check_flag("as_drawn", as_drawn)
        self.tasks = ("instance",) if background is None else TASKS
        self.image_dir = require_folder(image_dir, "the pictures")
        self.map_dir = require_folder(map_dir, "the instance maps")
        self._pairs = pair_files(self.image_dir, self.map_dir, "instance maps", ending)
        self.image_ids = list(range(len(self._pairs)))
        self._look_at_numbers(as_drawn)

    def _look_at_numbers(self, as_drawn: bool) -> None:
        """A few maps show what numbers mean.

        Where no map has two numbers, the objects of a picture were most likely not told apart; where the same number
        holds most of each and reaches all its edges, it is the background; where none has a pixel of background, the
        numbers most likely say classes as well; where edges go in steps, the map was smoothed, and the steps would be
        objects, unless it is ``as_drawn``.
        """
        counts, bare, grounds, edges = [], True, set[int | None](), Edges(objects=True)
        for place in spread_over(len(self), _LOOKED_AT):
            with suppress(DataError):  # said when this map is read
                numbers = self._read(self._pairs[place][1])
                counts.append(len(present_ids(numbers)))
                bare = bare and bool(numbers.all() and (numbers != self.ignore_index).all())
                grounds.add(_ground(numbers))
                if not as_drawn and counts[-1] <= _most(numbers):
                    edges.add(numbers, self.ignore_index)
        if edges.smoothed:
            raise DataError(
                f"the instance maps in {self.map_dir} seem to have been resized with smoothing, or saved as JPEG on "
                f"the way: {edges.smoothed}, and each number would be an object. Write them again from the source as "
                "PNG or TIFF, and resize with nearest-neighbour; if a number is that of lines around objects, say so "
                "with ignore_index; if they are as they were drawn, as lines of one pixel side by side can be, pass "
                "as_drawn=True"
            )
        ground = grounds.pop() if len(grounds) == 1 else None
        if counts and max(counts) <= 1:
            warn_user(
                f"none of the {len(counts)} instance maps looked at in {self.map_dir} has two objects: if each holds "
                f"several under one number, they would be learned as one ({_CURE})"
            )
        elif counts and bare:
            warn_user(
                f"no pixel of the {len(counts)} instance maps looked at in {self.map_dir} is 0, background: if their "
                "numbers say classes as well, as in data sets of streets, each region of any class would be learned as "
                f"an object of {self.categories[0].name!r} (oneformer-lite convert-data rewrites such data sets)"
                + f". If {ground}, which holds most of each, is the background, write 0 there" * (ground is not None)
            )
        elif ground not in (None, 0, self.ignore_index):
            warn_user(
                f"the number {ground} holds most of each of the {len(counts)} instance maps looked at in "
                f"{self.map_dir}, and reaches all their edges: as it is read, it is an object. If it is the "
                f"background, write 0 there (and another number for the object that is 0 now); if nobody looked "
                f"there, ignore_index={ground}"
            )

    def _read(self, path: Path) -> np.ndarray:
        numbers = read_label_map(path, _GREYS, 0)
        if numbers.min() < 0:
            raise DataError(f"{path} holds the number {numbers.min()}; expected 0 for background, 1 to 2^31 - 1 else")
        return numbers

    def _files(self, index: int) -> tuple[Path, Path, str]:
        image_path, map_path = self._pairs[index]
        return image_path, map_path, image_path.name

    def annotation(self, index: int) -> tuple[np.ndarray, tuple[SegmentInfo, ...]]:
        """The segment map int32 [H, W] and its segments, without decoding the picture."""
        numbers = self._read(self._pairs[index][1])
        ids = present_ids(numbers).tolist()
        if len(ids) > _most(numbers):
            raise DataError(
                f"{self._pairs[index][1]} holds {len(ids)} different numbers on {numbers.size} pixels: expected one "
                "for each object, so this is no instance map (a photograph, or a map of heights or distances?)"
            )
        segments = [SegmentInfo(i, 0, is_crowd=i == self.ignore_index) for i in ids]
        if len(self.categories) > 1 and (ground := numbers == 0).any():
            own = min(set(range(1, len(ids) + 2)).difference(ids))
            numbers = np.where(ground, np.int32(own), numbers)
            segments.append(SegmentInfo(own, 1))
        return numbers, tuple(segments)


def _most(numbers: np.ndarray) -> float:
    """How many objects a map may have: more are something else than objects."""
    return max(_MANY, numbers.size / _LEAST_AREA)


def _ground(numbers: np.ndarray) -> int | None:
    """The number that most pixels of a map int [H, W] have, and some along each of its edges; None if there is none."""
    number, count = max(zip(*np.unique(numbers, return_counts=True)), key=lambda pair: pair[1])
    at_edges = all((edge == number).any() for edge in (numbers[0], numbers[-1], numbers[:, 0], numbers[:, -1]))
    return int(number) if at_edges and 2 * count > numbers.size else None


def _categories(names: list[str]) -> tuple[Category, ...]:
    if not all(isinstance(name, str) and not is_blank(name) for name in names) or len(set(names)) < len(names):
        raise ConfigError(f"class_name and background must be two names, not blank, got {names!r}")
    warn_of_names(names, "class_name and background")
    return tuple(Category(i + 1, name, is_thing=i == 0, color=distinct_color(i)) for i, name in enumerate(names))


def _checked(ignore_index: int | None) -> int | None:
    whole = isinstance(ignore_index, Integral) and not isinstance(ignore_index, bool)
    if ignore_index is not None and not (whole and 0 < ignore_index < 2**31):
        raise ConfigError(f"ignore_index must be a whole number from 1, or None, got {ignore_index!r}: 0 is background")
    return ignore_index
