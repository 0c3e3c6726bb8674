"""Label maps: pairing by name, void, and what is said about bad files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oneformer_lite.data.sample import SegmentInfo
from oneformer_lite.data.semantic import SemanticDataset
from oneformer_lite.errors import DataError

NAMES = ("road", "sky", "car")
LABELS = np.array([[1, 1, 255, 1], [0, 0, 0, 255]], np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    for name in ("b.jpg", "a.png", "unlabelled.jpg"):
        Image.new("RGB", (4, 2), "red").save(tmp_path / "images" / name)
    (tmp_path / "images" / "a.txt").write_text("a caption")
    save(tmp_path, "a", LABELS)
    save(tmp_path, "b", np.full((2, 4), 255, np.uint8))
    return tmp_path


def save(folder: Path, stem: str, labels: np.ndarray) -> None:
    Image.fromarray(labels).save(folder / "labels" / f"{stem}.png")


def read(folder: Path, **options) -> SemanticDataset:
    return SemanticDataset(folder / "images", str(folder / "labels"), NAMES, **options)


def test_each_class_present_is_one_segment(folder):
    dataset = read(folder)
    sample = dataset[0]
    assert sample.segment_map.tolist() == [[2, 2, 0, 2], [1, 1, 1, 0]]
    assert sample.segment_map.dtype == np.int32
    assert sample.segments == (SegmentInfo(1, 0), SegmentInfo(2, 1))
    assert sample.image[0, 0].tolist() == [255, 0, 0] and sample.file_name == "a.png"
    assert sample.tasks == dataset.tasks == ("semantic",)
    assert [(c.id, c.name, c.is_thing) for c in dataset.categories] == [
        (0, "road", False), (1, "sky", False), (2, "car", False)
    ]  # fmt: skip


def test_pairs_are_sorted_and_pictures_without_label_map_skipped(folder):
    dataset = read(folder)
    assert [s.file_name for s in dataset] == ["a.png", "b.jpg"] and len(dataset) == 2
    assert dataset.image_ids == [0, 1] == [s.image_id for s in dataset]


def test_the_order_is_that_of_the_names_not_of_the_disk(folder):
    for number in (7, 2, 9, 0, 5, 8, 1, 6, 3, 4):
        Image.new("RGB", (4, 2)).save(folder / "images" / f"n{number}.jpg")
        save(folder, f"n{number}", LABELS)
    names = [s.file_name for s in read(folder)]
    assert names == ["a.png", "b.jpg", *(f"n{number}.jpg" for number in range(10))]


def test_a_picture_that_is_all_void_has_no_segment(folder):
    assert read(folder)[1].segments == () and not read(folder)[1].segment_map.any()


def test_another_ignore_index(folder):
    save(folder, "a", np.where(LABELS == 255, 0, LABELS + 1).astype(np.uint8))
    assert read(folder, ignore_index=0)[0].segment_map.tolist() == [[3, 3, 0, 3], [2, 2, 2, 0]]


def test_things_are_those_named(folder):
    categories = read(folder, is_thing=[False, False, True]).categories
    assert [c.is_thing for c in categories] == [False, False, True]
    with pytest.raises(DataError, match="2 entries for 3"):
        read(folder, is_thing=[False, True])


def test_a_palette_counts_by_index_and_16_bits_are_read(folder):
    picture = Image.fromarray(LABELS)
    picture.putpalette(np.random.default_rng(0).integers(0, 256, 768, dtype=np.uint8).tobytes())
    assert picture.mode == "P"
    picture.save(folder / "labels" / "a.png")
    save(folder, "b", LABELS.astype(np.uint16))
    first, second = read(folder)
    np.testing.assert_array_equal(first.segment_map, second.segment_map)
    assert first.segment_map.tolist() == [[2, 2, 0, 2], [1, 1, 1, 0]]


def test_unknown_values_are_named(folder):
    save(folder, "b", np.array([[0, 3, 300, 255]] * 2, np.uint16))
    with pytest.raises(DataError) as error:
        read(folder)[1]
    assert str(folder / "labels" / "b.png") in str(error.value) and "[3, 300]" in str(error.value)


def test_a_coloured_map_is_refused(folder):
    save(folder, "b", np.zeros((2, 4, 3), np.uint8))
    with pytest.raises(DataError, match="3 channels RGB") as error:
        read(folder)[1]
    assert str(folder / "labels" / "b.png") in str(error.value)


def test_a_map_of_another_size_is_named(folder):
    save(folder, "b", np.zeros((3, 4), np.uint8))
    with pytest.raises(DataError, match=r"\(3, 4\).*\(2, 4\)") as error:
        read(folder)[1]
    assert str(folder / "labels" / "b.png") in str(error.value)


def test_a_map_without_picture_is_named(folder):
    save(folder, "c", LABELS)
    with pytest.raises(DataError, match="c.png") as error:
        read(folder)
    assert str(folder / "labels") in str(error.value)


def test_two_pictures_of_one_name_are_refused(folder):
    Image.new("RGB", (4, 2)).save(folder / "images" / "a.jpg")
    with pytest.raises(DataError, match="same name") as error:
        read(folder)
    assert str(folder / "images" / "a.jpg") in str(error.value)


def test_no_maps_and_no_folder(folder):
    for path in (folder / "labels").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="got none"):
        read(folder)
    (folder / "labels").rmdir()
    with pytest.raises(DataError) as error:
        read(folder)
    assert str(folder / "labels") in str(error.value)


def test_a_damaged_map_is_named(folder):
    (folder / "labels" / "b.png").write_bytes(b"")
    with pytest.raises(DataError, match="is empty") as error:
        read(folder).annotation(1)
    assert str(folder / "labels" / "b.png") in str(error.value)
