"""One annotated image: the common format that every data set returns and every target is made from."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import ConfigError, DataError

TASKS = ("panoptic", "instance", "semantic")
MAX_CATEGORY_ID = 2**53  # up to which all readers of JSON agree
MOST_BYTES = 2**33  # of the masks of one picture


def check_task(task: str) -> str:
    """Return ``task`` if it is one of :data:`TASKS`, else raise :class:`ConfigError`."""
    if not isinstance(task, str) or task not in TASKS:
        raise ConfigError(f"unknown task {task!r}: expected one of {', '.join(map(repr, TASKS))}")
    return task


def check_tasks(tasks: str | Iterable[str], what_for: str) -> list[str]:
    """``tasks`` (one alone will do) in their usual order, each once; raises :class:`ConfigError` where one is unknown,
    or none is left. ``what_for`` they are, in words: "to judge"."""
    given = [tasks] if isinstance(tasks, str) else list(tasks) if isinstance(tasks, Iterable) else []
    chosen = {check_task(task) for task in given}
    if not chosen:
        raise ConfigError(f"no tasks {what_for}: expected some of {', '.join(TASKS)}, got {tasks!r}")
    return [task for task in TASKS if task in chosen]


def check_tasks_of(tasks: object, whose: str) -> None:
    """Raises :class:`ConfigError` unless ``tasks`` are some of :data:`TASKS`, not a text alone."""
    if not isinstance(tasks, (tuple, list)) or not tasks or not set(map(str, tasks)) <= set(TASKS):
        raise ConfigError(f"the tasks of {whose} are {tasks!r}: expected a tuple of some of {', '.join(TASKS)}")


@dataclass(frozen=True)
class Category:
    """A class of a data set. Its *class id* is its index in the data set's ``categories`` tuple."""

    id: int  # the id in the annotation file (COCO: 1 to 200 with gaps)
    name: str
    is_thing: bool  # countable (car) or amorphous stuff (sky)
    color: tuple[int, int, int] = (128, 128, 128)


@dataclass(frozen=True)
class SegmentInfo:
    """One annotated segment; its pixels are ``segment_map == id``."""

    id: int
    class_id: int  # index into Sample.categories, not the file's category id
    is_crowd: bool = False  # a group annotated as one: never a target, ignored by the metrics


@dataclass(frozen=True)
class Sample:
    """An image with its panoptic annotation.

    Shapes: ``image`` uint8 [H, W, 3] RGB; ``segment_map`` int32 [H, W] of segment ids, 0 = void.
    ``masks`` bool [n, H, W], one per segment, replaces the map where instances may overlap (COCO's
    instance files). ``tasks`` are those the annotation can supply: instance files know no stuff,
    label maps know no instances.
    """

    image: np.ndarray
    segment_map: np.ndarray
    segments: tuple[SegmentInfo, ...]
    categories: tuple[Category, ...]
    image_id: int = 0
    file_name: str = ""
    tasks: tuple[str, ...] = TASKS
    masks: np.ndarray | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.image.shape[0], self.image.shape[1]

    def segment_masks(self, places: Sequence[int] | None = None) -> np.ndarray:
        """Bool [n, H, W]: the pixels of each segment, or of those at ``places``, in the order of ``segments``
        or ``places``. Raises :class:`DataError` for so many that they do not fit into memory."""
        if self.masks is not None:
            return self.masks if places is None else self.masks[list(places)]
        segments = self.segments if places is None else [self.segments[place] for place in places]
        if len(segments) * self.segment_map.size > MOST_BYTES:
            height, width = self.segment_map.shape
            raise DataError(
                f"image {self.image_id} has {len(segments)} segments on {width} x {height} pixels, whose masks do not "
                "fit into memory: cut the picture into tiles"
            )
        ids = np.array([s.id for s in segments], dtype=self.segment_map.dtype)
        return self.segment_map[None] == ids[:, None, None]

    def check(self) -> Sample:
        """Itself; raises :class:`DataError` for a picture of another kind than ``image`` says, or an unknown class."""
        image, count = self.image, len(self.categories)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise DataError(
                f"image {self.image_id} is {image.dtype} {list(image.shape)}: expected uint8 [H, W, 3], 0 to 255"
            )
        for segment in self.segments:
            if not 0 <= segment.class_id < count:
                raise DataError(
                    f"image {self.image_id}: segment {segment.id} has the class id {segment.class_id}, but there are "
                    f"{count} classes (0 to {count - 1})"
                )
        return self

    def forwards(self) -> Sample:
        """Itself, or a copy whose arrays lie in memory as they look: tensors cannot run backwards (``[..., ::-1]``)."""
        back = {
            name: np.ascontiguousarray(array) for name in ("image", "segment_map", "masks")
            if isinstance(array := getattr(self, name), np.ndarray) and min(array.strides, default=0) < 0
        }  # fmt: skip
        return replace(self, **back) if back else self

    def replace(self, **changes) -> Sample:
        """A copy with some fields changed (what the transforms use)."""
        return replace(self, **changes)


def check_sample(sample: object) -> None:
    """Raises :class:`ConfigError` for what is no :class:`Sample`."""
    if not isinstance(sample, Sample):
        raise ConfigError(f"expected a Sample, as a data set gives for each number, got {reprlib.repr(sample)}")
