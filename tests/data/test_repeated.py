"""Objects that come twice: said when the file is opened, before the first step, and by the doctor."""

from __future__ import annotations

import copy
import dataclasses
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from coco_codes import code, code_of_box, outline
from PIL import Image

import oneformer_lite as ofl
from oneformer_lite.data import Category, InstanceDataset, Sample, SegmentInfo
from oneformer_lite.data.repeated import repeated
from oneformer_lite.dataset_checks.splits import check_repeated
from oneformer_lite.training import toytown_training
from oneformer_lite.training.distributed import ALONE
from oneformer_lite.training.preflight import ready

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SIDE = 64
BOXES = ((5, 5, 25, 20), (30, 20, 50, 35), (8, 40, 30, 60))  # left, top, right, bottom


def content(pictures: int = 2) -> dict:
    objects = [
        {"id": 3 * picture + i, "image_id": picture, "category_id": 1 + i % 2, "segmentation": [outline(*box)]}
        for picture in range(pictures)
        for i, box in enumerate(BOXES)
    ]
    return {
        "images": [{"id": i, "file_name": f"{i}.png", "height": SIDE, "width": SIDE} for i in range(pictures)],
        "annotations": objects,
        "categories": [{"id": 1, "name": "disc"}, {"id": 2, "name": "box"}],
    }


def merged(again: list[dict]) -> dict:
    made = content()
    made["annotations"] += [entry | {"id": 1000 + i} for i, entry in enumerate(again)]
    return made


