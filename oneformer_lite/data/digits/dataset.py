"""Scattered digits as a data set: index in, :class:`Sample` out."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np

from ...checks import check_flag, check_number, check_size, only_known_names
from ...errors import ConfigError
from ...files import path_of
from ..coco_json import distinct_color
from ..sample import TASKS, Category, Sample, SegmentInfo
from .scene import ink_box, paint, scatter, varied
from .source import SIDE, Source, bundled, from_file

CATEGORIES = tuple(Category(digit + 1, str(digit), True, distinct_color(digit)) for digit in range(10))
GROUND = Category(11, "ground", False, (40, 40, 48))
LENGTHS = {"train": 60_000, "val": 1000}
LEVELS = ("easy", "hard")
LARGEST = 1024
_MOST_DIGITS = 100


@only_known_names
class Digits:
    """One to ``most`` handwritten digits, white on black, at uniform places: ten thing classes.

    ``level`` "easy" keeps the digits' boxes apart and supplies all tasks; "hard" lets digits lie over each other, each
    with its whole mask, which only the instance task can say. The ground is void, or, with ``ground`` (easy scenes
    alone), an eleventh class of stuff. ``vary`` slants, turns, scales and moves training digits a little.

    Digits come from scikit-learn, or from a ``file`` such as MNIST's (:func:`.source.from_file`); one in eight is held
    out for "val" before scenes are made. ``size`` is the side in pixels, or height and width; ``length`` the number of
    scenes (default 60,000 for "train", 1000 for "val"). Scene i depends on all of these but the length, and ``seed``.
    Lesson 18.
    """

    def __init__(
        self, split: str, level: str = "easy", size: int | tuple[int, int] = 64, length: int | None = None,
        seed: int = 0, *, file: str | Path | None = None, most: int = 4, vary: bool = False, ground: bool = False,
    ) -> None:  # fmt: skip
        _check_names(split, level, vary, ground)
        self.split, self.level, self.vary, self.ground = split, level, bool(vary), bool(ground)
        check_number("most", most, 1, _MOST_DIGITS, whole=True)
        check_number("seed", seed, -(2**63), 2**63, whole=True)
        self.length = LENGTHS[split] if length is None else length
        check_number("length", self.length, 1, 2**31 - 1, whole=True)
        self.size, self.most, self.seed = _size(size, most), int(most), int(seed)
        source = bundled() if file is None else from_file(path_of(file, "the file of digits"))
        self._source: Source = source.split(split)
        self.categories = (*CATEGORIES, GROUND) if ground else CATEGORIES
        self.tasks = TASKS if level == "easy" else ("instance",)

    def __len__(self) -> int:
        return int(self.length)

    def __repr__(self) -> str:
        return f"Digits({self.split!r}, {self.level!r}, size={self.size}, length={len(self)}, seed={self.seed})"

    @property
    def parameters(self) -> dict:
        """All that scenes depend on but their number."""
        source = f"{self._source.name} {self._source.checksum}"
        names = ("split", "level", "seed", "most", "vary", "ground")
        return {name: getattr(self, name) for name in names} | {"size": list(self.size), "source": source}

    @property
    def picture_names(self) -> list[str]:
        """All that a scene depends on."""
        words = " ".join(map(str, self.parameters.values()))
        return [f"{words} {index}" for index in range(len(self))]

    def __getitem__(self, index: int) -> Sample:
        """Scene ``index``; raises IndexError beyond the end, as a sequence does."""
        index = range(len(self))[index]
        rng = random.Random(f"digits {self.level} {self.split} {self.seed} {index}")
        chosen = [rng.randrange(len(self._source)) for _ in range(rng.randint(1, self.most))]
        frames = [self._source.images[i] for i in chosen]
        if self.vary:
            frames = [varied(rng, frame) for frame in frames]
        places = scatter(rng, [ink_box(frame) for frame in frames], self.size, self.level == "easy")
        picture, masks = paint(frames, places, self.size)
        segments = tuple(SegmentInfo(n, int(self._source.labels[i])) for n, i in enumerate(chosen, start=1))
        return self._sample(index, picture, masks, segments)

    def _sample(self, index: int, picture: np.ndarray, masks: np.ndarray, segments: tuple[SegmentInfo, ...]) -> Sample:
        segment_map = np.zeros(self.size, np.int32)
        for segment, mask in zip(segments, masks):
            segment_map[mask] = segment.id
        if self.ground:
            segments += (SegmentInfo(len(segments) + 1, len(CATEGORIES)),)
            segment_map[segment_map == 0] = len(segments)
        return Sample(
            image=np.repeat(picture[..., None], 3, axis=2),
            segment_map=segment_map,
            segments=segments,
            categories=self.categories,
            image_id=index + 1,
            file_name=f"{index + 1:012d}.png",
            tasks=self.tasks,
            masks=masks if self.level == "hard" else None,
        )


def _check_names(split: str, level: str, vary: bool, ground: bool) -> None:
    if not isinstance(split, str) or split not in LENGTHS:
        raise ConfigError(f"unknown split of digits {split!r}: expected 'train' or 'val'")
    if not isinstance(level, str) or level not in LEVELS:
        raise ConfigError(f"unknown level of digits {level!r}: expected 'easy' or 'hard'")
    for name, flag in (("vary", vary), ("ground", ground)):
        check_flag(name, flag)
    if vary and split != "train":
        raise ConfigError("vary is for training digits: held-out ones stay as they were written")
    if ground and level != "easy":
        raise ConfigError("ground is for easy scenes: where digits overlap, no map gives each pixel one owner")


def _size(size: int | tuple[int, int], most: int) -> tuple[int, int]:
    """Height and width; raises ConfigError unless ``most`` digits have room beside each other."""
    check_size("size", size)
    height, width = map(int, size if isinstance(size, (tuple, list)) else (size, size))
    if max(height, width) > LARGEST or (height // SIDE) * (width // SIDE) < most:
        raise ConfigError(
            f"size is {size}: expected at most {LARGEST} pixels a side, and room for {most} digits of {SIDE} x {SIDE}"
        )
    return height, width
