"""COCO's instance format: polygons, run-length codes, overlaps, and messages for bad files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from oneformer_lite.data.instance import InstanceDataset
from oneformer_lite.data.outline_reading import read_outlines
from oneformer_lite.data.panoptic import PanopticDataset
from oneformer_lite.data.sample import SegmentInfo
from oneformer_lite.errors import DataError

# pycocotools 2.0.11 implements numpy's __array__ without its newest keyword
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning",
    "ignore:.*1 of . objects are crowds",
)

SQUARE = [2, 1, 6, 1, 6, 4, 2, 4]  # x 2..5, y 1..3


def rle(mask: np.ndarray) -> dict:
    code = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": code["size"], "counts": code["counts"].decode()}


def decode_mask(segmentation: list | dict, height: int, width: int) -> np.ndarray:
    return read_outlines([segmentation], Path("a.json"), lambda i: "it").mask(0, height, width)


def content() -> dict:
    """8 wide, 6 high: a square, a crowd over its right half; then an image without objects."""
    crowd = np.zeros((6, 8), bool)
    crowd[0:3, 4:8] = True
    return {
        "images": [
            {"id": 10, "file_name": "a.png", "height": 6, "width": 8},
            {"id": 20, "file_name": "b.png", "height": 6, "width": 8},
        ],
        "annotations": [
            {"id": 1, "image_id": 10, "category_id": 5, "segmentation": [SQUARE], "iscrowd": 0},
            {"id": 2, "image_id": 10, "category_id": 2, "segmentation": rle(crowd), "iscrowd": 1},
        ],
        "categories": [{"id": 5, "name": "box"}, {"id": 2, "name": "cat"}],
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in "ab":
        Image.new("RGB", (8, 6)).save(tmp_path / f"{name}.png")
    return tmp_path


def read(folder: Path, changed: dict | None = None) -> InstanceDataset:
    (folder / "instances.json").write_text(json.dumps(changed or content()))
    return InstanceDataset(str(folder), folder / "instances.json")


def test_overlapping_masks_by_hand(folder):
    dataset = read(folder)
    sample = dataset[0]
    square, crowd = np.zeros((2, 6, 8), bool)
    square[1:4, 2:6] = True
    crowd[0:3, 4:8] = True
    np.testing.assert_array_equal(sample.masks, [square, crowd])
    np.testing.assert_array_equal(sample.segment_masks(), sample.masks)
    assert sample.segments == (SegmentInfo(1, 0), SegmentInfo(2, 1, is_crowd=True))
    np.testing.assert_array_equal(sample.segment_map, np.where(crowd, 2, square))
    assert sample.segment_map.dtype == np.int32
    assert (sample.tasks, sample.image_id, sample.file_name) == (("instance",), 10, "a.png")
    assert dataset.tasks == ("instance",) and dataset.image_ids == [10, 20]
    assert [(c.id, c.name, c.is_thing) for c in dataset.categories] == [
        (5, "box", True), (2, "cat", True)
    ]  # fmt: skip


def test_image_without_objects_is_kept(folder):
    sample = read(folder)[-1]
    assert sample.segments == () and sample.masks.shape == (0, 6, 8)
    assert not sample.segment_map.any()
    assert len(list(read(folder))) == 2


def test_polygons_of_one_object_are_joined():
    other = [6, 4, 8, 4, 8, 6, 6, 6]
    joined = decode_mask([SQUARE, other], 6, 8)
    np.testing.assert_array_equal(joined, decode_mask([SQUARE], 6, 8) | decode_mask([other], 6, 8))
    assert joined.sum() == 12 + 4


def test_objects_that_enclose_nothing_are_left_out(folder):
    changed = content()
    changed["annotations"].insert(
        0, {"id": 9, "image_id": 10, "category_id": 5, "segmentation": [[1, 1, 3, 3]]}
    )
    with pytest.warns(UserWarning, match="left out: 1 objects whose outlines have fewer than three points"):
        sample = read(folder, changed)[0]
    assert sample.segments == (SegmentInfo(1, 0), SegmentInfo(2, 1, is_crowd=True))
    assert sample.masks.shape == (2, 6, 8) and sample.segment_map.max() == 2


@pytest.mark.parametrize("compressed", [True, False])
def test_run_length_codes_return_the_very_mask(compressed):
    mask = np.random.default_rng(0).random((7, 9)) < 0.5
    code = rle(mask)
    if not compressed:
        runs, flat = [], mask.ravel(order="F")  # COCO counts down the columns, zeros first
        value, count = False, 0
        for pixel in flat:
            if pixel != value:
                runs.append(count)
                value, count = pixel, 0
            count += 1
        code["counts"] = [*runs, count]
    np.testing.assert_array_equal(decode_mask(code, 7, 9), mask)


def test_coco_things_survive_a_round_trip_through_run_length_codes(coco_sample, tmp_path):
    """The panoptic sample's things, written as an instance file, read back pixel by pixel."""
    annotations = coco_sample / "annotations"
    panoptic = PanopticDataset(
        coco_sample / "val2017", annotations / "panoptic_val2017.json",
        annotations / "panoptic_val2017",
    )  # fmt: skip
    images, objects, expected = [], [], []
    for sample in (panoptic[i] for i in range(8)):
        images.append({"id": sample.image_id, "file_name": sample.file_name})
        things = [
            (s, mask) for s, mask in zip(sample.segments, sample.segment_masks(), strict=True)
            if sample.categories[s.class_id].is_thing
        ]  # fmt: skip
        expected.append(things)
        for segment, mask in things:
            objects.append({
                "id": len(objects), "image_id": sample.image_id, "segmentation": rle(mask),
                "category_id": panoptic.categories[segment.class_id].id,
                "iscrowd": int(segment.is_crowd),
            })  # fmt: skip
    categories = [{"id": c.id, "name": c.name} for c in panoptic.categories if c.is_thing]
    path = tmp_path / "instances.json"
    path.write_text(
        json.dumps({"images": images, "annotations": objects, "categories": categories})
    )
    dataset = InstanceDataset(coco_sample / "val2017", path)
    assert sum(map(len, expected)) > 50
    for sample, things in zip(dataset, expected, strict=True):
        assert [(s.class_id, s.is_crowd) for s in sample.segments] == [
            (s.class_id, s.is_crowd) for s, _ in things
        ]
        for mask, (_, true) in zip(sample.masks, things, strict=True):
            np.testing.assert_array_equal(mask, true)


