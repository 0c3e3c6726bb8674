"""Toytown as a data set: index in, :class:`Sample` out, the same at every size."""

from __future__ import annotations

import random
from functools import lru_cache

import numpy as np
from PIL import Image

from ...checks import check_flag, only_known_names
from ...errors import ConfigError
from ..sample import TASKS, Category, Sample, SegmentInfo
from .classes import CATEGORIES
from .land import STUFF
from .painter import paint, paint_elements
from .scene import Scene, compose

LENGTHS = {"train": 8000, "val": 500}
SMALLEST, LARGEST = 64, 1024
# height at which the number of visible pixels decides what is annotated; a crowded town's things are half as large
REFERENCE, CROWDED_REFERENCE = 128, 256
FAIR_PIXELS = 28  # things with fewer visible pixels at the reference height become void
FAIR_STUFF_PIXELS = 40

# how strongly each element's colour varies with the texture: void, the six kinds of stuff, things
TEXTURE = np.array([0.03, 0.0, 0.035, 0.05, 0.04, 0.09, 0.03] + [0.03] * 249, dtype=np.float32)
GRAIN = 3.5  # standard deviation of the film grain in grey levels


@only_known_names
class Toytown:
    """A procedurally painted street: eight thing classes, six kinds of stuff.

    ``size`` is the height and width in pixels, 64 to 1024, or a pair (height, width); ``length``
    the number of scenes (default 8000 for "train", 500 for "val"). Scene i of a split depends on
    split, seed, i and the aspect ratio only. ``crowded`` scenes are others, and harder: some thirty
    things in groups that touch and hide each other and often look alike, to be seen at 256 pixels.
    """

    categories: tuple[Category, ...] = CATEGORIES
    tasks: tuple[str, ...] = TASKS

    def __init__(self, split: str, size: int | tuple[int, int] = 128, length: int | None = None,
                 seed: int = 0, *, crowded: bool = False) -> None:  # fmt: skip
        if not isinstance(split, str) or split not in LENGTHS:
            raise ConfigError(f"unknown Toytown split {split!r}: expected 'train' or 'val'")
        length = LENGTHS[split] if length is None else length
        if not is_int(length) or length < 1:
            raise ConfigError(f"length must be a positive integer or None, not {length!r}")
        if not is_int(seed):
            raise ConfigError(f"seed must be an integer, not {seed!r}")
        check_flag("crowded", crowded)
        self.crowded = crowded
        self.split, self.size, self.length, self.seed = split, check_size(size), int(length), seed

    def __len__(self) -> int:
        return self.length

    @property
    def picture_names(self) -> list[str]:
        """All that a scene depends on."""
        town = "crowded " if self.crowded else ""
        return [f"{town}{self.split} {self.seed} {index}, {self.size}" for index in range(self.length)]

    def __repr__(self) -> str:
        town = ", crowded=True" if self.crowded else ""
        return f"Toytown({self.split!r}, size={self.size}, length={self.length}, seed={self.seed}{town})"

    def __getitem__(self, index: int) -> Sample:
        """Scene ``index``; raises IndexError beyond the end, as a sequence does."""
        if not is_int(index):
            raise ConfigError(f"a Toytown index must be an integer, not {index!r}")
        index = int(index)
        if not -self.length <= index < self.length:
            raise IndexError(f"scene {index} of a Toytown with {self.length} scenes")
        index %= self.length
        height, width = self.size
        town, reference = ("crowded toytown", CROWDED_REFERENCE) if self.crowded else ("toytown", REFERENCE)
        rng = random.Random(f"{town} {self.split} {self.seed} {index}")
        scene = compose(rng, width / height, self.crowded)
        picture, elements = paint(scene.strokes, height, width)
        segment_map, segments = annotate(scene, elements, reference)
        return Sample(
            image=develop(picture, elements, scene),
            segment_map=segment_map,
            segments=segments,
            categories=self.categories,
            image_id=index + 1,
            file_name=f"{index + 1:012d}.jpg",
        )


def is_int(value: object) -> bool:
    """Whether ``value`` is a whole number of Python or numpy, but not a bool."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def check_size(size: int | tuple[int, int]) -> tuple[int, int]:
    """``size`` as (height, width); raises ConfigError unless both are integers in range."""
    pair = (size, size) if is_int(size) else size
    if (
        not isinstance(pair, tuple | list)
        or len(pair) != 2
        or not all(is_int(v) and SMALLEST <= v <= LARGEST for v in pair)
    ):
        raise ConfigError(
            f"size must be an integer from {SMALLEST} to {LARGEST} or a pair (height, width) "
            f"of them, not {size!r}"
        )
    return int(pair[0]), int(pair[1])


def annotate(scene: Scene, elements: np.ndarray,
             reference_height: int = REFERENCE) -> tuple[np.ndarray, tuple[SegmentInfo, ...]]:  # fmt: skip
    """Segment map int32 [H, W] and segments of an element map uint8 [H, W].

    Elements too small to be fair become void. What is too small is decided at the reference
    height, so that a scene has the same segments at every size.
    """
    height, width = elements.shape
    counts = np.bincount(elements.ravel(), minlength=256)
    reference = counts
    if height != reference_height:
        other = paint_elements(scene.strokes, reference_height, max(1, round(reference_height * width / height)))
        reference = np.bincount(other.ravel(), minlength=256)
    ids = np.zeros(256, dtype=np.int32)
    segments: list[SegmentInfo] = []
    for number, element in enumerate(scene.elements):
        fair = FAIR_STUFF_PIXELS if 0 < number <= len(STUFF) else FAIR_PIXELS
        if element.class_id is None or reference[number] < fair or counts[number] == 0:
            continue
        ids[number] = len(segments) + 1
        segments.append(SegmentInfo(len(segments) + 1, element.class_id, element.is_crowd))
    return ids[elements], tuple(segments)


@lru_cache(maxsize=1)
def noise_tile() -> np.ndarray:
    """Float32 [512, 512] of mean 0 and deviation 1: one tile of the finest noise, made once."""
    return np.random.default_rng(7).standard_normal((512, 512), dtype=np.float32)


@lru_cache(maxsize=16)
def noise(height: int, width: int, cells: int, top: int, left: int) -> np.ndarray:
    """Noise [H, W] with ``cells`` grains to the picture's height, from a corner of the tile."""
    tile = noise_tile()
    rows = (top + np.arange(cells)) % len(tile)
    columns = (left + np.arange(max(1, round(cells * width / height)))) % len(tile)
    patch = Image.fromarray(tile[np.ix_(rows, columns)])
    return np.asarray(patch.resize((width, height), Image.Resampling.BILINEAR))


def develop(picture: np.ndarray, elements: np.ndarray, scene: Scene) -> np.ndarray:
    """Add texture, film grain and a gentle darkening of the corners; uint8 [H, W, 3]."""
    height, width = elements.shape
    corners = [int(v * 8) * 64 for v in scene.texture]
    coarse = noise(height, width, 48, *corners)
    fine = noise(height, width, 256, *corners)
    gain = 1.0 + TEXTURE[elements] * (0.55 * coarse + 0.75 * fine)
    gain *= vignette(height, width)
    image = picture * gain[:, :, None] + (GRAIN * fine)[:, :, None]
    return np.clip(image + 0.5, 0, 255).astype(np.uint8)


@lru_cache(maxsize=4)
def vignette(height: int, width: int) -> np.ndarray:
    """Float32 [H, W]: 1 in the middle, a little less in the corners."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return (1.0 - 0.07 * (x * x + y * y)).astype(np.float32)
