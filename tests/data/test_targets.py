"""One small panoptic annotation, three sets of targets."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from oneformer_lite.data.panoptic import PanopticDataset
from oneformer_lite.data.sample import TASKS, Category, Sample, SegmentInfo
from oneformer_lite.data.targets import pad_texts, targets_for
from oneformer_lite.errors import ConfigError

CATEGORIES = (
    Category(1, "dog", True), Category(4, "sky", False),
    Category(9, "car", True), Category(11, "wall-brick", False),
)
# 0 void, 1 and 2 cars, 3 a crowd of cars, 4 a dog, 5 and 6 two pieces of sky; 7 has no pixels left
MAP = np.array(
    [
        [5, 5, 5, 6, 6, 6],
        [5, 1, 1, 2, 2, 6],
        [0, 1, 1, 2, 2, 3],
        [0, 0, 4, 4, 3, 3],
    ],
    dtype=np.int32,
)
SEGMENTS = (
    SegmentInfo(1, 2), SegmentInfo(2, 2), SegmentInfo(3, 2, is_crowd=True), SegmentInfo(4, 0),
    SegmentInfo(5, 1), SegmentInfo(6, 1), SegmentInfo(7, 3),
)


def sample(**changes) -> Sample:
    return Sample(np.zeros((4, 6, 3), np.uint8), MAP, SEGMENTS, CATEGORIES).replace(**changes)


@pytest.mark.parametrize(
    "task, labels, ids",
    [
        ("panoptic", [0, 1, 1, 2, 2], [[4], [5], [6], [1], [2]]),
        ("instance", [0, 2, 2], [[4], [1], [2]]),
        ("semantic", [0, 1, 2], [[4], [5, 6], [1, 2]]),
    ],
)
def test_masks_labels_and_texts_in_class_order(task: str, labels: list, ids: list) -> None:
    targets = targets_for(sample(), task)
    assert targets.labels.tolist() == labels and targets.labels.dtype == torch.int64
    assert targets.masks.dtype == torch.bool
    assert targets.masks.equal(torch.from_numpy(np.stack([np.isin(MAP, i) for i in ids])))
    assert targets.texts == [f"a photo with a {CATEGORIES[c].name}" for c in labels]
    assert targets.task == task and len(targets) == len(labels)


def plain_targets(sample: Sample, task: str) -> tuple[list[np.ndarray], list[int]]:
    """The definition, one pixel mask after the other."""
    found = [
        (segment.class_id, sample.segment_map == segment.id)
        for segment in sample.segments
        if not segment.is_crowd and (sample.segment_map == segment.id).any()
    ]
    if task == "instance":
        found = [(class_id, mask) for class_id, mask in found if sample.categories[class_id].is_thing]
    if task == "semantic":
        classes = {class_id for class_id, _ in found}
        found = [(c, np.any([mask for class_id, mask in found if class_id == c], axis=0)) for c in classes]
    found.sort(key=lambda pair: pair[0])
    return [mask for _, mask in found], [class_id for class_id, _ in found]


@pytest.mark.parametrize("task", TASKS)
def test_equal_to_the_plain_definition(task: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        drawn = rng.integers(0, 9, (5, 7)).astype(np.int32)
        segments = tuple(SegmentInfo(i, int(rng.integers(4)), bool(rng.random() < 0.2)) for i in rng.permutation(12))
        given = sample(image=np.zeros((5, 7, 3), np.uint8), segment_map=drawn, segments=segments)
        masks, labels = plain_targets(given, task)
        came = targets_for(given, task)
        assert came.labels.tolist() == labels and len(came.masks) == len(masks)
        assert all(np.array_equal(a, b) for a, b in zip(came.masks.numpy(), masks))


def test_order_of_segments_in_the_file_does_not_matter_between_classes() -> None:
    turned = targets_for(sample(segments=SEGMENTS[::-1]), "semantic")
    straight = targets_for(sample(), "semantic")
    assert turned.labels.equal(straight.labels) and turned.masks.equal(straight.masks)


@pytest.mark.parametrize("task", TASKS)
def test_nothing_to_find(task: str) -> None:
    targets = targets_for(sample(segments=(SegmentInfo(3, 2, is_crowd=True),)), task)
    assert targets.masks.shape == (0, 4, 6) and targets.masks.dtype == torch.bool
    assert targets.labels.shape == (0,) and targets.labels.dtype == torch.int64
    assert targets.texts == []


def test_no_things() -> None:
    assert len(targets_for(sample(segments=SEGMENTS[4:]), "instance")) == 0


def test_overlapping_instances_keep_their_masks() -> None:
    masks = np.zeros((2, 4, 6), bool)
    masks[0, :3], masks[1, 1:] = True, True
    targets = targets_for(sample(masks=masks, segments=SEGMENTS[:2], tasks=("instance",)), "instance")
    assert targets.masks.equal(torch.from_numpy(masks))


@pytest.mark.parametrize("task", TASKS)
def test_a_mask_that_a_crop_has_emptied_is_no_target(task: str) -> None:
    masks = np.zeros((2, 4, 6), bool)
    masks[0, 2] = True
    targets = targets_for(sample(masks=masks, segments=SEGMENTS[:2]), task)
    assert len(targets) == 1 and targets.masks.equal(torch.from_numpy(masks[:1]))


def test_targets_do_not_share_memory_with_the_sample() -> None:
    masks = np.ones((1, 4, 6), bool)
    targets = targets_for(sample(masks=masks, segments=SEGMENTS[:1]), "semantic")
    targets.masks[:] = False
    assert masks.all()


def test_a_task_that_the_annotation_cannot_supply() -> None:
    with pytest.raises(ConfigError, match="street.jpg cannot supply the semantic task.*supports instance"):
        targets_for(sample(tasks=("instance",), file_name="street.jpg"), "semantic")
    with pytest.raises(ConfigError, match="unknown task 'depth'"):
        targets_for(sample(), "depth")


@pytest.mark.parametrize(
    "task, padding",
    [("semantic", "a semantic photo"), ("instance", "an instance photo"), ("panoptic", "a panoptic photo")],
)
def test_padding_texts(task: str, padding: str) -> None:
    assert pad_texts(["one", "two"], task, 4) == ["one", "two", padding, padding]
    assert pad_texts([], task, 2) == [padding] * 2
    assert pad_texts(["one", "two", "three"], task, 2) == ["one", "two"]
    assert pad_texts(["one"], task, 1) == ["one"]


def test_padding_for_an_unknown_task() -> None:
    with pytest.raises(ConfigError, match="unknown task"):
        pad_texts(["one"], "depth", 4)


def test_every_coco_picture_gives_targets_for_every_task(coco_sample) -> None:
    pictures = 0
    for split in ("train2017", "val2017"):
        annotations = coco_sample / "annotations"
        dataset = PanopticDataset(
            coco_sample / split, annotations / f"panoptic_{split}.json", annotations / f"panoptic_{split}"
        )
        for i in range(len(dataset)):
            picture = dataset[i]
            found = {task: targets_for(picture, task) for task in TASKS}
            wanted = [s for s in picture.segments if not s.is_crowd]
            things = [s for s in wanted if picture.categories[s.class_id].is_thing]
            assert found["panoptic"].labels.tolist() == sorted(s.class_id for s in wanted)
            assert found["instance"].labels.tolist() == sorted(s.class_id for s in things)
            assert found["semantic"].labels.tolist() == sorted({s.class_id for s in wanted})
            covered = np.isin(picture.segment_map, [s.id for s in wanted])
            for task in ("panoptic", "semantic"):  # every pixel in exactly one mask
                assert found[task].masks.sum(0).equal(torch.from_numpy(covered).long())
            pictures += 1
    assert pictures == 120
