"""Normalised, padded batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from oneformer_lite.data.batch import PIXEL_MEAN, PIXEL_STD, collate, normalise, pad_to, padded_size
from oneformer_lite.data.sample import Category, Sample, SegmentInfo


def sample(height: int, width: int, image_id: int = 0) -> Sample:
    """A car in the upper half, road below, random pixels."""
    segment_map = np.full((height, width), 2, np.int32)
    segment_map[: height // 2] = 1
    image = np.random.default_rng(image_id).integers(0, 256, (height, width, 3), dtype=np.uint8)
    categories = (Category(1, "road", False), Category(2, "car", True))
    return Sample(image, segment_map, (SegmentInfo(1, 1), SegmentInfo(2, 0)), categories, image_id)


def test_normalise_by_hand() -> None:
    image = np.array([[[0, 128, 255]]], dtype=np.uint8)
    expected = [(v - m) / s for v, m, s in zip((0, 128, 255), PIXEL_MEAN, PIXEL_STD)]
    result = normalise(image)
    assert result.shape == (3, 1, 1) and result.dtype == torch.float32
    assert result.flatten().tolist() == pytest.approx(expected, rel=1e-5)


def test_normalise_takes_flipped_views() -> None:
    image = sample(4, 5).image
    assert normalise(image[:, ::-1]).equal(normalise(image).flip(-1))


@pytest.mark.parametrize(
    "sizes, expected",
    [([(32, 64)], (32, 64)), ([(33, 1)], (64, 32)), ([(20, 100), (70, 30)], (96, 128))],
)
def test_padded_size(sizes: list, expected: tuple[int, int]) -> None:
    assert padded_size(sizes) == expected


def test_pad_to_adds_zeros_at_the_bottom_and_the_right() -> None:
    padded = pad_to(torch.ones(2, 2, 3), (4, 5))
    assert padded.shape == (2, 4, 5) and padded.sum() == 12 and padded[:, :2, :3].all()
    assert pad_to(torch.ones(0, 2, 3, dtype=torch.bool), (4, 5)).shape == (0, 4, 5)


def test_collate_pictures_of_different_sizes() -> None:
    pairs = [(sample(20, 50, 7), "panoptic"), (sample(40, 30, 8), "instance")]
    batch = collate(pairs)
    assert batch.images.shape == (2, 3, 64, 64) and batch.images.dtype == torch.float32
    for image, (given, _) in zip(batch.images, pairs):
        height, width = given.size
        assert image[:, :height, :width].equal(normalise(given.image))
        assert not image[:, height:].any() and not image[:, :, width:].any()
    assert batch.sizes == [(20, 50), (40, 30)] and batch.image_ids == [7, 8]
    assert batch.tasks == ["panoptic", "instance"]
    assert batch.texts == [["a photo with a road", "a photo with a car"], ["a photo with a car"]]
    road, car = batch.targets[0].masks
    assert batch.targets[0].masks.shape == (2, 64, 64)
    assert car[:10, :50].all() and car.sum() == 500 and road[10:20, :50].all() and road.sum() == 500
    assert batch.targets[1].masks.shape == (1, 64, 64) and batch.targets[1].masks.sum() == 600


def test_collate_takes_flipped_and_read_only_pictures() -> None:
    given = sample(20, 50)
    given.image.setflags(write=False)
    batch = collate([(given, "panoptic"), (given.replace(image=given.image[:, ::-1]), "panoptic")])
    assert batch.images[0, :, :20, :50].equal(normalise(given.image))
    assert batch.images[1, :, :20, :50].equal(batch.images[0, :, :20, :50].flip(-1))


def test_nothing_is_copied_where_nothing_is_padded() -> None:
    tensor = torch.ones(2, 32, 64)
    assert pad_to(tensor, (32, 64)) is tensor and pad_to(tensor, (64, 64)).shape == (2, 64, 64)


def test_a_picture_without_targets() -> None:
    empty = sample(16, 16).replace(segments=())
    batch = collate([(empty, "instance"), (sample(16, 16), "instance")])
    assert batch.targets[0].masks.shape == (0, 32, 32) and batch.texts[0] == []


def test_to_moves_every_tensor() -> None:
    batch = collate([(sample(16, 16), "semantic")])
    moved = batch.to("meta")
    assert moved.images.device.type == moved.targets[0].masks.device.type == "meta"
    assert moved.targets[0].labels.device.type == "meta"
    assert batch.targets[0].masks.device.type == "cpu"  # the original stays
    assert moved.texts == batch.texts and moved.targets[0].task == "semantic"


def test_every_tensor_is_pinned_for_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor.to("meta"))  # without a GPU there is none
    pinned = collate([(sample(16, 16), "semantic"), (sample(16, 16), "panoptic")]).pin_memory()
    tensors = [pinned.images, *(tensor for target in pinned.targets for tensor in (target.masks, target.labels))]
    assert [tensor.device.type for tensor in tensors] == ["meta"] * 5


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        collate([])


@pytest.mark.parametrize("given", ["alone", "with a number"])
def test_samples_without_tasks_are_refused(given: str) -> None:
    with pytest.raises(ValueError, match=r"\(sample, task\) pairs, got a .*: write collate"):
        collate([sample(16, 16)] if given == "alone" else [(3, "panoptic")])
