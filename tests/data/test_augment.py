"""The augmentation recipes: sizes, repeatable, picture and annotation in step."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from oneformer_lite import config
from oneformer_lite.data.augment import AUGMENTATIONS, _scale_and_crop
from oneformer_lite.data.color_jitter import ColorJitter
from oneformer_lite.data.quarter_turns import QuarterTurns
from oneformer_lite.data.sample import Category, Sample, SegmentInfo
from oneformer_lite.data.targets import targets_for
from oneformer_lite.data.transforms import FixedSizeCrop, HorizontalFlip, RandomCrop, ResizeShortestSide

CROPPING = {
    "coco": (64, 64), "ade20k": (64, 64), "cityscapes": (32, 64), "mapillary": (64, 64), "microscope": (64, 64),
    "small_photographs": (64, 64),
}  # fmt: skip


def scene(height: int = 60, width: int = 90) -> Sample:
    """Two things on stuff beside void; things are bright, the rest is dark."""
    segment_map = np.full((height, width), 3, np.int32)
    segment_map[:, :10] = 0
    segment_map[20:50, 20:40] = 1
    segment_map[10:30, 50:80] = 2
    image = np.full((height, width, 3), 40, np.uint8)
    image[(segment_map == 1) | (segment_map == 2)] = 215
    segments = (SegmentInfo(1, 0), SegmentInfo(2, 0), SegmentInfo(3, 1))
    return Sample(image, segment_map, segments, (Category(1, "car", True), Category(2, "road", False)))


def test_quarter_turns_move_picture_and_annotation_together() -> None:
    before, seen = scene(4, 6), set()
    before = before.replace(image=before.image + np.arange(24, dtype=np.uint8).reshape(4, 6, 1))
    with_masks = before.replace(masks=before.segment_masks())
    for seed in range(16):
        came = QuarterTurns()(with_masks, np.random.default_rng(seed))
        (turns,) = (k for k in range(4) if np.array_equal(np.rot90(before.image, k), came.image))
        np.testing.assert_array_equal(came.segment_map, np.rot90(before.segment_map, turns))
        np.testing.assert_array_equal(came.masks, came.segment_masks() & came.masks)
        np.testing.assert_array_equal(came.masks, came.segment_map == np.array([[[1]], [[2]], [[3]]]))
        seen.add(turns)
    assert seen == {0, 1, 2, 3}


@pytest.mark.parametrize("name", CROPPING)
@pytest.mark.parametrize("size", [(60, 90), (90, 60), (30, 200), (7, 9)])
def test_every_recipe_gives_its_crop_whatever_comes(name: str, size: tuple[int, int]) -> None:
    augment = AUGMENTATIONS[name](64)
    for seed in range(5):
        came = augment(scene(*size), np.random.default_rng(seed))
        assert came.image.shape == (*CROPPING[name], 3) and came.segment_map.shape == CROPPING[name]


@pytest.mark.parametrize("name", CROPPING)
def test_the_same_seed_gives_the_same_sample(name: str) -> None:
    first, again, other = (AUGMENTATIONS[name](64)(scene(), np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.segment_map, again.segment_map)
    assert first.segments == again.segments
    assert (first.image != other.image).any()


@pytest.mark.parametrize("name", CROPPING)
def test_masks_stay_on_what_they_mark(name: str) -> None:
    compared = 0
    for seed in range(20):
        came = AUGMENTATIONS[name](64)(scene(), np.random.default_rng(seed))
        assert len(targets_for(came, "instance")) == sum(s.class_id == 0 for s in came.segments)
        known, things = came.segment_map > 0, np.isin(came.segment_map, (1, 2))
        if not things.any() or things[known].all():
            continue
        gray = came.image.mean(-1)
        bright = gray > (gray[known].min() + gray[known].max()) / 2  # whatever the jitter made of the colours
        assert np.mean(things[known] != bright[known]) < 0.05  # outlines are blurred by scaling
        compared += 1
    assert compared > 10


def test_the_steps_of_ade20k_are_the_official_ones_in_their_order() -> None:
    steps = AUGMENTATIONS["ade20k"](512).transforms
    lengths = (256, 307, 358, 409, 460, 512, 563, 614, 665, 716, 768, 819, 870, 921, 972, 1024)
    assert list(steps) == [
        ResizeShortestSide(lengths, 2048), RandomCrop(512, 512), ColorJitter(), HorizontalFlip(),
        FixedSizeCrop((512, 512)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name, preset, scale, crop",
    [
        ("ade20k", config.ade20k_swin_l(), 640, (640, 640)),
        ("ade20k", config.ade20k_swin_l(crop=1280), 1280, (1280, 1280)),
        ("cityscapes", config.cityscapes_r50(), 1024, (512, 1024)),
        ("mapillary", config.mapillary_r50(), 2048, (1024, 1024)),
    ],
)
def test_sizes_follow_the_configuration(name, preset, scale, crop) -> None:
    resize, cut, *_ = AUGMENTATIONS[name](preset.image_size).transforms
    # the official formula, int(x * 0.1 * scale), in floating point
    assert resize == ResizeShortestSide(tuple(int(x * 0.1 * scale) for x in range(5, 21)), 4 * scale)
    assert cut == RandomCrop(*crop)


def test_a_crop_may_show_a_single_class() -> None:
    """The official ``SINGLE_CATEGORY_MAX_AREA: 1.0`` is no rule: crops are taken as they fall."""
    sample = dataclasses.replace(scene(), segment_map=np.full((60, 90), 3, np.int32), segments=(SegmentInfo(3, 1),))
    draws = []

    class Counted:
        def integers(self, high: int) -> int:
            draws.append(high)
            return 0

    came = _scale_and_crop(64, 32, 32).transforms[1](sample, Counted())
    assert len(draws) == 2 and (came.segment_map == 3).all()  # one window drawn, no second try
