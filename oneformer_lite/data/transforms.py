"""Training augmentations: a sample and a random generator in, a sample out.

Picture, segment map and masks always move together. All randomness comes from the generator that is
passed in, so a run can be repeated and data-loader processes do not share a stream. The official
recipes (detectron2's transforms as OneFormer's dataset mappers chain them) are

COCO:   HorizontalFlip, LargeScaleJitter(1024), FixedSizeCrop(1024)
ADE20K: ResizeShortestSide((256, 307, ..., 1024), 2048), RandomCrop(512, 512),
        ColorJitter (``color_jitter.py``), HorizontalFlip, FixedSizeCrop(512)
Cityscapes: likewise, with short sides up to 2048 and a crop of (512, 1024)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as F

from ..checks import check_number, check_size
from ..errors import ConfigError
from .sample import Sample
from .segment_ids import present_ids

Transform = Callable[[Sample, np.random.Generator], Sample]


@dataclass(frozen=True)
class Compose:
    """Apply ``transforms`` one after the other."""

    transforms: Sequence[Transform]

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        for transform in self.transforms:
            sample = transform(sample, rng)
        return sample


@dataclass(frozen=True)
class HorizontalFlip:
    """Mirror left and right with probability ``p``."""

    p: float = 0.5

    def __post_init__(self) -> None:
        check_number("p", self.p, 0, 1)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        if rng.random() >= self.p:
            return sample
        # Copies, because torch cannot wrap the negative strides of a mirrored view.
        masks = sample.masks
        return sample.replace(
            image=sample.image[:, ::-1].copy(),
            segment_map=sample.segment_map[:, ::-1].copy(),
            masks=None if masks is None else masks[:, :, ::-1].copy(),
        )


@dataclass(frozen=True)
class Resize:
    """Stretch to ``size``: (height, width), or one number for a square."""

    size: int | tuple[int, int]

    def __post_init__(self) -> None:
        check_size("size", self.size)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        return resized(sample, *_pair(self.size))


@dataclass(frozen=True)
class ResizeShortestSide:
    """Scale the shorter side to ``short`` pixels, or to one of several lengths drawn at random.

    The longer side never exceeds ``max_size``. detectron2: ``ResizeShortestEdge``, "choice".
    """

    short: int | Sequence[int]
    max_size: int

    def __post_init__(self) -> None:
        check_number("max_size", self.max_size, 1, whole=True)
        lengths = self.short if np.iterable(self.short) else [self.short]
        if not len(lengths):
            raise ConfigError("short must be one length or several, got none")
        for length in lengths:
            check_number("short", length, 1, whole=True)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        height, width = sample.size
        scale = int(rng.choice(self.short if np.iterable(self.short) else [self.short]))
        scale /= min(height, width)
        scale = min(scale, self.max_size / max(height, width))
        return resized(sample, int(height * scale + 0.5), int(width * scale + 0.5))


@dataclass(frozen=True)
class LargeScaleJitter:
    """Scale to fit into ``size`` times a factor drawn from [``min_scale``, ``max_scale``].

    ``size`` is (height, width) or one number for a square. The shape is kept; follow with
    :class:`FixedSizeCrop`. Ghiasi et al. 2021; detectron2: ``ResizeScale``.
    """

    size: int | tuple[int, int]
    min_scale: float = 0.1
    max_scale: float = 2.0

    def __post_init__(self) -> None:
        check_size("size", self.size)
        check_number("min_scale", self.min_scale, 0.001, 1000)
        check_number("max_scale", self.max_scale, self.min_scale, 1000)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        height, width = sample.size
        target_height, target_width = _pair(self.size)
        scale = rng.uniform(self.min_scale, self.max_scale)
        scale *= min(target_height / height, target_width / width)
        return resized(sample, round(height * scale), round(width * scale))


@dataclass(frozen=True)
class FixedSizeCrop:
    """Cut a random window of ``size`` where the sample is larger, pad below and right elsewhere.

    ``size`` is (height, width) or one number for a square. Padding is void; its colour
    ``pad_value`` lies near the ImageNet mean, so that it becomes about 0 when normalised.
    """

    size: int | tuple[int, int]
    pad_value: int = 128

    def __post_init__(self) -> None:
        check_size("size", self.size)
        check_number("pad_value", self.pad_value, 0, 255, whole=True)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        height, width = _pair(self.size)
        # detectron2 draws one number for both axes: windows lie on the picture's diagonal.
        position = rng.random()
        top = round(max(sample.size[0] - height, 0) * position)
        left = round(max(sample.size[1] - width, 0) * position)
        return padded(cropped(sample, top, left, height, width), height, width, self.pad_value)


@dataclass(frozen=True)
class RandomCrop:
    """Cut a random window of ``height`` x ``width``, or as much of it as the sample has."""

    height: int
    width: int

    def __post_init__(self) -> None:
        check_size("height and width", (self.height, self.width))

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        top = int(rng.integers(max(sample.size[0] - self.height, 0) + 1))
        left = int(rng.integers(max(sample.size[1] - self.width, 0) + 1))
        return cropped(sample, top, left, self.height, self.width)


def resized(sample: Sample, height: int, width: int) -> Sample:
    """Scaled to ``height`` x ``width`` (at least 1): the picture smoothly, ids to the nearest."""
    height, width = max(height, 1), max(width, 1)
    pixels = torch.tensor(sample.image).permute(2, 0, 1)
    # Antialiased as in Pillow and equal to it within one grey level, but several times as fast.
    image = F.resize(pixels, [height, width], antialias=True).permute(1, 2, 0).contiguous().numpy()
    segment_map = resize_nearest(sample.segment_map, height, width)
    masks = None if sample.masks is None else resize_nearest(sample.masks, height, width)
    if height >= sample.size[0] and width >= sample.size[1]:  # every pixel is taken at least once
        return sample.replace(image=image, segment_map=segment_map, masks=masks)
    return _rebuilt(sample, image, segment_map, masks)


def resize_nearest(array: np.ndarray, height: int, width: int) -> np.ndarray:
    """[..., H, W] -> [..., height, width]; each new pixel takes the value under its centre.

    That is Pillow's NEAREST (so detectron2's), in line with bilinear resizing of the picture. The
    "nearest" that torchvision applies to masks takes the corner instead: up to half a pixel off.
    """
    rows = _nearest_indices(array.shape[-2], height)
    columns = _nearest_indices(array.shape[-1], width)
    return array.take(columns, -1).take(rows, -2)  # the other way round takes three times as long


def _nearest_indices(old: int, new: int) -> np.ndarray:
    """Which of ``old`` pixels each of ``new`` takes; Pillow itself says, also where centres tie."""
    line = Image.fromarray(np.arange(old, dtype=np.int32)[None])
    return np.asarray(line.resize((new, 1), Image.Resampling.NEAREST))[0]


def cropped(sample: Sample, top: int, left: int, height: int, width: int) -> Sample:
    """The window [top, top + height) x [left, left + width), as far as the sample reaches."""
    if top == left == 0 and height >= sample.size[0] and width >= sample.size[1]:
        return sample
    window = (..., slice(top, top + height), slice(left, left + width))
    masks = None if sample.masks is None else sample.masks[window]
    return _rebuilt(sample, sample.image[window[1:]], sample.segment_map[window], masks)


def padded(sample: Sample, height: int, width: int, pad_value: int) -> Sample:
    """Extended below and right to ``height`` x ``width`` with colour ``pad_value`` and void."""
    if sample.size == (height, width):
        return sample
    margin = ((0, height - sample.size[0]), (0, width - sample.size[1]))
    masks = sample.masks
    return sample.replace(
        image=np.pad(sample.image, (*margin, (0, 0)), constant_values=pad_value),
        segment_map=np.pad(sample.segment_map, margin),
        masks=None if masks is None else np.pad(masks, ((0, 0), *margin)),
    )


def _rebuilt(
    sample: Sample, image: np.ndarray, segment_map: np.ndarray, masks: np.ndarray | None
) -> Sample:
    """The changed sample, without the segments that have lost their last pixel."""
    if masks is None:
        present = set(present_ids(segment_map).tolist())
        kept = [segment.id in present for segment in sample.segments]
    else:
        kept = masks.any((1, 2))
        masks = masks[kept]
    return sample.replace(
        image=image,
        segment_map=segment_map,
        segments=tuple(s for s, keep in zip(sample.segments, kept, strict=True) if keep),
        masks=masks,
    )


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size
