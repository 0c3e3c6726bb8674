"""Augmentations: geometry by hand, picture and annotation in step."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from oneformer_lite.data.augment import augmentation
from oneformer_lite.data.color_jitter import ColorJitter
from oneformer_lite.data.panoptic import PanopticDataset
from oneformer_lite.data.sample import Category, Sample, SegmentInfo
from oneformer_lite.data.segment_ids import encode_ids
from oneformer_lite.data.transforms import (
    Compose,
    FixedSizeCrop,
    HorizontalFlip,
    LargeScaleJitter,
    RandomCrop,
    Resize,
    ResizeShortestSide,
    padded,
    resize_nearest,
)
from oneformer_lite.errors import ConfigError

CATEGORIES = (Category(1, "car", True), Category(2, "sky", False))
SEGMENTS = (SegmentInfo(40, 0), SegmentInfo(7, 1), SegmentInfo(90000, 0, is_crowd=True))
GEOMETRIC = [
    HorizontalFlip(1.0),
    Resize((9, 50)),
    Resize(16),
    ResizeShortestSide((10, 14, 40), 60),
    LargeScaleJitter(24),
    FixedSizeCrop((16, 12)),
    FixedSizeCrop(40),
    RandomCrop(9, 14),
    Compose((HorizontalFlip(), LargeScaleJitter(24), FixedSizeCrop(24))),
]


class Drawn:
    """A generator whose every draw is known: ``value`` of [0, 1), the first choice, the least."""

    def __init__(self, value: float = 0.0) -> None:
        self.value = value

    def random(self) -> float:
        return self.value

    def uniform(self, low: float, high: float) -> float:
        return low + self.value * (high - low)

    def integers(self, high: int) -> int:
        return int(self.value * high)

    def choice(self, options):
        return options[int(self.value * len(options))]


def make_sample(height: int = 20, width: int = 30) -> Sample:
    """Sky above, a car and a crowd below, void between; the picture shows the ids as colours."""
    segment_map = np.zeros((height, width), np.int32)
    segment_map[: height // 3] = 7
    segment_map[height // 2 :, : width // 2] = 40
    segment_map[height // 2 :, -width // 3 :] = 90000
    return Sample(encode_ids(segment_map), segment_map, SEGMENTS, CATEGORIES)


def sized(height: int, width: int) -> Sample:
    """A sample of which only the size matters."""
    segment_map = np.zeros((height, width), np.int32)
    return Sample(encode_ids(segment_map), segment_map, (), CATEGORIES)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# ----------------------------------------------------------------------- all of them alike


@pytest.mark.parametrize("transform", [*GEOMETRIC, ColorJitter(1.0)], ids=repr)
def test_repeatable_pure_and_fit_for_torch(transform):
    sample = make_sample()
    before = make_sample()
    np.random.seed(0)
    state = np.random.get_state()[1].copy()
    first, second = transform(sample, rng(3)), transform(sample, rng(3))
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.segment_map, second.segment_map)
    np.testing.assert_array_equal(sample.image, before.image)
    np.testing.assert_array_equal(sample.segment_map, before.segment_map)
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    assert first.image.dtype == np.uint8 and first.segment_map.dtype == np.int32
    assert first.image.shape == (*first.segment_map.shape, 3)
    assert all(s > 0 for array in (first.image, first.segment_map) for s in array.strides)


@pytest.mark.parametrize("transform", GEOMETRIC, ids=repr)
@pytest.mark.parametrize("seed", range(4))
def test_masks_move_like_the_map_and_empty_segments_go(transform, seed):
    sample = make_sample()
    plain = transform(sample, rng(seed))
    masked = transform(sample.replace(masks=sample.segment_masks()), rng(seed))
    np.testing.assert_array_equal(masked.masks, plain.segment_masks())
    assert masked.segments == plain.segments
    assert [s.id for s in plain.segments] == [
        s.id for s in SEGMENTS if (plain.segment_map == s.id).any()
    ]


@pytest.mark.parametrize(
    "transform", [t for t in GEOMETRIC if isinstance(t, HorizontalFlip | RandomCrop)], ids=repr
)
def test_picture_and_map_stay_together(transform):
    for seed in range(5):
        came = transform(make_sample(), rng(seed))
        np.testing.assert_array_equal(came.image, encode_ids(came.segment_map))


def test_a_sample_without_segments_passes_through_everything():
    empty = make_sample().replace(segment_map=np.zeros((20, 30), np.int32), segments=())
    for masks in (None, np.zeros((0, 20, 30), bool)):
        for transform in GEOMETRIC:
            came = transform(empty.replace(masks=masks), rng())
            assert came.segments == () and not came.segment_map.any()
            assert masks is None or came.masks.shape == (0, *came.size)


def test_an_object_hidden_in_the_map_lives_on_in_its_mask():
    """Instance files: the flat map shows the later object only, the masks know both."""
    segment_map = np.full((4, 4), 2, np.int32)
    sample = Sample(
        np.zeros((4, 4, 3), np.uint8), segment_map, (SegmentInfo(1, 0), SegmentInfo(2, 0)),
        CATEGORIES, masks=np.ones((2, 4, 4), bool),
    )  # fmt: skip
    assert len(RandomCrop(2, 2)(sample, rng()).segments) == 2


# ------------------------------------------------------------------------------- flip


def test_flip_by_hand_and_twice():
    sample = make_sample()
    flipped = HorizontalFlip(1.0)(sample, rng())
    np.testing.assert_array_equal(flipped.image, sample.image[:, ::-1])
    np.testing.assert_array_equal(flipped.segment_map, np.fliplr(sample.segment_map))
    np.testing.assert_array_equal(HorizontalFlip(1.0)(flipped, rng()).image, sample.image)
    assert HorizontalFlip(0.0)(sample, rng()) is sample
    generator = rng(1)
    flips = sum(HorizontalFlip(0.3)(sample, generator) is not sample for _ in range(500))
    assert 110 < flips < 190


# ------------------------------------------------------------------------------ sizes


@pytest.mark.parametrize("size", [(5, 7), (20, 30), (39, 61), (1, 1), (640, 427)])
def test_nearest_is_pillows(size):
    ids = rng().integers(0, 256**3, (20, 30)).astype(np.int32)
    expected = np.asarray(Image.fromarray(ids).resize(size[::-1], Image.Resampling.NEAREST))
    np.testing.assert_array_equal(resize_nearest(ids, *size), expected)
    stack = np.stack([ids, ids[::-1]])
    np.testing.assert_array_equal(resize_nearest(stack, *size)[0], expected)


@pytest.mark.parametrize("size", [(5, 7), (39, 61), (100, 3), (1, 1), (64, 64)])
def test_pictures_are_pillows_antialiased_bilinear_within_one_level(size):
    image = rng().integers(0, 256, (20, 30, 3), dtype=np.uint8)
    came = Resize(size)(make_sample().replace(image=image), rng()).image
    expected = Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR)
    assert np.abs(came.astype(int) - np.asarray(expected)).max() <= 1


def test_picture_and_map_are_aligned_when_enlarged():
    """The edge in the smooth picture lies where the map has it, not half a pixel beside."""
    segment_map = np.array([[7, 7, 7, 40, 40, 40]] * 2, np.int32)
    image = np.repeat(np.where(segment_map == 40, 200, 0)[..., None], 3, 2).astype(np.uint8)
    sample = Sample(image, segment_map, SEGMENTS[:2], CATEGORIES)
    came = Resize((8, 24))(sample, rng())
    np.testing.assert_array_equal(came.image[..., 0] > 100, came.segment_map == 40)


@pytest.mark.parametrize(
    ("size", "short", "max_size", "expected"),
    [
        ((480, 640), 800, 1333, (800, 1067)),
        ((640, 480), 800, 1333, (1067, 800)),
        ((400, 1000), 800, 1333, (533, 1333)),  # the longer side decides
        ((512, 512), (256, 512), 2048, (256, 256)),  # the first of two lengths
    ],
)
def test_shortest_side_by_hand(size, short, max_size, expected):
    assert ResizeShortestSide(short, max_size)(sized(*size), Drawn()).size == expected


def test_shortest_side_draws_every_length():
    transform, generator = ResizeShortestSide((4, 8, 12), 100), rng()
    assert {transform(sized(20, 30), generator).size for _ in range(40)} == {
        (4, 6), (8, 12), (12, 18)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("size", "target", "drawn", "expected"),
    [
        ((480, 640), 1024, 0.9 / 1.9, (768, 1024)),  # factor 1.0: the longer side fits
        ((480, 640), 1024, 0.0, (77, 102)),  # factor 0.1
        ((480, 640), 1024, 1.0, (1536, 2048)),  # factor 2.0
        ((640, 480), (512, 1024), 0.9 / 1.9, (512, 384)),  # the height decides
        ((2, 900), 100, 0.0, (1, 10)),  # never without pixels
    ],
)
def test_large_scale_jitter_by_hand(size, target, drawn, expected):
    assert LargeScaleJitter(target)(sized(*size), Drawn(drawn)).size == expected


# ------------------------------------------------------------------- crop and padding


@pytest.mark.parametrize(("drawn", "top", "left"), [(0.0, 0, 0), (0.5, 3, 8), (0.999, 6, 16)])
def test_fixed_size_crop_of_a_larger_sample(drawn, top, left):
    sample = make_sample()
    came = FixedSizeCrop(14)(sample, Drawn(drawn))
    window = (slice(top, top + 14), slice(left, left + 14))
    np.testing.assert_array_equal(came.image, sample.image[window])
    np.testing.assert_array_equal(came.segment_map, sample.segment_map[window])


def test_fixed_size_crop_moves_along_the_diagonal_as_in_detectron2():
    segment_map = np.arange(1, 1601, dtype=np.int32).reshape(40, 40)
    sample = Sample(encode_ids(segment_map), segment_map, (), CATEGORIES)
    corners = {int(FixedSizeCrop(9)(sample, rng(seed)).segment_map[0, 0]) for seed in range(40)}
    assert len(corners) > 15 and corners <= set(np.diag(segment_map).tolist())


def test_fixed_size_crop_pads_below_and_right_with_void():
    sample = make_sample()
    came = FixedSizeCrop((32, 33))(sample.replace(masks=sample.segment_masks()), rng())
    np.testing.assert_array_equal(came.image[:20, :30], sample.image)
    np.testing.assert_array_equal(came.segment_map[:20, :30], sample.segment_map)
    for side in (np.s_[20:], np.s_[:, 30:]):
        assert (came.image[side] == 128).all() and not came.segment_map[side].any()
        assert not came.masks[:, *(side if isinstance(side, tuple) else (side,))].any()
    assert (padded(sample, 21, 30, 5).image[20] == 5).all()


def test_fixed_size_crop_may_crop_one_axis_and_pad_the_other():
    sample = make_sample()
    came = FixedSizeCrop((25, 10))(sample, Drawn(0.5))
    np.testing.assert_array_equal(came.image[:20], sample.image[:, 10:20])
    assert came.size == (25, 10) and not came.segment_map[20:].any()


def test_random_crop_reaches_every_place_on_both_axes():
    segment_map = np.arange(1, 13, dtype=np.int32).reshape(3, 4)
    segments = tuple(SegmentInfo(i, 0) for i in range(1, 13))
    sample = Sample(encode_ids(segment_map), segment_map, segments, CATEGORIES)
    generator = rng()
    corners = {int(RandomCrop(2, 3)(sample, generator).segment_map[0, 0]) for _ in range(60)}
    assert corners == {1, 2, 5, 6}
    assert RandomCrop(2, 9)(sample, generator).size == (2, 4)
    assert len(RandomCrop(2, 3)(sample, generator).segments) == 6


def test_compose_applies_in_order():
    both = Compose((Resize((40, 60)), RandomCrop(25, 25)))
    assert both(make_sample(), rng()).size == (25, 25)
    assert Compose(())(make_sample(), rng()).size == (20, 30)


def test_cocos_recipe_on_real_pictures(coco_sample):
    annotations = coco_sample / "annotations"
    dataset = PanopticDataset(
        coco_sample / "val2017", annotations / "panoptic_val2017.json",
        annotations / "panoptic_val2017",
    )  # fmt: skip
    recipe = Compose((HorizontalFlip(), LargeScaleJitter(256), FixedSizeCrop(256), ColorJitter()))
    generator = rng()
    for sample in (dataset[i] for i in range(8)):
        came = recipe(sample, generator)
        assert came.size == (256, 256)
        drawn = set(np.unique(came.segment_map).tolist()) - {0}
        assert {s.id for s in came.segments} == drawn
        assert set(came.segments) <= set(sample.segments)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        *((lambda p=p: HorizontalFlip(p), "p must be a number from 0 to 1") for p in (-0.1, 1.1, float("nan"), "1")),
        *((lambda s=s: Resize(s), "size must be") for s in (0, -3, 2.5, (3,), (3, 0), "64", True)),
        *((lambda s=s: ResizeShortestSide(s, 64), "short must be") for s in (0, (), (32, -1), (1.5,))),
        (lambda: ResizeShortestSide(32, 0), "max_size must be"),
        *((lambda a=a, b=b: LargeScaleJitter(64, a, b), "_scale must be")
          for a, b in ((0, 1), (-1, 1), (2, 1), (1, float("inf")), (float("nan"), 1))),
        (lambda: FixedSizeCrop(64, pad_value=300), "pad_value must be a whole number from 0 to 255"),
        (lambda: RandomCrop(0, 5), "height and width must be"),
        *((lambda n=n: ColorJitter(**{n: -1}), f"{n} must be a number from 0")
          for n in ("p", "brightness", "contrast", "saturation", "hue")),
        (lambda: ColorJitter(hue=0.6), "hue must be a number from 0 to 0.5"),
        (lambda: augmentation("mosaic", 64), "no augmentation 'mosaic'; there are fit, flip"),
        (lambda: augmentation("coco", 0), "image_size must be a whole number"),
    ],
)  # fmt: skip
def test_numbers_out_of_range_are_refused(make, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()
