"""The class lists: complete, distinct, in the order of the released models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oneformer_lite.config import class_list
from oneformer_lite.errors import ConfigError

# things, stuff, and some entries: class id, the data set's own id, name, colour
LISTS = {
    "coco": (80, 53, [
        (0, 1, "person", (220, 20, 60)), (79, 90, "toothbrush", (191, 162, 208)), (80, 92, "banner", (255, 255, 128)),
        (109, 171, "wall-brick", (137, 54, 74)), (132, 200, "rug-merged", (250, 141, 255)),
    ]),
    "ade20k": (100, 50, [
        (0, 0, "wall", (120, 120, 120)), (6, 6, "road, route", (140, 140, 140)), (8, 8, "window", (230, 230, 230)),
        (90, 90, "plane", (0, 255, 82)), (149, 149, "flag", (92, 0, 255)),
    ]),
    "cityscapes": (8, 11, [
        (0, 7, "road", (128, 64, 128)), (10, 23, "sky", (70, 130, 180)), (11, 24, "person", (220, 20, 60)),
        (16, 31, "train", (0, 80, 100)), (18, 33, "bicycle", (119, 11, 32)),
    ]),
    "mapillary": (37, 28, [
        (0, 1, "Bird", (165, 42, 42)), (8, 9, "Crosswalk - Plain", (140, 140, 200)),
        (55, 56, "Car", (0, 0, 142)), (64, 65, "Ego Vehicle", (120, 10, 10)),
    ]),
    "camvid": (0, 11, [
        (0, 0, "sky", (128, 128, 128)), (3, 3, "road", (128, 64, 128)), (10, 10, "bicyclist", (0, 128, 192)),
    ]),
}  # fmt: skip
STUFF = {
    "coco": ("banner", "rug-merged"), "ade20k": ("wall", "escalator, moving staircase, moving stairway", "shower"),
    "cityscapes": ("road", "pole"), "camvid": ("car", "sky"),
    "mapillary": ("Curb", "Pothole", "On Rails", "Ego Vehicle"),
}  # fmt: skip


@pytest.mark.parametrize("data_set", LISTS)
def test_counts_and_well_known_entries(data_set: str) -> None:
    things, stuff, entries = LISTS[data_set]
    classes = class_list(data_set)
    assert (sum(c.is_thing for c in classes), sum(not c.is_thing for c in classes)) == (things, stuff)
    for class_id, own_id, name, color in entries:
        found = classes[class_id]
        assert (found.id, found.name, found.color) == (own_id, name, color)
    kinds = {c.name: c.is_thing for c in classes}
    assert not any(kinds[name] for name in STUFF[data_set])


@pytest.mark.parametrize("data_set", LISTS)
def test_names_and_ids_are_distinct_and_ordered(data_set: str) -> None:
    classes = class_list(data_set)
    assert len({c.name for c in classes}) == len(classes)
    assert [c.id for c in classes] == sorted({c.id for c in classes})
    assert all(c.name == c.name.strip() and c.name for c in classes)
    assert all(len(c.color) == 3 and all(0 <= value <= 255 for value in c.color) for c in classes)


def test_coco_agrees_with_its_annotation_file(coco_sample: Path) -> None:
    entries = json.loads((coco_sample / "annotations/panoptic_val2017.json").read_text())["categories"]
    ours = [(c.id, c.name, int(c.is_thing)) for c in class_list("coco")]
    assert ours == [(e["id"], e["name"], e["isthing"]) for e in entries]


def test_things_precede_stuff_in_coco_and_follow_it_in_cityscapes() -> None:
    assert [c.is_thing for c in class_list("coco")] == [True] * 80 + [False] * 53
    assert [c.is_thing for c in class_list("cityscapes")] == [False] * 11 + [True] * 8


def test_a_list_that_does_not_exist() -> None:
    with pytest.raises(ConfigError, match="no class list 'voc'; expected one of ade20k, camvid, cityscapes, coco, map"):
        class_list("voc")
