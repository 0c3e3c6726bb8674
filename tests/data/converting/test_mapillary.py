"""Mapillary Vistas' archive in miniature: COCO's panoptic format, one file and its PNGs for each split."""

import json

import numpy as np
import pytest

import oneformer_lite as ofl
from oneformer_lite.data.classes import class_list
from oneformer_lite.data.segment_ids import encode_ids
from oneformer_lite.errors import DataError

SPLITS = {"training": ("aB-3_x", "c0"), "validation": ("d1",)}
MAP = np.kron([[5, 70000], [0, 300]], np.ones((6, 10), int)).astype(np.int32)


def content(names):
    """What panoptic_2018.json holds: classes without colours, and pictures without sizes."""
    segments = [
        {"id": 5, "category_id": 28, "area": 60, "bbox": [0, 0, 10, 6], "iscrowd": 0},
        {"id": 70000, "category_id": 56, "area": 60, "bbox": [10, 0, 10, 6], "iscrowd": 0},
        {"id": 300, "category_id": 14, "area": 60, "bbox": [10, 6, 10, 6], "iscrowd": 0},
    ]
    return {
        "images": [{"id": name, "file_name": f"{name}.jpg"} for name in names],
        "annotations": [{"image_id": n, "file_name": f"{n}.png", "segments_info": segments} for n in names],
        "categories": [{"id": c.id, "name": c.name, "supercategory": "..."} for c in class_list("mapillary")],
    }


def write(folder, save, version=""):
    for split, names in SPLITS.items():
        place = folder / split / version / "panoptic"
        for name in names:
            save(place / f"{name}.png", encode_ids(MAP))
            save(folder / split / f"images/{name}.jpg", np.full((12, 20, 3), 90, np.uint8))
        (place / "panoptic_2018.json").write_text(json.dumps(content(names)))


@pytest.fixture
def raw(tmp_path, save):
    write(tmp_path / "raw", save)
    return tmp_path / "raw"


@pytest.fixture
def change(raw):
    """``change(function)`` edits the training file."""

    def edit(function):
        path = raw / "training/panoptic/panoptic_2018.json"
        changed = json.loads(path.read_text())
        function(changed)
        path.write_text(json.dumps(changed))

    return edit


@pytest.mark.parametrize("version", ["", "v1.2"], ids=["archive 1.2", "archive 2.0"])
def test_classes_segments_and_links(version, tmp_path, save, convert):
    write(tmp_path / "raw", save, version)
    out, counts = convert("mapillary")
    assert counts == {"train": 2, "val": 1}
    data = ofl.data.open(out, "train")
    assert data.categories == class_list("mapillary") and sum(c.is_thing for c in data.categories) == 37
    sample = data[1]
    assert sample.file_name == "c0.jpg" and (sample.segment_map == MAP).all()
    names = {c.id: c.name for c in data.categories}
    assert [sample.categories[s.class_id].name for s in sample.segments] == [names[28], names[56], names[14]]
    png = out / "annotations/panoptic_train/c0.png"
    assert png.samefile(tmp_path / "raw/training" / version / "panoptic/c0.png")
    assert (out / "val/d1.jpg").samefile(tmp_path / "raw/validation/images/d1.jpg")


def test_the_classes_of_version_2_are_refused_and_other_names_told(raw, convert, change):
    change(lambda c: c["categories"][0].update(name="animal--bird"))
    with pytest.warns(UserWarning, match="1 of 65 classes have other names there: 'animal--bird'"):
        convert("mapillary")
    change(lambda c: c["categories"].append({"id": 67, "name": "Cat"}))
    with pytest.raises(DataError, match="lists 66 classes with the ids .*: expected the 65 of version 1.2"):
        ofl.data.convert_data("mapillary", raw, raw.parent / "again", workers=1)


def test_files_that_are_missing_are_counted(raw, convert):
    (raw / "training/images/c0.jpg").unlink()
    (raw / "training/panoptic/aB-3_x.png").unlink()
    with pytest.raises(DataError, match="names 4 files of which 2 are missing, .*aB-3_x.png first"):
        convert("mapillary")


@pytest.mark.parametrize("shape", [(12, 21, 3), (24, 40, 3)], ids=["wider", "twice as large"])
def test_pictures_of_another_size(raw, convert, save, shape):
    save(raw / "validation/images/d1.jpg", np.zeros(shape, np.uint8))
    with pytest.raises(DataError, match=r"d1.png has \(height, width\) \(12, 20\), but its picture .*d1.jpg has"):
        convert("mapillary")
    assert not (raw.parent / "out").exists()


@pytest.mark.parametrize(
    "edit, expected",
    [
        (lambda c: c["annotations"].clear(), "lists no annotated pictures"),
        (lambda c: c["images"].pop(), "the image ids 'c0' are not listed"),
        (lambda c: c["annotations"][0]["segments_info"][1].update(category_id=66), "category ids 66 are not listed"),
        (lambda c: c.pop("images"), "lacks 'images'"),
    ],
    ids=["no annotations", "unlisted picture", "unlisted class", "no pictures"],
)
def test_files_that_contradict_themselves(edit, expected, raw, convert, change):
    change(edit)
    with pytest.raises(DataError, match=f"training/panoptic/panoptic_2018.json.*{expected}"):
        convert("mapillary")


def test_names_that_lead_elsewhere(raw, convert, change):
    (raw / "training/c0.jpg").write_bytes((raw / "training/images/c0.jpg").read_bytes())
    change(lambda c: (c["images"][1].update(id="../c0"), c["annotations"][1].update(image_id="../c0")))
    with pytest.raises(DataError, match="is called '../c0.jpg': expected a name, not a path"):
        convert("mapillary")


@pytest.mark.parametrize("missing, expected", [
    ("validation", "validation does not exist .*expected the folder of the split validation"),
    ("validation/panoptic", "validation lacks panoptic/panoptic_2018.json and v1.2/panoptic/panoptic_2018.json"),
    ("training/panoptic/panoptic_2018.json", "is not in the layout of Mapillary Vistas"),
])  # fmt: skip
def test_parts_of_the_archive(raw, convert, missing, expected):
    (raw / missing).rename(raw / "elsewhere")
    with pytest.raises(DataError, match=expected):
        convert("mapillary")
