"""A run that is resumed on other data than it began with says what differs, and is refused unless told otherwise."""

from __future__ import annotations

import dataclasses
import json
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_launch import recipe, small_config
from torch.utils.data import Subset

import oneformer_lite as ofl
from oneformer_lite.data.opening import open as open_split
from oneformer_lite.data.toytown import write_toytown
from oneformer_lite.data.views import as_dataset
from oneformer_lite.dataset_checks.splits import missing_files
from oneformer_lite.errors import DataError
from oneformer_lite.training import train
from oneformer_lite.training.fingerprint import differences, fingerprint, pictures_of


class Same:
    """Data of somebody's own: no names, no ids."""

    def __init__(self, dataset) -> None:
        self.dataset, self.categories, self.tasks = dataset, dataset.categories, dataset.tasks

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int):
        return self.dataset[index]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_toytown(tmp_path, "train", 64, 6, workers=1)
    return tmp_path


def change(folder: Path, how: str) -> None:
    path = folder / "annotations/panoptic_train.json"
    content = json.loads(path.read_text())
    annotations, categories = content["annotations"], content["categories"]
    if how == "fewer":
        annotations.pop()
    if how == "order":
        annotations.reverse()
    if how == "two swapped":
        annotations[1], annotations[2] = annotations[2], annotations[1]
    if how == "class renamed":
        categories[3]["name"] = "dragon"
    if how == "classes swapped":
        categories[0], categories[1] = categories[1], categories[0]
    if how == "ids of classes swapped":
        categories[0]["id"], categories[1]["id"] = categories[1]["id"], categories[0]["id"]
    if how == "segment edited":
        annotations[0]["segments_info"][0]["iscrowd"] = 1
    if how == "picture renamed":
        picture = content["images"][0]
        old = picture["file_name"]
        picture["file_name"] = f"new_{old}"
        (folder / "train" / old).rename(folder / "train" / picture["file_name"])
    if how == "other id":
        content["images"][0]["id"] = annotations[0]["image_id"] = 4711
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("fewer", "5 pictures, where there were 6"),
        ("order", "the same pictures in another order"),
        ("two swapped", "the same pictures in another order"),
        ("class renamed", "class 3 was '.*' .*, is 'dragon'"),
        ("classes swapped", "class 0 was .*; class 1 was"),
        ("ids of classes swapped", r"\d+ segments of '.*' \(thing\), where there were \d+; "),
        ("segment edited", r"\d+ segments of '.*' \(\w+\), where there were \d+"),
        ("picture renamed", "other pictures"),
        ("other id", "other pictures"),
    ],
)
def test_what_differs_is_said(folder: Path, how: str, words: str) -> None:
    before = fingerprint(open_split(folder, "train"))
    assert differences(json.loads(json.dumps(before)), fingerprint(open_split(folder, "train"))) == []
    change(folder, how)
    found = "; ".join(differences(before, fingerprint(open_split(folder, "train"))))
    assert re.search(words, found), found


def test_data_without_names_and_parts_of_data() -> None:
    scenes = ofl.data.Toytown("train", 64, 4)
    plain = fingerprint(Same(scenes))
    assert plain["count"] == 4 and differences(plain, fingerprint(Same(ofl.data.Toytown("train", 64, 4)))) == []
    part = Subset(scenes, [2, 0])
    assert pictures_of(part) == [pictures_of(scenes)[2], pictures_of(scenes)[0]]
    for other in (ofl.data.Toytown("train", 64, 4, seed=1), ofl.data.Toytown("val", 64, 4)):
        assert differences(fingerprint(scenes), fingerprint(other))


def objects(folder: Path, ids: tuple[int, int], classes: tuple[int, ...]) -> ofl.data.InstanceDataset:
    """Two classes with these ids, and one object each of ``classes`` (0 or 1)."""
    square = [[1, 1, 9, 1, 9, 9]]
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": 20, "width": 20}],
        "categories": [{"id": id_, "name": name} for id_, name in zip(ids, ("car", "bus"))],
        "annotations": [
            {"id": i + 1, "image_id": 1, "category_id": ids[c], "segmentation": square} for i, c in enumerate(classes)
        ],
    }
    (folder / "objects.json").write_text(json.dumps(content))
    return ofl.data.InstanceDataset(folder, folder / "objects.json")


