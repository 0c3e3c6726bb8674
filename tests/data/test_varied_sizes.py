"""DETR's augmentation: the published lengths and crops, pictures of varied sizes, annotation in step."""

from __future__ import annotations

import numpy as np
import pytest

from oneformer_lite.data.augment import AUGMENTATIONS, augmentation
from oneformer_lite.data.random_sizes import RandomSizeCrop, Sometimes
from oneformer_lite.data.sample import Category, Sample, SegmentInfo
from oneformer_lite.data.transforms import Compose, HorizontalFlip, ResizeShortestSide
from oneformer_lite.errors import ConfigError


def scene(height: int, width: int) -> Sample:
    """A bright thing on dark stuff."""
    ids = np.full((height, width), 2, np.int32)
    ids[height // 4 : height // 2, width // 4 : width // 2] = 1
    image = np.where(ids[..., None] == 1, 220, 30).astype(np.uint8).repeat(3, 2)
    classes = Category(1, "car", True), Category(2, "road", False)
    return Sample(image, ids, (SegmentInfo(1, 0), SegmentInfo(2, 1)), classes)


@pytest.mark.parametrize("name, longest", [("detr", 1333), ("detr_1000", 1000)])
def test_lengths_are_the_published_ones(name: str, longest: int) -> None:
    """Official ``make_coco_transforms``: scales 480 to 800 in steps of 32; 400, 500, 600, cut to 384 to 600."""
    flip, cut, resize = AUGMENTATIONS[name](800).transforms
    assert flip == HorizontalFlip(0.5)
    assert cut == Sometimes(Compose([ResizeShortestSide((400, 500, 600), 8000), RandomSizeCrop(384, 600)]), 0.5)
    assert resize == ResizeShortestSide(tuple(range(480, 801, 32)), longest)


@pytest.mark.parametrize("height, width", [(60, 90), (90, 60), (20, 200), (3, 4), (1, 900)])
def test_what_comes_out_is_as_long_as_said(height: int, width: int) -> None:
    sizes = set()
    for seed in range(12):
        came = augmentation("detr", 80)(scene(height, width), np.random.default_rng(seed))
        assert came.image.shape[:2] == came.segment_map.shape and min(came.size) <= 80 and max(came.size) <= 133
        assert {s.id for s in came.segments} == set(np.unique(came.segment_map)) - {0}
        known = came.segment_map == 1  # outlines are blurred by scaling
        assert np.mean((came.image[..., 0] > 125) != known) < 0.1
        sizes.add(came.size)
    assert len(sizes) > 3 or min(height, width) < 4


def test_crops_have_every_side_between_the_ends_and_reach_every_edge() -> None:
    crop, sample, rng = RandomSizeCrop(3, 5), scene(8, 4), np.random.default_rng(0)
    sample = sample.replace(segment_map=np.arange(1, 33, dtype=np.int32).reshape(8, 4), segments=())
    found = [crop(sample, rng) for _ in range(200)]
    assert {f.size for f in found} == {(h, w) for h in (3, 4, 5) for w in (3, 4)}
    for value in (1, 4, 29, 32):  # all four corners
        assert any((f.segment_map == value).any() for f in found)


def test_sometimes_is_as_often_as_said() -> None:
    rng, sample = np.random.default_rng(0), scene(4, 4)
    done = sum(Sometimes(ResizeShortestSide(2, 9), 0.25)(sample, rng).size == (2, 2) for _ in range(400))
    assert 70 < done < 130


@pytest.mark.parametrize(
    "kind, values",
    [(RandomSizeCrop, (0, 5)), (RandomSizeCrop, (6, 5)), (Sometimes, (HorizontalFlip(), 2))],
)
def test_values_that_cannot_be(kind, values) -> None:
    with pytest.raises(ConfigError):
        kind(*values)