def broken(key: str, value: object, place: str = "annotations") -> dict:
    changed = content()
    changed[place][0][key] = value
    return changed


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (broken("image_id", 99), "annotation 1"),
        (broken("category_id", 77), "annotation 1"),
        (broken("id", 20, "images"), "share an id"),
        (broken("id", 2, "categories"), "share an id"),
        ({k: v for k, v in content().items() if k != "images"}, "'images'"),
    ],
)
def test_bad_references_are_named_at_once(folder, changed, named):
    with pytest.raises(DataError) as error:
        read(folder, changed)
    assert str(folder / "instances.json") in str(error.value) and named in str(error.value)


@pytest.mark.parametrize("key", ["segmentation", "image_id", "category_id"])
def test_annotations_without_a_key_are_named(folder, key):
    changed = content()
    changed["annotations"][0].pop(key)
    with pytest.raises(DataError) as error:
        read(folder, changed)
    assert str(folder / "instances.json") in str(error.value) and key in str(error.value)


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [8, 6], "counts": "0"},
        {"counts": "0"},
        [["a", "b", "c", "d", "e", "f"]],
        "polygon",
        7,
    ],
)
def test_bad_outlines_are_named(folder, segmentation):
    with pytest.raises(DataError) as error:
        read(folder, broken("segmentation", segmentation))
    assert str(folder / "instances.json") in str(error.value) and "annotation 1" in str(error.value)


def test_missing_picture_is_named(folder):
    (folder / "a.png").unlink()
    with pytest.raises(DataError) as error:
        read(folder)[0]
    assert str(folder / "a.png") in str(error.value)
