"""What labelling tools really write: every value is judged when the file is opened, and what is left out is counted."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oneformer_lite.data.instance import EMPTY, InstanceDataset
from oneformer_lite.errors import ConfigError, DataError

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

HEIGHT, WIDTH = 20, 30
SQUARE = [2, 1, 6, 1, 6, 4, 2, 4]  # x 2..5, y 1..3: 12 pixels
BOX = [12, 10, 18, 10, 18, 15, 12, 15]  # x 12..17, y 10..14: 30 pixels
CODE = {"size": [HEIGHT, WIDTH], "counts": [45, 7, 548]}  # 7 pixels


def content(**fields) -> dict:
    """Two objects on one picture; ``fields`` are put into both."""
    objects = [
        {"id": 11 + i, "image_id": 1, "category_id": i + 1, "segmentation": [outline], "iscrowd": 0} | fields
        for i, outline in enumerate((SQUARE, BOX))
    ]
    return {
        "images": [{"id": 1, "file_name": "a.png", "height": HEIGHT, "width": WIDTH}],
        "annotations": objects,
        "categories": [{"id": 1, "name": "disc"}, {"id": 2, "name": "square"}],
    }


def changed(place: str, index: int = 0, **fields) -> dict:
    """``fields`` put into one entry; those that are ... are taken out."""
    made = content()
    entry = made[place][index]
    entry.update(fields)
    for key in [key for key, value in fields.items() if value is ...]:
        del entry[key]
    return made


@pytest.fixture
def read(tmp_path: Path):
    def read(made: dict | bytes, **options) -> InstanceDataset:
        Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "a.png")
        raw = made if isinstance(made, bytes) else json.dumps(made).encode()
        (tmp_path / "a.json").write_bytes(raw)
        return InstanceDataset(tmp_path, tmp_path / "a.json", **options)

    return read


def areas(dataset: InstanceDataset) -> list[int]:
    return [int(mask.sum()) for mask in dataset[0].masks]


def refused(read, made, **options) -> str:
    with pytest.raises(DataError) as error:
        read(made, **options)
    message = str(error.value)
    assert "a.json" in message and "\n" not in message and len(message) < 700
    return message


@pytest.fixture(autouse=True)
def _nothing_else_is_said():
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield


def test_the_file_itself_is_fine(read):
    dataset = read(content())
    assert areas(dataset) == [12, 30] and dataset.left_out == {}


# ------------------------------------------------------------------------------------ kinds of values


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (changed("annotations", iscrowd="0"), "annotations[0] (annotation 11).iscrowd is '0' (text), expected 0 or 1"),
        (changed("annotations", 1, iscrowd="false"), "annotations[1] (annotation 12).iscrowd is 'false' (text)"),
        (changed("annotations", iscrowd=2), "iscrowd is 2 (a number)"),
        (changed("annotations", iscrowd=[0]), "iscrowd is [0] (a list)"),
        (changed("annotations", category_id="1"), "category_id is '1' (text), expected a whole number (with"),
        (changed("annotations", category_id=[1]), "category_id is [1] (a list)"),
        (changed("annotations", category_id=1.5), "category_id is 1.5 (a number)"),
        (changed("annotations", category_id=True), "category_id is True (a truth value)"),
        (changed("annotations", category_id=None), "category_id is null"),
        (changed("annotations", category_id=...), "lacks 'category_id'"),
        (changed("annotations", category_id=10**30), "category_id is 10000"),
        (changed("annotations", image_id="1"), "the image ids '1' are not listed in the file (they are there, but as"),
        (changed("annotations", image_id=[1]), "image_id is [1] (a list)"),
        (changed("annotations", image_id={"id": 1}), "image_id is {'id': 1} (an object)"),
        (changed("images", id=None), "images[0].id is null, expected a whole number, or text"),
        (changed("images", id=float("nan")), "images[0].id is nan"),
        (changed("images", file_name=7), "images[0] (image 1).file_name is 7 (a number), expected a path below"),
        (changed("images", file_name=""), "file_name is '' (text)"),
        (changed("images", file_name="/etc/passwd.png"), "file_name is '/etc/passwd.png'"),
        (changed("images", file_name="../a.png"), "file_name is '../a.png'"),
        (changed("images", file_name="b\\..\\..\\a.png"), "file_name is "),
        (changed("images", file_name="C:\\pictures\\a.png"), "file_name is "),
        (changed("images", file_name="https://here/a.png"), "file_name is "),
        (changed("images", file_name="a\0.png"), "file_name is 'a\\x00.png'"),
        (changed("images", file_name="a\ud800.png"), "file_name is 'a\\ud800.png'"),
        (changed("images", height="20"), "height is '20' (text)"),
        (changed("images", width=0), "width is 0 (a number), expected a whole number above 0"),
        (changed("images", width=-30), "width is -30"),
        (changed("categories", name=None), "categories[0].name is null, expected text"),
        (changed("categories", name=3), "categories[0].name is 3 (a number)"),
        (changed("categories", name=" "), "categories[0].name is ' ' (text)"),
        (changed("categories", name="a\nb"), "categories[0].name is 'a\\nb' (text)"),
        (changed("categories", id=[1]), "categories[0].id is [1] (a list)"),
        (changed("categories", id="1"), "categories[0].id is '1' (text)"),
        (changed("categories", id=-1), "categories[0].id is -1 (a number), expected a whole number from 0 to 2^53"),
        (changed("categories", id=2**53 + 1), "categories[0].id is 9007199254740993 (a number)"),
        (changed("categories", color="#ff8zz"), "categories[0].color is '#ff8zz' (text), expected three whole"),
        (changed("categories", color=[1, 2]), "color is [1, 2] (a list)"),
        (changed("categories", color=[1, 2, 256]), "color is [1, 2, 256]"),
        (changed("categories", color=[0.5, 0.5, 0.5]), "color is [0.5, 0.5, 0.5]"),
        (changed("categories", color=["1", "2", "3"]), "color is ['1', '2', '3']"),
        (changed("categories", color={"r": 1}), "color is {'r': 1} (an object)"),
        (content() | {"annotations": {"a": 1}}, "'annotations' is {'a': 1} (an object), expected a list"),
        (content() | {"images": [1]}, "images[0] is 1 (a number), expected an object"),
        (content() | {"categories": None}, "'categories' is null, expected a list"),
    ],
)  # fmt: skip
def test_values_of_a_wrong_kind_are_refused_with_their_place(read, made, words):
    assert words in refused(read, made)


def test_what_json_lets_one_write_in_two_ways_is_the_same(read):
    """3.0 is 3 (spreadsheets), true is 1, null is absent, a backslash is a slash."""
    made = content(iscrowd=False)
    made["annotations"][0].update(category_id=1.0, image_id=1.0, iscrowd=None)
    made["annotations"][1].update(iscrowd=0.0)
    made["images"][0].update(height=float(HEIGHT), file_name=".\\a.png")
    made["categories"][0].update(color=None)
    dataset = read(made)
    assert areas(dataset) == [12, 30] and not any(s.is_crowd for s in dataset[0].segments)
    assert dataset.image_ids == [1] and type(dataset.image_ids[0]) is int


@pytest.mark.parametrize(
    ("color", "expected"),
    [("#ff8800", (255, 136, 0)), ("#F80", (255, 136, 0)), ("#ff880080", (255, 136, 0)), ("rgb(1, 2, 3)", (1, 2, 3)),
     ("teal", (0, 128, 128)), ([1, 2.0, 255], (1, 2, 255))],
)  # fmt: skip
def test_colours_as_tools_write_them(read, color, expected):
    assert read(changed("categories", color=color)).categories[0].color == expected


def test_names_and_paths_of_other_languages_and_systems(read, tmp_path):
    (tmp_path / "straße" / "12:30").mkdir(parents=True)
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "straße/12:30/ä b.png")
    made = changed("images", file_name="straße\\12:30\\ä b.png")
    made["categories"][0]["name"] = "Fußgänger 人"
    assert areas(read(made)) == [12, 30]
    for encoding in ("utf-8-sig", "utf-16"):
        assert areas(read(json.dumps(made, ensure_ascii=False).encode(encoding))) == [12, 30]
    assert "Latin-1" in refused(read, json.dumps(changed("categories", name="ä"), ensure_ascii=False).encode("latin-1"))


@pytest.mark.parametrize("own", [81645724526782010095170042166076916798, "0c1f-77", -3, 0])
def test_pictures_may_be_numbered_as_one_likes(read, own):
    made = content(image_id=own)
    made["images"][0]["id"] = own
    assert read(made)[0].image_id == own


@pytest.mark.parametrize("name", ["A.png", "a.PNG", "A.Png"])
def test_a_name_in_another_case_is_told(read, tmp_path, name):
    dataset = read(changed("images", file_name=name))
    if (tmp_path / name).exists():
        pytest.skip("this file system does not tell upper from lower case")
    with pytest.raises(DataError, match=f"{name} does not exist, but a.png does"):
        dataset[0]


def test_classes_of_one_name_are_odd(read):
    with pytest.warns(UserWarning, match="several categories are called 'disc'"):
        read(changed("categories", 1, name="disc"))


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"version": "5.0", "shapes": [], "imagePath": "a.png"}, "LabelMe's own file of one picture"),
        ({"_via_settings": {}, "_via_img_metadata": {}}, "VGG Image Annotator's own project"),
        ([{"id": 1, "annotations": [], "data": {}}], "Label Studio's own JSON: export as COCO"),
        ({"tags": [], "size": {"height": 1, "width": 1}, "objects": []}, "Supervisely's own file of one picture"),
        ({"type": "FeatureCollection", "features": []}, "GeoJSON"),
        ([{"image_id": 1, "category_id": 1, "bbox": [], "score": 0.5}], "COCO results of a model, not annotations"),
        (content()["annotations"], "the annotations of a COCO file without the rest of it"),
        ([], "with the lists 'images', 'annotations', 'categories'"),
    ],
)  # fmt: skip
def test_files_of_tools_that_are_not_coco_are_called_by_name(read, made, words):
    assert words in refused(read, made)


def test_a_panoptic_file_is_called_so(read):
    panoptic = content() | {"annotations": [{"image_id": 1, "file_name": "a.png", "segments_info": []}]}
    assert "this is a panoptic file: PanopticDataset reads it" in refused(read, panoptic)


# ------------------------------------------------------------------------------------ outlines


@pytest.mark.parametrize(
    ("outline", "expected"),
    [
        ([SQUARE], 12), (SQUARE, 12), ([SQUARE, BOX], 42), ([[float(v) for v in SQUARE]], 12), ([SQUARE, []], 12),
        (CODE, 7), ([CODE], 7), ([CODE, {"size": [HEIGHT, WIDTH], "counts": [100, 3, 497]}], 10),
        ({"size": [20.0, 30.0], "counts": [0, 600]}, 600), ([SQUARE, CODE], 19),
        ({"size": [HEIGHT, WIDTH], "counts": [45.0, 7.0, 548]}, 7),
    ],
)  # fmt: skip
def test_outlines_of_every_form(read, outline, expected):
    assert areas(read(changed("annotations", segmentation=outline))) == [expected, 30]


@pytest.mark.parametrize(
    ("outline", "words"),
    [
        ({"size": [HEIGHT, WIDTH], "counts": [45, 7]}, "counts is for 52 pixels, expected 600 (height 20 x width 30)"),
        ({"size": [HEIGHT, WIDTH], "counts": [45, 7, 600]}, "counts is for 652 pixels"),
        ({"size": [HEIGHT, WIDTH], "counts": [-45, 645]}, "counts is [-45, 645] (a list), expected whole numbers"),
        ({"size": [HEIGHT, WIDTH], "counts": ["45", 555]}, "counts is ['45', 555]"),
        ({"size": [HEIGHT, WIDTH], "counts": [45.5, 554.5]}, "counts is [45.5, 554.5]"),
        ({"size": [HEIGHT, WIDTH], "counts": []}, "counts is []"),
        ({"size": [HEIGHT, WIDTH], "counts": "hello"}, "counts is no run-length code"),
        ({"size": [HEIGHT, WIDTH], "counts": ""}, "counts is no run-length code"),
        ({"size": [HEIGHT, WIDTH], "counts": "b'PPYo0'"}, "it is bytes as Python prints them: write counts.decode()"),
        ({"size": [HEIGHT, WIDTH], "counts": "45 7 548"}, "list of run lengths (numbers, without quotes)"),
        ({"size": [HEIGHT, WIDTH], "counts": [45.5, 6.5, 548]}, "expected whole numbers of pixels, 0 or more"),
        ({"size": [HEIGHT, WIDTH], "counts": [45, -7, 562.0]}, "expected whole numbers of pixels, 0 or more"),
        ({"size": [HEIGHT, WIDTH], "counts": [45, True, 554]}, "expected whole numbers of pixels, 0 or more"),
        ({"size": [HEIGHT, WIDTH], "counts": "däß"}, "counts is no run-length code"),
        ({"size": [HEIGHT, WIDTH], "counts": "\ud800"}, "counts is no run-length code"),
        ({"size": [HEIGHT, WIDTH], "counts": "1"}, "counts is for 1 pixels"),
        ({"size": [HEIGHT, WIDTH], "counts": None}, "counts is null"),
        ({"size": [HEIGHT, WIDTH]}, "lacks 'counts'"),
        ({"size": [WIDTH, HEIGHT], "counts": [600]}, "(30, 20), but its picture is (20, 30) in 'images' (width and"),
        ({"size": [10, 10], "counts": [100]}, "(10, 10), but its picture is (20, 30)"),
        ({"size": [10**6, 10**6], "counts": [10**12]}, "size is [1000000, 1000000]"),
        ({"size": "20x30", "counts": [600]}, "size is '20x30' (text)"),
        ({"size": [20], "counts": [20]}, "size is [20]"),
        ({"counts": "0"}, "lacks 'size'"),
        ([CODE, 7], "holds 7 (a number)"),
        ("polygon", "is 'polygon' (text)"), (7, "is 7 (a number)"), (True, "is True"), (float("nan"), "is nan"),
        (float("inf"), "is inf"), ([float("nan")] * 6, "holds nan"),
        ([["a"] * 6], "holds 'a' (text) instead of a finite number"), ([["1", 2, 3, 4, 5, 6]], "holds '1' (text)"),
        ([[None, 2, 3, 4, 5, 6]], "holds null"), ([[True, 2, 3, 4, 5, 6]], "holds True"),
        ([[float("nan"), *SQUARE[1:]]], "holds nan"), ([[float("inf"), *SQUARE[1:]]], "holds inf"),
        ([[10**400, *SQUARE[1:]]], "holds 1000"), ([[1e9, *SQUARE[1:]]], "from x 2 to 1e+09 and from y 1 to 4, far"),
        ([[-1e9, *SQUARE[1:]]], "far outside its picture of 30 x 20 pixels"), ([[301, *SQUARE[1:]]], "far outside"),
        ([SQUARE[:-1]], "has a polygon of 7 numbers"), ([[1, 2, 3]], "has a polygon of 3 numbers"),
        ([[2, 1], [6, 1], [6, 4]], "points as pairs"), ([[[2, 1], [6, 1], [6, 4]]], "holds [2, 1] (a list)"),
        ([{"x": 2, "y": 1}], "holds points as {'x': ..., 'y': ...}: expected polygons"),
        ([[0, 0, 29, 19] * 60_000], "pixels long, more than the 1000000"),
        ([SQUARE] * 10_001, "more than 10000 outlines"),
    ],
)  # fmt: skip
def test_outlines_that_are_none_are_named_when_the_file_is_opened(read, outline, words):
    message = refused(read, changed("annotations", 1, segmentation=outline))
    assert words in message and "annotations[1] (annotation 12)" in message


@pytest.mark.parametrize("outline", [..., None, [], [[]], {}, ""])
def test_boxes_without_an_outline_are_skipped_by_request_only(read, outline):
    made = changed("annotations", segmentation=outline, bbox=[1, 2, 3, 4])
    message = refused(read, made)
    assert "annotations[0] (annotation 11) has no outline" in message and "1 of 2 objects" in message
    assert "skip_boxes=True" in message
    with pytest.warns(UserWarning, match=r"left out: 1 objects without an outline \(of 2\)"):
        dataset = read(made, skip_boxes=True)
    assert areas(dataset) == [30] and dataset.left_out == {"objects without an outline": 1}
    assert dataset[0].segments[0].class_id == 1
    assert "nothing is left of 2" in refused(read, content(segmentation=[]), skip_boxes=True)


def test_pieces_that_enclose_nothing_are_counted(read):
    made = changed("annotations", segmentation=[SQUARE, [1, 1, 2, 2], [3, 3]])
    with pytest.warns(UserWarning, match="left out: 2 further outlines of fewer than three points"):
        dataset = read(made)
    assert areas(dataset) == [12, 30] and dataset.left_out == {"further outlines of fewer than three points": 2}
    made["annotations"][1]["segmentation"] = [[1, 1, 2, 2]]
    with pytest.warns(UserWarning, match="1 objects whose outlines have fewer than three points, 2 further") as said:
        assert areas(read(made)) == [12]
    assert said[0].filename == __file__  # the line that opens the file


def test_objects_outside_their_picture_are_counted(read):
    made = changed("annotations", segmentation=[[v + 40 for v in SQUARE]])
    with pytest.warns(UserWarning, match=r"left out: 1 objects outside their pictures \(of 2\)"):
        dataset = read(made)
    assert areas(dataset) == [30] and dataset.left_out == {"objects outside their pictures": 1}
    made["annotations"][0]["segmentation"].append(SQUARE)  # a second piece lies within
    assert areas(read(made)) == [12, 30]


def test_outlines_of_a_larger_picture_are_odd(read):
    made = content()
    for entry in made["annotations"]:
        entry["segmentation"] = [[v * 4 for v in entry["segmentation"][0]]]
    made["annotations"][1]["segmentation"] = [[10, 10, 70, 10, 70, 50, 10, 50]]
    with pytest.warns(UserWarning, match="1 of 2 outlines reach far over the edge .* were the pictures made smaller"):
        assert areas(read(made)) == [16 * 12, 200]  # cut at the edge


def test_shares_of_width_and_height_are_no_pixels(read):
    made = content()
    for entry in made["annotations"]:
        entry["segmentation"] = [[v / 30 for v in entry["segmentation"][0]]]
    assert "2 of 2 outlines lie within 0 to 1" in refused(read, made)
    made["annotations"] += content()["annotations"]
    with pytest.warns(UserWarning, match="2 of 4 outlines lie within 0 to 1"):
        dataset = read(made)
    with pytest.warns(UserWarning, match=r"outlines that enclose no pixel are left out, such as that of annotations.0"):
        assert areas(dataset) == [1, 12, 30]
    assert dataset.left_out == {EMPTY: 1}


THIN = [5, 5, 5, 9, 5, 12]  # a line


@pytest.mark.parametrize(
    "outline",
    [[THIN], [[5, 5, 9, 5, 12, 5]], [[4.2, 4.2, 4.3, 4.2, 4.3, 4.3]], {"size": [HEIGHT, WIDTH], "counts": [600]}],
)
def test_objects_without_a_pixel_are_counted_once_each(read, outline):
    dataset = read(changed("annotations", 1, segmentation=outline))
    assert dataset.left_out == {}
    with pytest.warns(UserWarning, match=r"such as that of annotations\[1\]") as said:
        assert [areas(dataset), areas(dataset)] == [[12], [12]]
    assert len([w for w in said if w.category is UserWarning]) == 1
    assert dataset.left_out == {EMPTY: 1}


@pytest.mark.parametrize("names", [("car", "car "), ("car", "car."), ("Car", "car"), ("traffic-light", "traffic light"),
                                   ("caf\u00e9", "cafe\u0301")])  # fmt: skip
def test_names_that_differ_by_next_to_nothing_are_told(read, names):
    made = content()
    for entry, name in zip(made["categories"], names):
        entry["name"] = name
    with pytest.warns(UserWarning, match=f"may be one class: {names[0]!r} and {names[1]!r}") as said:
        assert [c.name for c in read(made).categories] == list(names)
    assert len(said) == 1 and said[0].filename == __file__


def test_names_that_differ_by_a_word_or_number_are_two(read):
    for names in (("class 1", "class 11"), ("car", "cars"), ("C", "C++"), ("1", "2"), ("wall-brick", "wall-stone")):
        made = content()
        for entry, name in zip(made["categories"], names):
            entry["name"] = name
        assert len(read(made).categories) == 2


def test_all_crowds_as_a_brush_exports_them(read):
    made = content(segmentation=CODE, iscrowd=1)
    made["annotations"][1]["segmentation"] = CODE | {"counts": [145, 7, 448]}
    assert "2 of 2 objects are crowds" in refused(read, made) and "crowds_as_objects=True" in refused(read, made)
    dataset = read(made, crowds_as_objects=True)
    assert [s.is_crowd for s in dataset[0].segments] == [False, False] and areas(dataset) == [7, 7]
    made["annotations"][0]["iscrowd"] = 0
    with pytest.warns(UserWarning, match="1 of 2 objects are crowds"):
        assert [s.is_crowd for s in read(made)[0].segments] == [False, True]


@pytest.mark.parametrize("crowds, told", [(1, False), (2, True)])
def test_some_crowds_of_many_objects_are_told(read, crowds, told):
    """COCO has one in a hundred; one in twelve was painted with another tool than the rest."""
    made = content()
    made["annotations"] = [
        {"id": i, "image_id": 1, "category_id": 1, "segmentation": CODE | {"counts": [7 * i, 7, 593 - 7 * i]},
         "iscrowd": int(i < crowds)} for i in range(24)
    ]  # fmt: skip
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        read(made)
    assert any(f"{crowds} of 24 objects are crowds" in str(w.message) for w in said) is told


@pytest.mark.parametrize("value", [0, False])
def test_stuff_in_a_file_of_objects_is_told(read, value):
    made = content()
    made["categories"] = [row | {"isthing": isthing} for row, isthing in zip(made["categories"], (1, value))]
    with pytest.warns(UserWarning, match="'square' are stuff there .isthing is 0., but in a file of objects each"):
        assert all(category.is_thing for category in read(made).categories)


@pytest.mark.parametrize("name", ["a.png", "./a.png", ".\\a.png", ".//a.png"])
def test_a_picture_that_is_listed_twice_is_refused(read, name):
    made = content()
    made["images"].append(made["images"][0] | {"id": 2, "file_name": name})
    made["annotations"][1]["image_id"] = 2
    message = refused(read, made)
    assert "images[0] (image 1) and images[1] (image 2) are the same file (a.png)" in message and "keep one" in message


@pytest.mark.parametrize("key", ["annotations", "images"])
def test_a_list_that_comes_twice_is_refused(read, key):
    twice = json.dumps(content())[:-1] + f', "{key}": {json.dumps(content()[key])}}}'
    assert f"the key {key!r} comes twice" in refused(read, twice.encode())


def test_a_field_that_comes_twice_in_an_object_is_refused(read):
    twice = json.dumps(content()).replace('"iscrowd": 0', '"iscrowd": 0, "iscrowd": 1', 1)
    assert "the key 'iscrowd' comes twice" in refused(read, twice.encode())


def test_files_with_nothing_in_them_are_odd(read):
    with pytest.warns(UserWarning, match="a.json lists no pictures: there is nothing to learn"):
        assert len(read(content() | {"images": [], "annotations": []})) == 0
    with pytest.warns(UserWarning, match="a.json has no objects"):
        assert areas(read(content() | {"annotations": []})) == []


# ------------------------------------------------------------------------------------ frames


def test_a_picture_of_another_size_than_the_file_says(read, tmp_path):
    dataset = read(content())
    Image.new("RGB", (2 * WIDTH, 2 * HEIGHT)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a.json \(image 1\) has \(height, width\) \(20, 30\), but its pic.*a.png"):
        dataset[0]


@pytest.mark.parametrize("tag, stored", [(6, Image.Transpose.ROTATE_90), (8, Image.Transpose.ROTATE_270)])
@pytest.mark.parametrize("frame", ["upright", "stored", "code"])
def test_photos_of_a_turned_camera(read, tmp_path, tag, stored, frame):
    """The mask of the bright corner lies on it, whichever way round the annotation was drawn."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[10:15, 12:18] = 255
    lying = Image.fromarray(pixels).transpose(stored)
    exif = lying.getexif()
    exif[0x0112] = tag
    made = content()
    made["images"][0]["file_name"] = "turned.png"
    if frame == "stored":
        ys, xs = np.nonzero(np.asarray(lying)[..., 0])
        left, top, right, bottom = (int(v) for v in (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1))
        made["annotations"][1]["segmentation"] = [[left, top, right, top, right, bottom, left, bottom]]
        made["images"][0].update(height=WIDTH, width=HEIGHT)
    if frame == "code":  # the only size in the file
        rows = np.nonzero(pixels[..., 0].T.ravel())[0]
        runs = np.diff(np.concatenate([[0], np.flatnonzero(np.diff(pixels[..., 0].T.ravel() > 0)) + 1, [600]]))
        assert rows.size == 30
        made["annotations"] = [made["annotations"][1] | {"segmentation": {"size": [20, 30], "counts": runs.tolist()}}]
        del made["images"][0]["height"], made["images"][0]["width"]
    dataset = read(made)
    lying.save(tmp_path / "turned.png", exif=exif)
    sample = dataset[0]
    assert sample.size == ((WIDTH, HEIGHT) if frame == "stored" else (HEIGHT, WIDTH))
    np.testing.assert_array_equal(sample.masks[-1], sample.image[..., 0] > 0)