@pytest.mark.parametrize("part", [lambda data: data, lambda data: as_dataset(Subset(data, [0]))])
def test_ids_of_categories_count_by_what_they_mean(tmp_path: Path, part) -> None:
    """Ids that are other everywhere change nothing; exchanged in the list of categories alone, every car is a bus."""
    before = fingerprint(part(objects(tmp_path, (3, 7), (0, 1, 1, 0))))
    assert differences(before, fingerprint(part(objects(tmp_path, (103, 107), (0, 1, 1, 0))))) == []
    assert differences(before, fingerprint(part(objects(tmp_path, (7, 3), (0, 1, 1, 0))))) == []
    exchanged = fingerprint(part(objects(tmp_path, (3, 7), (1, 0, 0, 1))))
    assert "segments of other classes (were the ids" in differences(before, exchanged)[0]
    older = {name: value for name, value in before.items() if name != "labels"}  # written before this was known
    assert differences(older, exchanged) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"values": (1, 0)}, "segments of other classes (were"),
        ({"values": (0, 2)}, "segments of other classes (were"),
        ({"ignore_index": 7}, "the pixel value 7 is void (ignore_index), where the pixel value 255 is"),
        ({"ignore_index": None}, "no pixel value is void (ignore_index), where the pixel value 255 is"),
        ({"ignore_index": np.int64(2)}, "the pixel value 2 is void (ignore_index), where the pixel value 255 is"),
        ({"values": (1, 2), "ignore_index": 0}, "the pixel value 0 is void"),
    ],
)
def test_other_meanings_of_pixel_values_are_noticed(tmp_path: Path, options: dict, words: str) -> None:
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "a.png")

    def read(**options) -> dict:
        return fingerprint(ofl.data.SemanticDataset(tmp_path, tmp_path, ["road", "car"], **options))

    before = read()
    assert differences(before, read()) == []
    found = differences(before, json.loads(json.dumps(read(**options))))
    assert len(found) == 1 and words in found[0]
    older = {name: value for name, value in before.items() if name not in ("void", "labels")}
    assert differences(older, read(**options)) == []


class Turned(Subset):
    """A part of somebody's own that reads in another way."""

    def __getitem__(self, index: int):
        return super().__getitem__(index).replace(file_name="turned")

    def __getitems__(self, indices: list[int]) -> list:
        return [self[index] for index in indices]


@pytest.mark.parametrize("kind", ["subset", "subset of a subset", "own subset", "list", "tuple", "subset of a list"])
def test_parts_and_lists_that_are_trained_on_are_known_by_their_pictures(kind: str) -> None:
    scenes = ofl.data.Toytown("train", 64, 6)
    samples = [scenes[i].replace(file_name=f"{i}.png") for i in range(6)]

    def given(*indices: int):
        return {
            "subset": lambda: Subset(scenes, indices),
            "subset of a subset": lambda: Subset(Subset(scenes, [5, 4, 3, 2, 1, 0]), indices),
            "own subset": lambda: Turned(scenes, indices),
            "list": lambda: [samples[i] for i in indices],
            "tuple": lambda: tuple(samples[i] for i in indices),
            "subset of a list": lambda: Subset(samples, indices),
        }[kind]()

    before = fingerprint(as_dataset(given(0, 1, 2)))
    assert differences(before, fingerprint(as_dataset(given(0, 1, 2)))) == []
    assert "other pictures" in differences(before, fingerprint(as_dataset(given(3, 4, 5))))[0]
    assert differences(before, fingerprint(as_dataset(given(0, 2, 1)))) == ["the same pictures in another order"]


def test_parts_keep_what_their_data_set_knows_and_how_they_read(folder: Path) -> None:
    data = open_split(folder, "train")
    part = as_dataset(Subset(Subset(data, [4, 2]), [1]))
    assert part.paths(0) == data.paths(2) and part.tasks == data.tasks and part[0].image_id == data[2].image_id
    (folder / "train" / data.picture_names[2]).unlink()
    assert missing_files(part) == {0: data.paths(2)[0]}
    assert as_dataset(Turned(data, [0]))[0].file_name == "turned"
    del (bare := Same(data)).tasks
    assert as_dataset(Subset(bare, [1, 0])).tasks == ofl.data.TASKS  # its samples say them


@pytest.mark.parametrize("before", ({}, {"count": 4}, {"classes": 7}, {"classes": [3, None]}, {"order": [1]}))
def test_what_no_run_has_written_counts_as_a_difference(before: dict) -> None:
    assert differences(before, fingerprint(ofl.data.Toytown("train", 64, 4)))


def test_a_run_is_refused_with_other_data_and_resumed_when_told_to(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(small_config(), recipe(folder, out, steps=1))
    change(folder, "two swapped")
    with pytest.raises(DataError, match=r"since step 1: the same pictures in another order.*data_may_change"):
        train(small_config(), recipe(folder, out, steps=2))
    assert ofl.Run(out).status == "failed" and "data_may_change=True" in ofl.Run(out).reason
    allowed = recipe(folder, out, steps=2, data_may_change=True)
    with pytest.warns(UserWarning, match="have changed since step 1: the same pictures in another order"):
        assert train(small_config(), allowed).steps == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # from then on it is these that it remembers
        warnings.filterwarnings("ignore", message="classes seen")  # in six small scenes
        train(small_config(), dataclasses.replace(allowed, steps=3, data_may_change=False))
