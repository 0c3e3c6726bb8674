"""COCO's panoptic format: ids in colours, reading, writing, and what is said about bad files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oneformer_lite.data.image import read_image
from oneformer_lite.data.panoptic import PanopticDataset, save_sample, write_panoptic
from oneformer_lite.data.sample import TASKS, Category, Sample, SegmentInfo
from oneformer_lite.data.segment_ids import decode_ids, encode_ids, present_ids
from oneformer_lite.errors import DataError

CATEGORIES = (Category(7, "car", True, (0, 0, 142)), Category(3, "sky", False, (70, 130, 180)))


def make_sample(image_id: int = 1, file_name: str = "") -> Sample:
    """6 x 8: sky (id 300) above void, two cars (5 and a crowd 70000) in it."""
    segment_map = np.zeros((6, 8), np.int32)
    segment_map[:4] = 300
    segment_map[2:5, 1:3] = 5
    segment_map[1:3, 4:8] = 70000
    image = np.random.default_rng(image_id).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    segments = (SegmentInfo(300, 1), SegmentInfo(5, 0), SegmentInfo(70000, 0, is_crowd=True))
    return Sample(image, segment_map, segments, CATEGORIES, image_id, file_name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set of two samples on disk: images/, panoptic/ and panoptic.json."""
    write(tmp_path, [make_sample(1), make_sample(2, "street.jpg")])
    return tmp_path


def write(folder: Path, samples: list[Sample]) -> None:
    write_panoptic(folder / "images", folder / "panoptic.json", folder / "panoptic", samples)


def read(folder: Path) -> PanopticDataset:
    return PanopticDataset(
        str(folder / "images"), folder / "panoptic.json", folder / "panoptic"
    )


def edit_json(folder: Path, change) -> None:
    content = json.loads((folder / "panoptic.json").read_text())
    change(content)
    (folder / "panoptic.json").write_text(json.dumps(content))


# ---------------------------------------------------------------------------------------- ids


def test_ids_as_colours_by_hand():
    segment_map = np.array([[0, 255, 256, 65536, 16777215, 3226956]], np.int32)
    colours = [[0, 0, 0], [255, 0, 0], [0, 1, 0], [0, 0, 1], [255, 255, 255], [76, 61, 49]]
    assert encode_ids(segment_map).tolist() == [colours]
    assert decode_ids(np.array([colours], np.uint8)).tolist() == segment_map.tolist()
    assert decode_ids(np.array([colours], np.uint8)).dtype == np.int32


@pytest.mark.parametrize("bad", [-1, 256**3])
def test_ids_that_fit_no_png_are_refused(bad):
    with pytest.raises(DataError, match=str(bad)):
        encode_ids(np.array([[bad, 1]], np.int32))


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (1, 7), (9, 1), (13, 17)])
def test_present_ids_agrees_with_unique(shape):
    segment_map = np.random.default_rng(0).integers(0, 6, shape).astype(np.int32)
    assert present_ids(segment_map).tolist() == [i for i in np.unique(segment_map) if i]


# ------------------------------------------------------------------------------- round trip


def test_written_samples_read_back_identically(folder):
    dataset = read(folder)
    assert len(dataset) == 2 and dataset.image_ids == [1, 2] and dataset.tasks == TASKS
    assert dataset.categories == CATEGORIES
    for index, sample in enumerate([make_sample(1), make_sample(2)]):
        came = dataset[index]
        np.testing.assert_array_equal(came.segment_map, sample.segment_map)
        assert came.segments == sample.segments and came.image_id == sample.image_id
        assert came.image.shape == (6, 8, 3) and came.image.dtype == np.uint8
    assert [s.file_name for s in dataset] == ["000000000001.jpg", "street.jpg"]
    np.testing.assert_array_equal(dataset[-1].segment_map, dataset[1].segment_map)
    with pytest.raises(IndexError):
        dataset[2]


