"""Pascal VOC's layout in miniature: PNGs with a palette, and lists of names."""

import numpy as np
import pytest
from PIL import Image

import oneformer_lite as ofl
from oneformer_lite.data.converting.voc import categories, color
from oneformer_lite.errors import DataError


def palette_png(indices):
    picture = Image.fromarray(indices.astype(np.uint8), "L")
    picture.putpalette([channel for index in range(256) for channel in color(index)])
    return picture


def maps():
    """Classes and objects [8, 20]: two persons (15) and a bottle (5) with void contours on background."""
    labels, objects = np.zeros((2, 8, 20), int)
    for number, (left, label) in enumerate(((1, 15), (7, 15), (13, 5)), start=1):
        labels[1:7, left : left + 5] = objects[1:7, left : left + 5] = 255
        labels[2:6, left + 1 : left + 4], objects[2:6, left + 1 : left + 4] = label, number
    return labels, objects


@pytest.fixture
def raw(tmp_path, save):
    folder = tmp_path / "raw/VOCdevkit/VOC2012"
    labels, objects = maps()
    for name in ("2007_000032", "2007_000039", "2007_000063"):
        save(folder / f"SegmentationClass/{name}.png", palette_png(labels))
        save(folder / f"SegmentationObject/{name}.png", palette_png(objects))
        save(folder / f"JPEGImages/{name}.jpg", np.full((8, 20, 3), 90, np.uint8))
    lists = folder / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("2007_000032\n2007_000039\n")
    (lists / "val.txt").write_text("2007_000063\n")
    (lists / "trainval.txt").write_text("2007_000032\n2007_000039\n2007_000063\n")
    return folder


@pytest.fixture
def convert(raw, tmp_path):
    def run(folder=raw.parent):
        return tmp_path / "out", ofl.data.convert_data("voc", folder, tmp_path / "out", workers=1)

    return run


def segments(sample):
    return {(s.id, sample.categories[s.class_id].name, s.is_crowd) for s in sample.segments}


def test_objects_and_background(raw, convert):
    out, counts = convert()
    assert counts == {"train": 2, "val": 1}
    data = ofl.data.open(out, "train")
    assert data.categories == categories() and len(data.categories) == 21
    assert [c.name for c in data.categories if not c.is_thing] == ["background"]
    sample, (labels, objects) = data[0], maps()
    persons = {(1, "person", False), (2, "person", False)}
    assert segments(sample) == {(256, "background", False), (3, "bottle", False)} | persons
    assert np.array_equal(sample.segment_map, np.where(labels == 0, 256, np.where(objects == 255, 0, objects)))
    assert (out / "val/2007_000063.jpg").samefile(raw / "JPEGImages/2007_000063.jpg")
    assert not (out / "annotations/panoptic_trainval.json").exists()


def test_the_palette_is_the_published_one():
    named = {category.name: category.color for category in categories()}
    published = {
        "background": (0, 0, 0), "aeroplane": (128, 0, 0), "bird": (128, 128, 0), "bottle": (128, 0, 128),
        "person": (192, 128, 128), "tvmonitor": (0, 64, 128),
    }  # fmt: skip
    assert published.items() <= named.items() and color(255) == (224, 224, 192)


def test_what_has_a_class_and_no_object_is_a_crowd_and_mixed_objects_are_counted(raw, convert, save):
    labels, objects = maps()
    labels[7, :4] = 15
    labels[2, 14] = 3
    save(raw / "SegmentationClass/2007_000039.png", palette_png(labels))
    with pytest.warns(UserWarning) as said:
        out, _ = convert()
    assert sorted(str(w.message) for w in said) == [
        "objects with pixels of several classes (the most frequent one counts): 1",
        "pictures with pixels of a class that no object holds (a crowd of that class): 1",
    ]
    sample = ofl.data.open(out, "train")[1]
    assert {(271, "person", True), (3, "bottle", False)} <= segments(sample)
    assert (sample.segment_map == 271).sum() == 4


@pytest.mark.parametrize(
    "place, pixels, expected",
    [
        ("SegmentationClass", palette_png(np.full((8, 20), 21)), "has 160 pixels of the values 21, which are no class"),
        ("SegmentationClass", palette_png(np.zeros((8, 20))), "object 1 lies where the map of classes has background"),
        ("SegmentationClass", palette_png(maps()[0]).convert("RGB"), "3 channels RGB with different values"),
        ("SegmentationObject", palette_png(maps()[1][:6]), r"\(8, 20\), but .*\(6, 20\)"),
        ("JPEGImages", np.zeros((9, 20, 3), np.uint8), "use pictures and annotations of the same release"),
    ],
    ids=["unknown class", "object on background", "colours", "maps of two sizes", "picture of another size"],
)
def test_something_else_is_refused_by_name(raw, convert, save, place, pixels, expected):
    save(raw / place / f"2007_000063.{'jpg' if place == 'JPEGImages' else 'png'}", pixels)
    with pytest.raises(DataError, match=expected) as refused:
        convert()
    assert "2007_000063" in str(refused.value) and not (raw.parents[2] / "out").exists()


def test_listed_files_that_are_missing_are_counted(raw, convert):
    for path in (raw / "SegmentationObject").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="train.txt names 6 files of which 2 are missing, .*2007_000032.png first"):
        convert()


@pytest.mark.parametrize(
    "names, expected",
    [
        ("", "val.txt is empty: expected the names of the pictures"),
        ("2007_000063\n2007_000063\n", "2 pictures of the split val are called 2007_000063"),
        ("../JPEGImages/2007_000063", "is called '../JPEGImages/2007_000063.jpg': expected a name, not a path"),
    ],
    ids=["empty", "twice", "a path"],
)
def test_odd_lists(names, expected, raw, convert, save):
    (raw / "ImageSets/Segmentation/val.txt").write_text(names)
    save(raw / "JPEGImages/2007_000063.png", np.zeros((8, 20), np.uint8))  # the path leads to pictures and maps alike
    with pytest.raises(DataError, match=expected):
        convert()


def test_two_years_in_one_folder_and_none(raw, convert):
    with pytest.raises(DataError, match="JPEGImages is not in the layout of Pascal VOC.*it holds '2007_000032.jpg'"):
        convert(raw / "JPEGImages")
    (raw.parent / "VOC2007/ImageSets/Segmentation").mkdir(parents=True)
    with pytest.raises(DataError, match="holds several of Pascal VOC.*: name one of .*VOC2007, .*VOC2012"):
        convert()
