"""Samples made by hand, with fields of other kinds: each is told in a sentence that names the sample."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.data import Category, Sample, SegmentInfo
from oneformer_lite.data.augment import augmentation
from oneformer_lite.data.batch import collate
from oneformer_lite.data.targets import targets_for
from oneformer_lite.data.unreadable import read_checked
from oneformer_lite.data.views import Listed
from oneformer_lite.errors import DataError
from oneformer_lite.training import toytown_training
from oneformer_lite.training.distributed import ALONE
from oneformer_lite.training.preflight import ready

MAP = np.array([[1, 1, 2, 2]] * 4, np.int32)
CATEGORIES = (Category(1, "disc", True), Category(2, "ground", False))
SEGMENTS = (SegmentInfo(1, 0), SegmentInfo(2, 1))


def made(**changes) -> Sample:
    image = np.random.default_rng(0).integers(0, 256, (4, 4, 3), np.uint8)
    return Sample(image, MAP, SEGMENTS, CATEGORIES, 7, "a.png").replace(**changes)


def segments(**changes) -> dict:
    return {"segments": (SEGMENTS[0], dataclasses.replace(SEGMENTS[1], **changes))}


def categories(**changes) -> dict:
    return {"categories": (CATEGORIES[0], dataclasses.replace(CATEGORIES[1], **changes))}


WRONG = [
    (segments(is_crowd="0"), r"segments\[1\].is_crowd is '0': expected True or False"),
    (segments(is_crowd="false"), "is_crowd is 'false'"), (segments(is_crowd=None), "is_crowd is None"),
    (segments(class_id="1"), r"segments\[1\].class_id is '1': expected a whole number"),
    (segments(class_id=1.0), "class_id is 1.0"), (segments(id=None), r"segments\[1\].id is None"),
    ({"segments": ({"id": 1, "class_id": 0}, SEGMENTS[1])}, r"segments\[0\] is .*expected a SegmentInfo"),
    ({"segments": None}, "segments is None: expected a tuple"),
    (categories(is_thing="0"), r"categories\[1\].is_thing is '0'"),
    (categories(id=None), r"categories\[1\].id is None: expected a whole number"),
    (categories(id=1), r"categories\[0\] and categories\[1\] have the same id 1"),
    (categories(name=None), r"categories\[1\].name is None"),
    ({"segment_map": MAP[..., None]}, r"segment_map is int32 \[4, 4, 1\]: expected a numpy array int32 \[H, W\]"),
    ({"segment_map": MAP.astype(float)}, "segment_map is float64"),
    ({"segment_map": torch.from_numpy(MAP)}, "segment_map is a Tensor"),
    ({"masks": MAP[None] == 1}, r"masks is bool \[1, 4, 4\]: expected bool \[2, H, W\], one for each of the 2 segm"),
    ({"masks": np.stack([MAP == 1, MAP == 2]).astype(np.uint8)}, "masks is uint8"),
    ({"masks": MAP == 1}, r"masks is bool \[4, 4\]"),
    ({"image": torch.zeros(4, 4, 3, dtype=torch.uint8)}, "image is a Tensor: expected a numpy array uint8"),
]


@pytest.mark.parametrize(("changes", "words"), WRONG)
def test_targets_are_made_of_right_fields_only(changes: dict, words: str) -> None:
    with pytest.raises(DataError, match=rf"^image 7 \(a.png\): .*{words}"):
        targets_for(made(**changes), "panoptic")


@pytest.mark.parametrize(("changes", "words"), WRONG)
def test_so_looks_the_training_before_its_first_step(tmp_path, changes: dict, words: str) -> None:
    config = dataclasses.replace(ofl.config.toytown(), image_size=64, num_points=128)
    config = ofl.config.for_classes(config, CATEGORIES)
    data = Listed([made(**changes)] * 4, CATEGORIES, ofl.data.TASKS)
    c = toytown_training(out=str(tmp_path), steps=4, evaluations=0)
    with warnings.catch_warnings(action="ignore"), pytest.raises(DataError, match=rf"image 7 \(a.png\): .*{words}"):
        ready(config, c, data, None, ALONE, True)


def test_numbers_of_numpy_and_flags_of_coco_are_right() -> None:
    given = made(segments=(SegmentInfo(np.int64(1), np.int32(0), np.bool_(False)), SegmentInfo(2, 1, 0)))
    assert len(targets_for(given, "panoptic")) == 2 and given.check() is given


@pytest.mark.parametrize("masks", [False, True])
def test_arrays_that_run_backwards_are_taken_as_they_look(masks: bool) -> None:
    given = made(masks=np.stack([MAP == 1, MAP == 2]) if masks else None)
    back = {name: getattr(given, name)[..., ::-1] for name in ("image", "segment_map")}
    turned = given.replace(**back, masks=given.masks[..., ::-1] if masks else None)
    flat = given.replace(**{name: array.copy() for name, array in back.items()},
                         masks=turned.masks.copy() if masks else None)  # fmt: skip
    ours, theirs = (collate([(sample, "panoptic")]) for sample in (turned, flat))
    assert ours.images.equal(theirs.images) and ours.targets[0].masks.equal(theirs.targets[0].masks)


@pytest.mark.parametrize("augment", ["coco", "cityscapes", "ade20k"])
def test_so_training_augments_them(augment: str) -> None:
    scene = ofl.data.Toytown("train", 64)[0]
    turned = scene.replace(image=scene.image[..., ::-1], segment_map=scene.segment_map[:, ::-1])
    flat = scene.replace(image=turned.image.copy(), segment_map=turned.segment_map.copy())
    ours, theirs = (augmentation(augment, 64)(read_checked([s], 0), np.random.default_rng(1)) for s in (turned, flat))
    assert np.array_equal(ours.image, theirs.image) and np.array_equal(ours.segment_map, theirs.segment_map)


def test_so_does_an_evaluation(model) -> None:
    scene = ofl.data.Toytown("val", 64)[0]
    turned = scene.replace(image=scene.image[:, ::-1], segment_map=scene.segment_map[:, ::-1])
    flat = turned.replace(image=turned.image.copy(), segment_map=turned.segment_map.copy())
    ours, theirs = (ofl.evaluate(model, [s], "semantic")["mIoU"] for s in (turned, flat))
    assert ours == theirs