def test_json_has_cocos_layout_with_areas_and_boxes_by_hand(folder):
    content = json.loads((folder / "panoptic.json").read_text())
    assert content["images"][0] == {
        "id": 1, "file_name": "000000000001.jpg", "height": 6, "width": 8
    }  # fmt: skip
    annotation = content["annotations"][0]
    assert (annotation["image_id"], annotation["file_name"]) == (1, "000000000001.png")
    assert annotation["segments_info"] == [
        {"id": 300, "category_id": 3, "area": 20, "bbox": [0, 0, 8, 4], "iscrowd": 0},
        {"id": 5, "category_id": 7, "area": 6, "bbox": [1, 2, 2, 3], "iscrowd": 0},
        {"id": 70000, "category_id": 7, "area": 8, "bbox": [4, 1, 4, 2], "iscrowd": 1},
    ]
    assert content["categories"][1] == {
        "id": 3, "name": "sky", "isthing": 0, "color": [70, 130, 180], "supercategory": "stuff"
    }  # fmt: skip


def test_image_without_any_segment_is_legal(tmp_path):
    empty = make_sample().replace(segment_map=np.zeros((6, 8), np.int32), segments=())
    write(tmp_path, [empty, make_sample(2)])
    assert read(tmp_path)[0].segments == ()
    assert len(read(tmp_path)[1].segments) == 3


def test_images_without_annotation_are_skipped(folder):
    edit_json(folder, lambda content: content["annotations"].pop(0))
    assert read(folder).image_ids == [2]
    np.testing.assert_array_equal(read(folder)[0].segment_map, make_sample().segment_map)


def test_categories_without_colours_get_distinct_ones(folder):
    edit_json(folder, lambda content: [c.pop("color") for c in content["categories"]])
    first, second = read(folder).categories
    assert first.color != second.color


# -------------------------------------------------------------------------------- real COCO


@pytest.fixture(scope="module", params=["train2017", "val2017"])
def coco(request, coco_sample) -> PanopticDataset:
    annotations = coco_sample / "annotations"
    name = f"panoptic_{request.param}"
    return PanopticDataset(
        coco_sample / request.param, annotations / f"{name}.json", annotations / name
    )


def test_coco_is_read_completely(coco):
    samples = list(coco)
    assert len(samples) == {"train2017": 100, "val2017": 20}[coco.image_dir.name]
    assert any(s.is_crowd for sample in samples for s in sample.segments)
    assert any((sample.segment_map == 0).any() for sample in samples)
    entries = {a["image_id"]: a for a in json.loads(coco.json_path.read_text())["annotations"]}
    for sample in samples:
        listed = entries[sample.image_id]["segments_info"]
        assert [(s.id, s.is_crowd) for s in sample.segments] == [
            (entry["id"], bool(entry["iscrowd"])) for entry in listed
        ]
        assert [sample.categories[s.class_id].id for s in sample.segments] == [
            entry["category_id"] for entry in listed
        ]


def test_coco_lists_80_things_then_53_stuff_classes_in_the_order_of_their_ids(coco):
    assert [c.is_thing for c in coco.categories] == [True] * 80 + [False] * 53
    ids = [c.id for c in coco.categories]
    assert ids == sorted(ids) and (ids[0], ids[79], ids[80], ids[132]) == (1, 90, 92, 200)
    assert coco.categories[0].name == "person"
    assert len({c.color for c in coco.categories}) == 133


def test_coco_written_again_is_the_same_with_the_official_areas_and_boxes(coco, tmp_path):
    indices = range(12)
    write(tmp_path, [coco[i] for i in indices])
    again = read(tmp_path)
    assert again.categories == coco.categories
    for i in indices:
        np.testing.assert_array_equal(again[i].segment_map, coco[i].segment_map)
        assert (again[i].segments, again[i].file_name) == (coco[i].segments, coco[i].file_name)
    official = json.loads(coco.json_path.read_text())
    written = json.loads((tmp_path / "panoptic.json").read_text())
    assert written["annotations"] == official["annotations"][:12]
    sizes = {image["id"]: (image["height"], image["width"]) for image in official["images"]}
    assert all(sizes[i["id"]] == (i["height"], i["width"]) for i in written["images"])


# --------------------------------------------------------------------------------- pictures


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1", "RGB"])
def test_every_kind_of_picture_becomes_rgb(tmp_path, mode):
    grey = np.tile(np.array([[0], [255]], np.uint8), (4, 8))
    path = tmp_path / ("x.tif" if mode == "CMYK" else "x.png")
    Image.fromarray(grey).convert("RGB").convert(mode).save(path)
    expected = np.repeat(grey[..., None], 3, axis=2)
    np.testing.assert_array_equal(read_image(path), expected)


