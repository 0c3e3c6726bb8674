"""Bad panoptic files: every message names the culprit."""

from __future__ import annotations

import numpy as np
import pytest
from panoptic_files import edit_json, read
from PIL import Image

from oneformer_lite.errors import DataError


def assert_names(error: pytest.ExceptionInfo, *parts: object) -> None:
    message = str(error.value)
    for part in parts:
        assert str(part) in message, f"{part} is not named in: {message}"


@pytest.mark.parametrize("which", ["images/street.jpg", "panoptic/street.png"])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut short", "text"])
def test_bad_pictures_are_named(panoptic_folder, which, damage):
    path = panoptic_folder / which
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        half = content[: len(content) // 2]
        path.write_bytes({"empty": b"", "cut short": half, "text": b"not a picture" * 9}[damage])
    expected = {
        "missing": "does not exist", "empty": "is empty", "cut short": "cut short",
        "text": "is not a picture",
    }  # fmt: skip
    with pytest.raises(DataError) as error:
        read(panoptic_folder)[1]
    assert_names(error, path, expected[damage])
    assert len(read(panoptic_folder)[0].segments) == 3


@pytest.mark.parametrize(
    ("which", "wrong"),
    [
        ("images", "images does not exist"),
        ("panoptic", "panoptic does not exist"),
        ("panoptic.json", "does not exist"),
    ],
)
def test_missing_folders_and_json_are_named_at_once(panoptic_folder, which, wrong):
    (panoptic_folder / which).rename(panoptic_folder / "elsewhere")
    with pytest.raises(DataError) as error:
        read(panoptic_folder)
    assert_names(error, panoptic_folder / which, wrong)


def test_json_cut_short_is_named(panoptic_folder):
    path = panoptic_folder / "panoptic.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(DataError) as error:
        read(panoptic_folder)
    assert_names(error, path, "not valid JSON")


@pytest.mark.parametrize("key", ["images", "annotations", "categories"])
def test_json_without_a_list_is_named(panoptic_folder, key):
    edit_json(panoptic_folder, lambda content: content.pop(key))
    with pytest.raises(DataError) as error:
        read(panoptic_folder)
    assert_names(error, panoptic_folder / "panoptic.json", f"lacks {key!r}")


@pytest.mark.parametrize(
    ("place", "key"),
    [
        (lambda c: c["images"][0], "file_name"),
        (lambda c: c["annotations"][0], "segments_info"),
        (lambda c: c["annotations"][0]["segments_info"][0], "category_id"),
        (lambda c: c["categories"][0], "isthing"),
    ],
)
def test_entries_without_a_key_are_named(panoptic_folder, place, key):
    edit_json(panoptic_folder, lambda content: place(content).pop(key))
    with pytest.raises(DataError) as error:
        read(panoptic_folder)
    assert_names(error, panoptic_folder / "panoptic.json", key)


@pytest.mark.parametrize("content", ["[1, 2]", "7", '"images annotations categories"'])
def test_json_of_another_kind_is_named(panoptic_folder, content):
    (panoptic_folder / "panoptic.json").write_text(content)
    with pytest.raises(DataError) as error:
        read(panoptic_folder)
    assert_names(error, panoptic_folder / "panoptic.json", "'images'")


def test_annotation_of_an_unlisted_image_is_named(panoptic_folder):
    edit_json(panoptic_folder, lambda content: content["annotations"][1].update(image_id=77))
    with pytest.raises(DataError) as error:
        read(panoptic_folder)
    assert_names(error, panoptic_folder / "panoptic.json", "image ids 77")


def test_unknown_category_is_named(panoptic_folder):
    def change(content):
        content["annotations"][1]["segments_info"][0]["category_id"] = 991

    edit_json(panoptic_folder, change)
    with pytest.raises(DataError) as error:
        read(panoptic_folder)
    assert_names(error, panoptic_folder / "panoptic.json", "category ids 991")


@pytest.mark.parametrize("which", ["images", "categories"])
def test_ids_given_twice_are_refused(panoptic_folder, which):
    edit_json(panoptic_folder, lambda content: content[which][1].update(id=content[which][0]["id"]))
    with pytest.raises(DataError, match="share an id") as error:
        read(panoptic_folder)
    assert_names(error, panoptic_folder / "panoptic.json")


def test_png_of_another_size_is_named(panoptic_folder):
    Image.fromarray(np.zeros((5, 8, 3), np.uint8)).save(panoptic_folder / "images/street.png")
    (panoptic_folder / "images/street.png").rename(panoptic_folder / "images/street.jpg")
    with pytest.raises(DataError) as error:
        read(panoptic_folder)[1]
    paths = panoptic_folder / "images/street.jpg", panoptic_folder / "panoptic/street.png"
    assert_names(error, *paths, "(5, 8)", "(6, 8)")


def test_png_id_that_is_not_listed_is_named(panoptic_folder):
    edit_json(panoptic_folder, lambda c: c["annotations"][1]["segments_info"].pop(2))
    with pytest.raises(DataError) as error:
        read(panoptic_folder).annotation(1)
    assert_names(error, panoptic_folder / "panoptic/street.png", "70000 have pixels")


def listing_unseen(content: dict) -> None:
    for annotation in content["annotations"]:
        listed = annotation["segments_info"]
        listed.append(dict(listed[1], id=4242))  # a car; stuff may lie wholly under things
        listed.append(dict(listed[0], id=4343))


def test_listed_ids_without_pixels_are_left_out_and_said_once(panoptic_folder):
    whole = read(panoptic_folder)
    edit_json(panoptic_folder, listing_unseen)
    dataset = read(panoptic_folder)
    with pytest.warns(UserWarning) as said:
        samples = list(dataset)
    assert [s.segments for s in samples] == [s.segments for s in whole]
    (warning,) = said
    paths = panoptic_folder / "panoptic/000000000001.png", panoptic_folder / "panoptic.json"
    for part in (*paths, "segments 4242 are listed"):
        assert str(part) in str(warning.message)
    assert dataset.left_out == {"pictures with segments that have no pixel": 2}
    assert [dataset[index].segments for index in (0, 1, -1)] and len(list(dataset)) == 2  # further epochs
    assert dataset.left_out == {"pictures with segments that have no pixel": 2}


def test_a_png_without_any_listed_segment_is_of_another_picture(panoptic_folder):
    Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(panoptic_folder / "panoptic/street.png")
    with pytest.raises(DataError) as error:
        read(panoptic_folder)[1]
    assert_names(error, panoptic_folder / "panoptic/street.png", "5, 300, 70000 are listed but have no pixel")


def test_segment_listed_twice_is_named(panoptic_folder):
    def change(content):
        listed = content["annotations"][1]["segments_info"]
        listed.append(listed[0])

    edit_json(panoptic_folder, change)
    with pytest.raises(DataError) as error:
        read(panoptic_folder)[1]
    assert_names(error, panoptic_folder / "panoptic.json", "street.png", "300")


def test_grey_png_is_refused(panoptic_folder):
    Image.fromarray(np.zeros((6, 8), np.uint8)).save(panoptic_folder / "panoptic/street.png")
    with pytest.raises(DataError) as error:
        read(panoptic_folder)[1]
    assert_names(error, panoptic_folder / "panoptic/street.png", "'L'")