@pytest.fixture
def read(tmp_path: Path):
    def read(made: dict) -> InstanceDataset:
        for image in made["images"]:
            pixels = np.random.default_rng(image["id"]).integers(0, 255, (SIDE, SIDE, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / image["file_name"])
        (tmp_path / "a.json").write_text(json.dumps(made))
        return InstanceDataset(tmp_path, tmp_path / "a.json")

    return read


def turned(entry: dict) -> dict:
    """The same outline from another corner, closed."""
    (points,) = entry["segmentation"]
    return entry | {"segmentation": [points[2:] + points[:4]]}


def moved(entry: dict) -> dict:
    return entry | {"segmentation": [[value + 0.004 for value in entry["segmentation"][0]]]}


def as_code(entry: dict) -> dict:
    points = entry["segmentation"][0]
    return entry | {"segmentation": code_of_box((*points[:2], *points[4:6]), (SIDE, SIDE))}


@pytest.mark.parametrize("change", [copy.deepcopy, turned, moved, as_code], ids=lambda change: change.__name__)
def test_two_exports_in_one_file_are_told(read, change) -> None:
    with pytest.warns(UserWarning, match=r"a.json: 6 of 12 objects come twice.* such as annotations\[\d+\]. Were two"):
        dataset = read(merged([change(entry) for entry in content()["annotations"]]))
    assert dataset.repeated == 6 and len(dataset[0].segments) == 6


@pytest.mark.parametrize("count", [1, 2, 5])
def test_every_one_is_counted(read, count: int) -> None:
    with pytest.warns(UserWarning, match=f"{count} of {6 + count} objects come twice"):
        assert read(merged(content()["annotations"][:count])).repeated == count
    with pytest.warns(UserWarning, match="2 of 8 objects come twice"):  # the same one three times
        read(merged(content()["annotations"][:1] * 2))


@pytest.mark.parametrize("count", [1, 4])
def test_an_outline_under_two_classes_is_told(read, count: int) -> None:
    """It is no repetition: which of the two is meant, nobody but the author knows."""
    again = [entry | {"category_id": 3 - entry["category_id"]} for entry in content()["annotations"][:count]]
    words = rf"{count} of {6 + count} objects have the picture and the outline of another, of another class, such"
    with pytest.warns(UserWarning, match=words):
        assert read(merged(again)).repeated == 0


def test_samples_in_memory_are_told_of_two_classes() -> None:
    made = [
        sample.replace(segments=tuple(SegmentInfo(i + 1, i // 3) for i in range(6))) for sample in samples(twice=True)
    ]
    finding = check_repeated(made, made)
    assert finding.verdict == "warning" and finding.evidence.startswith("18 of 36 objects have the picture and the out")


@pytest.mark.parametrize("changes", [{"image_id": 1}, {"segmentation": [outline(5, 5, 25, 22)]}])
def test_others_are_no_repetition(read, changes: dict) -> None:
    made = content()
    made["annotations"] = [made["annotations"][0], made["annotations"][0] | {"id": 9} | changes]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert read(made).repeated == 0 == read(content()).repeated


def test_rows_by_hand() -> None:
    rows = np.array([[1, 0, 0, 4, 4], [3, 0, 0, 4, 4], [1, 0, 0, 4, 4], [2, 0, 0, 4, 4], [1, 0, 0, 4, 4]])
    assert repeated(rows, np.full(5, 9.0)).tolist() == [False, False, True, False, True]
    assert repeated(rows, np.array([9.0, 9, 14, 9, 13])).tolist() == [False, False, True, False, True]  # within an edge
    assert repeated(rows, np.array([3.0, 9, 14, 9, 8])).tolist() == [False] * 5
    assert repeated(rows[:0], np.zeros(0)).tolist() == [] and repeated(rows[:1], np.ones(1)).tolist() == [False]


def test_what_is_cut_out_of_another_is_another(read) -> None:
    made, whole = content(), np.ones((SIDE, SIDE), bool)
    cut = whole.copy()
    cut[10:40, 10:40] = False
    for entry, mask in zip(made["annotations"], (cut, whole)):
        entry.update(segmentation=code(mask), category_id=1)
    assert read(made).repeated == 0


def samples(twice: bool) -> list[Sample]:
    """Data of somebody's own, in memory."""
    made, classes = [], (Category(1, "disc", True), Category(2, "box", True))
    for number in range(6):
        boxes = BOXES * (1 + twice)
        masks = np.zeros((len(boxes), SIDE, SIDE), bool)
        for mask, (left, top, right, bottom) in zip(masks, boxes):
            mask[top:bottom, left:right] = True
        segments = tuple(SegmentInfo(i + 1, i % 3 % 2) for i in range(len(boxes)))
        pixels = np.random.default_rng(number).integers(0, 255, (SIDE, SIDE, 3)).astype(np.uint8)
        made.append(Sample(pixels, np.zeros((SIDE, SIDE), np.int32), segments, classes, number, f"{number}.png",
                           ("instance",), masks))  # fmt: skip
    return made


def told_before_training(tmp_path: Path, train, val=None) -> list[str]:
    config = dataclasses.replace(ofl.config.toytown(), image_size=64, num_points=128, contrastive_weight=0.0)
    recipe = toytown_training(out=str(tmp_path / "run"), steps=1, evaluations=0 if val is None else 1, workers=0)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        ready(ofl.config.for_classes(config, samples(False)[0].categories), recipe, train, val, ALONE, True)
    return [str(w.message) for w in said if "twice" in str(w.message)]


def test_the_look_before_the_first_step_says_it_of_files_and_lists(read, tmp_path) -> None:
    with pytest.warns(UserWarning):
        dataset = read(merged(content()["annotations"]))
    assert told_before_training(tmp_path, dataset)[0].startswith("objects: 6 of 12 objects come twice")
    assert told_before_training(tmp_path, samples(True))[0].startswith("objects: 18 of 36 objects come twice")
    assert not told_before_training(tmp_path, samples(False), samples(False)[:3])
    of_val, = told_before_training(tmp_path, samples(False), samples(True))
    assert of_val.startswith("objects of validation: 18 of 36 objects come twice")


def test_the_doctor_says_it(read) -> None:
    found = {f.check: f for f in ofl.doctor(dataset=samples(True)).findings}
    assert found["objects"].verdict == "warning" and "18 of 36" in found["objects"].evidence
    assert "objects" not in {f.check for f in ofl.doctor(dataset=samples(False)).findings}
    assert check_repeated(read(content()), []).verdict == "fine"