def test_16_bit_grey_is_scaled_not_clipped(tmp_path):
    Image.fromarray(np.array([[0, 256, 32768, 65535]], np.uint16)).save(tmp_path / "x.png")
    assert read_image(tmp_path / "x.png")[0, :, 0].tolist() == [0, 1, 128, 255]


def test_exif_orientation_is_left_alone(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn me by 90 degrees"
    Image.new("RGB", (8, 6)).save(tmp_path / "x.jpg", exif=exif)
    assert read_image(tmp_path / "x.jpg").shape == (6, 8, 3)


# -------------------------------------------------------------------------------- bad input


def assert_names(error: pytest.ExceptionInfo, *parts: object) -> None:
    message = str(error.value)
    for part in parts:
        assert str(part) in message, f"{part} is not named in: {message}"


@pytest.mark.parametrize("which", ["images/street.jpg", "panoptic/street.png"])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut short", "text"])
def test_bad_pictures_are_named(folder, which, damage):
    path = folder / which
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
        read(folder)[1]
    assert_names(error, path, expected[damage])
    assert len(read(folder)[0].segments) == 3


@pytest.mark.parametrize("which", ["images", "panoptic", "panoptic.json"])
def test_missing_folders_and_json_are_named_at_once(folder, which):
    (folder / which).rename(folder / "elsewhere")
    with pytest.raises(DataError) as error:
        read(folder)
    assert_names(error, folder / which)


def test_json_cut_short_is_named(folder):
    path = folder / "panoptic.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(DataError) as error:
        read(folder)
    assert_names(error, path, "not valid JSON")


@pytest.mark.parametrize("key", ["images", "annotations", "categories"])
def test_json_without_a_list_is_named(folder, key):
    edit_json(folder, lambda content: content.pop(key))
    with pytest.raises(DataError) as error:
        read(folder)
    assert_names(error, folder / "panoptic.json", f"lacks {key!r}")


@pytest.mark.parametrize(
    ("place", "key"),
    [
        (lambda c: c["images"][0], "file_name"),
        (lambda c: c["annotations"][0], "segments_info"),
        (lambda c: c["annotations"][0]["segments_info"][0], "category_id"),
        (lambda c: c["categories"][0], "isthing"),
    ],
)
def test_entries_without_a_key_are_named(folder, place, key):
    edit_json(folder, lambda content: place(content).pop(key))
    with pytest.raises(DataError) as error:
        read(folder)
    assert_names(error, folder / "panoptic.json", key)


def test_json_of_another_kind_is_named(folder):
    (folder / "panoptic.json").write_text("[1, 2]")
    with pytest.raises(DataError) as error:
        read(folder)
    assert_names(error, folder / "panoptic.json", "'images'")


def test_annotation_of_an_unlisted_image_is_named(folder):
    edit_json(folder, lambda content: content["annotations"][1].update(image_id=77))
    with pytest.raises(DataError) as error:
        read(folder)
    assert_names(error, folder / "panoptic.json", 77)


def test_unknown_category_is_named(folder):
    def change(content):
        content["annotations"][1]["segments_info"][0]["category_id"] = 991

    edit_json(folder, change)
    with pytest.raises(DataError) as error:
        read(folder)
    assert_names(error, folder / "panoptic.json", 991)


@pytest.mark.parametrize("which", ["images", "categories"])
def test_ids_given_twice_are_refused(folder, which):
    edit_json(folder, lambda content: content[which][1].update(id=content[which][0]["id"]))
    with pytest.raises(DataError, match="share an id") as error:
        read(folder)
    assert_names(error, folder / "panoptic.json")


def test_png_of_another_size_is_named(folder):
    Image.fromarray(np.zeros((5, 8, 3), np.uint8)).save(folder / "images/street.png")
    (folder / "images/street.png").rename(folder / "images/street.jpg")
    with pytest.raises(DataError) as error:
        read(folder)[1]
    assert_names(
        error, folder / "images/street.jpg", folder / "panoptic/street.png", "(5, 8)", "(6, 8)"
    )


def test_png_id_that_is_not_listed_is_named(folder):
    edit_json(folder, lambda c: c["annotations"][1]["segments_info"].pop(2))
    with pytest.raises(DataError) as error:
        read(folder).annotation(1)
    assert_names(error, folder / "panoptic/street.png", "70000 have pixels")


def test_listed_id_without_pixels_is_named(folder):
    def change(content):
        listed = content["annotations"][1]["segments_info"]
        listed.append(dict(listed[0], id=4242))

    edit_json(folder, change)
    with pytest.raises(DataError) as error:
        read(folder)[1]
    assert_names(error, folder / "panoptic/street.png", "4242 are listed")


def test_segment_listed_twice_is_named(folder):
    def change(content):
        listed = content["annotations"][1]["segments_info"]
        listed.append(listed[0])

    edit_json(folder, change)
    with pytest.raises(DataError) as error:
        read(folder)[1]
    assert_names(error, folder / "panoptic.json", "street.png", "300")


def test_grey_png_is_refused(folder):
    Image.fromarray(np.zeros((6, 8), np.uint8)).save(folder / "panoptic/street.png")
    with pytest.raises(DataError) as error:
        read(folder)[1]
    assert_names(error, folder / "panoptic/street.png", "'L'")


# ------------------------------------------------------------------------------ bad writing


def test_map_and_segments_that_disagree_are_not_written(tmp_path):
    sample = make_sample(9)
    with pytest.raises(DataError, match=r"image 9: .* 5 have pixels"):
        save_sample(
            sample.replace(segments=(sample.segments[0], sample.segments[2])),
            tmp_path / "x.jpg",
            tmp_path / "x.png",
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "second", [make_sample(1, "other.jpg"), make_sample(2, "000000000001.jpg")]
)
def test_two_samples_of_one_name_are_refused(tmp_path, second):
    with pytest.raises(DataError, match="comes twice"):
        write(tmp_path, [make_sample(1), second])
    assert not (tmp_path / "panoptic.json").exists()


def test_samples_of_other_classes_and_no_samples_are_refused(tmp_path):
    with pytest.raises(DataError, match="other categories"):
        write(tmp_path, [make_sample(1), make_sample(2).replace(categories=CATEGORIES[::-1])])
    with pytest.raises(DataError, match="no samples"):
        write(tmp_path, [])


def test_overlapping_masks_are_refused(tmp_path):
    sample = make_sample().replace(masks=make_sample().segment_masks())
    with pytest.raises(DataError, match="overlapping"):
        write(tmp_path, [sample])


def test_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "images").write_text("a file where the folder should be")
    with pytest.raises(DataError) as error:
        write(tmp_path, [make_sample()])
    assert_names(error, tmp_path / "images")


