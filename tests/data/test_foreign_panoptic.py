"""Panoptic files from elsewhere: kinds of values, frames, segments that are listed and not drawn."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from panoptic_files import edit_json, read
from PIL import Image

from oneformer_lite.data.opening import open as open_split
from oneformer_lite.data.published.coco import split_val
from oneformer_lite.errors import DataError


def refused(folder) -> str:
    with pytest.raises(DataError) as error:
        read(folder)
    message = str(error.value)
    assert str(folder / "panoptic.json") in message and "\n" not in message
    return message


@pytest.mark.parametrize(
    ("place", "key", "value", "words"),
    [
        ("segment", "iscrowd", "0", "annotations[1].segments_info[2].iscrowd is '0' (text), expected 0 or 1"),
        ("segment", "iscrowd", 3, "iscrowd is 3 (a number)"),
        ("segment", "category_id", [7], "annotations[1].segments_info[2].category_id is [7] (a list)"),
        ("segment", "category_id", "7", "category_id is '7' (text)"),
        ("segment", "category_id", 7.5, "category_id is 7.5"),
        ("segment", "id", 0, "annotations[1].segments_info[2].id is 0 (a number), expected a whole number from 1"),
        ("segment", "id", 2**24, "id is 16777216"), ("segment", "id", -5, "id is -5"),
        ("segment", "id", "5", "id is '5' (text)"), ("segment", "id", None, "id is null"),
        ("annotation", "file_name", 7, "annotations[1].file_name is 7"),
        ("annotation", "file_name", "../street.png", "annotations[1].file_name is '../street.png'"),
        ("annotation", "segments_info", {"5": {}}, "annotations[1].segments_info is {'5': {}} (an object), expected"),
        ("annotation", "segments_info", [5], "annotations[1].segments_info[0] is 5 (a number), expected an object"),
        ("annotation", "image_id", [1], "annotations[1].image_id is [1]"),
        ("annotation", "image_id", "2", "the image ids '2' are not listed in the file (they are there, but as numbers"),
        ("annotation", "image_id", 1, "annotations[0] and annotations[1] share an id (1 (a number))"),
        ("image", "file_name", ["a.jpg"], "images[1] (image 2).file_name is ['a.jpg']"),
        ("image", "file_name", "C:a.jpg", "file_name is 'C:a.jpg'"),
        ("image", "height", "6", "images[1] (image 2).height is '6' (text)"),
        ("category", "isthing", "0", "categories[1].isthing is '0' (text)"),
        ("category", "isthing", "false", "isthing is 'false'"), ("category", "isthing", None, "isthing is null"),
        ("category", "name", None, "categories[1].name is null"),
        ("category", "color", "blueish", "categories[1].color is 'blueish' (text)"),
    ],
)  # fmt: skip
def test_values_of_a_wrong_kind_are_refused_when_the_file_is_opened(panoptic_folder, place, key, value, words):
    def change(content):
        entries = {
            "segment": content["annotations"][1]["segments_info"], "annotation": content["annotations"],
            "image": content["images"], "category": content["categories"],
        }  # fmt: skip
        entries[place][-1][key] = value

    edit_json(panoptic_folder, change)
    assert words in refused(panoptic_folder)


@pytest.mark.parametrize("outline", [[[1, 1, 5, 1, 5, 5]], {"size": [6, 8], "counts": [48]}, []])
def test_a_file_of_objects_is_called_so(panoptic_folder, outline):
    def change(content):
        content["annotations"] = [{"id": 1, "image_id": 1, "category_id": 7, "segmentation": outline, "iscrowd": 0}]
        for category in content["categories"]:
            del category["isthing"]

    edit_json(panoptic_folder, change)
    assert "a file of objects, without maps of segments: InstanceDataset reads it" in refused(panoptic_folder)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_other_encodings_colours_and_flags_read_the_same(panoptic_folder, encoding):
    expected = [sample.segments for sample in read(panoptic_folder)]
    content = json.loads((panoptic_folder / "panoptic.json").read_text())
    for entry in content["categories"]:
        entry.update(isthing=bool(entry["isthing"]), color="#ff8800")
    for entry in content["annotations"]:
        entry["file_name"] = f".\\{entry['file_name']}"
        for segment in entry["segments_info"]:
            segment.update(iscrowd=bool(segment["iscrowd"]), id=float(segment["id"]))
    (panoptic_folder / "panoptic.json").write_bytes(json.dumps(content, ensure_ascii=False).encode(encoding))
    dataset = read(panoptic_folder)
    assert [sample.segments for sample in dataset] == expected and dataset.categories[0].color == (255, 136, 0)


def test_a_json_of_another_size_than_its_png(panoptic_folder):
    edit_json(panoptic_folder, lambda content: content["images"][1].update(height=8, width=6))
    with pytest.raises(DataError, match=r"street.png has .* \(6, 8\), but .*json says \(8, 6\) of image 2"):
        read(panoptic_folder)[1]
    edit_json(panoptic_folder, lambda content: [image.pop("height") for image in content["images"]])
    with pytest.raises(DataError, match=r"images\[0\] \(image 1\) has a width and no height: give both, or neither"):
        read(panoptic_folder)
    edit_json(panoptic_folder, lambda content: [image.pop("width") for image in content["images"]])
    assert read(panoptic_folder)[1].size == (6, 8)


def test_a_photo_of_a_turned_camera_under_an_upright_map(panoptic_folder):
    path = panoptic_folder / "images/street.jpg"
    lying = Image.open(path).transpose(Image.Transpose.ROTATE_90)
    exif = lying.getexif()
    exif[0x0112] = 6
    lying.save(path, exif=exif)
    assert read(panoptic_folder)[1].image.shape == (6, 8, 3)


@pytest.mark.parametrize("thing", [True, False])
def test_listed_but_not_drawn(panoptic_folder, thing):
    """Things with a warning; stuff without one, as ADE20K's official files list what things cover."""
    def change(content):
        listed = content["annotations"][0]["segments_info"]
        listed += [dict(listed[1 if thing else 0], id=9000 + i) for i in range(20)]

    edit_json(panoptic_folder, change)
    dataset = read(panoptic_folder)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert [s.id for s in dataset[0].segments] == [300, 5, 70000] and len(dataset[1].segments) == 3
    assert [" and 12 more are listed" in str(w.message) for w in said] == [True] * thing
    assert dataset.left_out == ({"pictures with segments that have no pixel": 1} if thing else {})