def test_a_million_masks_are_not_made(read):
    made = content()
    made["annotations"] = [made["annotations"][0] | {"id": i} for i in range(3000)]
    with pytest.warns(UserWarning, match="2999 of 3000 objects come twice"):
        dataset = read(made)
    dataset._sizes[:] = 3000  # as if of a large picture
    with pytest.raises(DataError, match="image 1 has 3000 objects on 3000 x 3000 pixels, whose masks do not fit"):
        dataset._masks(0, dataset._places, 3000, 3000)


@pytest.mark.parametrize("option", ["skip_boxes", "crowds_as_objects"])
@pytest.mark.parametrize("value", ["false", "0", 1, None])
def test_options_are_true_or_false(read, option, value):
    with pytest.raises(ConfigError, match=f"{option} must be True or False"):
        read(content(), **{option: value})


@pytest.mark.parametrize("lacking", ["height", "width"])
def test_one_side_of_a_picture_alone_is_refused(read, lacking):
    assert f"and no {lacking}: give both, or neither" in refused(read, changed("images", **{lacking: ...}))
    assert len(read(changed("images", height=..., width=...))) == 1


@pytest.mark.parametrize("key", ["isCrowd", "is_crowd", "ignore"])
def test_crowds_under_another_name_are_told(read, key):
    with pytest.warns(UserWarning, match=f"'{key}' is set in 2 of 2 and is not read: .*call it 'iscrowd'"):
        read(content(**{key: 1}))
    assert len(read(content(**{key: 0}))) == 1
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        read(changed("annotations", **{key: 1, "iscrowd": 1}))
    assert not any("is not read" in str(warning.message) for warning in seen)