def test_json_that_cannot_be_replaced_is_named_and_nothing_is_left(tmp_path):
    (tmp_path / "panoptic.json").mkdir()
    with pytest.raises(DataError) as error:
        write(tmp_path, [make_sample()])
    assert_names(error, tmp_path / "panoptic.json")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["images", "panoptic", "panoptic.json"]


FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from oneformer_lite.data.panoptic import save_panoptic_json, save_sample
from oneformer_lite.data.sample import Sample
from oneformer_lite.errors import DataError

folder = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))  # no file may grow beyond 2000 bytes
image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
sample = Sample(image, np.zeros((64, 64), np.int32), (), ())
for attempt in (
    lambda: save_panoptic_json(folder / "x.json", [{"id": i} for i in range(999)], [], []),
    lambda: save_sample(sample, folder / "x.jpg", folder / "x.png"),
):
    try:
        attempt()
    except DataError as error:
        print(error)
"""


def test_full_disk_gives_a_sentence_and_leaves_no_half_written_file(tmp_path):
    pytest.importorskip("resource", reason="only Unix can limit the size of files")
    (tmp_path / "x.json").write_text("{}")
    run = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    lines = run.stdout.splitlines()
    assert run.returncode == 0 and len(lines) == 2, run.stderr
    assert str(tmp_path / "x.json") in lines[0] and str(tmp_path / "x.jpg") in lines[1]
    assert all("free some space" in line for line in lines)
    assert (tmp_path / "x.json").read_text() == "{}"
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]