def test_what_cannot_teach_is_said(panoptic_folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(panoptic_folder)
    edit_json(panoptic_folder, lambda c: [s.update(iscrowd=1) for a in c["annotations"] for s in a["segments_info"]])
    with pytest.warns(UserWarning, match="all 6 segments are crowds"):
        read(panoptic_folder)
    edit_json(panoptic_folder, lambda content: [a.update(segments_info=[]) for a in content["annotations"]])
    with pytest.warns(UserWarning, match="has no segments: there is nothing to learn"):
        read(panoptic_folder)
    edit_json(panoptic_folder, lambda content: content.update(annotations=[]))
    with pytest.warns(UserWarning) as said:
        assert len(read(panoptic_folder)) == 0
    assert "left out: 2 of 2 pictures have no annotation" in str(said[0].message)
    assert "lists no annotated pictures" in str(said[1].message)


@pytest.mark.parametrize(
    "entry", [{"images": [{"id": [1]}]}, {"images": ["a"]}, {"annotations": [{"image_id": {}}]}, {"images": 3}]
)
def test_a_split_of_what_is_no_list_of_pictures(tmp_path, entry):
    (tmp_path / "annotations").mkdir()
    path = tmp_path / "annotations/panoptic_val2017.json"
    path.write_text(json.dumps({"images": [], "annotations": [], "categories": []} | entry))
    with pytest.raises(DataError, match="panoptic_val2017.json: "):
        split_val(tmp_path)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc, which Linux has")
@pytest.mark.parametrize("kind", ["panoptic", "instances"])
def test_opening_keeps_little_of_a_large_file(kind):
    """Names and ids must not hold on to the memory of the parsed file: 300 MB for 200,000 pictures."""
    script = Path(__file__).parents[1] / "benchmarks/annotations.py"
    command = [sys.executable, str(script), "--pictures", "10000", "--kinds", kind]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(re.search(r"(\d+) MB kept", done.stdout)[1]) < {"panoptic": 15, "instances": 45}[kind]


def test_a_missing_split_is_named(tmp_path):
    with pytest.raises(DataError, match="no annotation of the split 'train': expected .*panoptic_train.json"):
        open_split(tmp_path, "train")


@pytest.mark.parametrize("prefix", ["", "./"])
def test_a_picture_that_is_listed_twice_is_odd(panoptic_folder, prefix):
    def change(content):
        content["images"][1]["file_name"] = prefix + content["images"][0]["file_name"]

    edit_json(panoptic_folder, change)
    with pytest.warns(UserWarning, match=r"images\[0\] \(image 1\) and images\[1\] \(image 2\) are the same file"):
        assert len(read(panoptic_folder)) == 2


def test_a_map_that_two_pictures_share_is_odd(panoptic_folder):
    def change(content):
        content["annotations"][1]["file_name"] = "./" + content["annotations"][0]["file_name"]

    edit_json(panoptic_folder, change)
    with pytest.warns(UserWarning, match=r"annotations\[1\] are the same file .*two pictures have the same map"):
        read(panoptic_folder)
