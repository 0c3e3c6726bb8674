"""KITTI-STEP's layout in miniature: class in red, number of the object in green and blue."""

import numpy as np
import pytest

import oneformer_lite as ofl
from oneformer_lite.errors import DataError

# (red, green, blue): road, a car 1, a car 258, cars without number, a person 1, rider (numbered by mistake), void
COLOURS = [(0, 0, 0), (13, 0, 1), (13, 1, 2), (13, 0, 0), (11, 0, 1), (12, 0, 9), (255, 0, 0)]


def panoptic_map(colours=COLOURS):
    return np.kron(np.array(colours, np.uint8), np.ones((8, 4, 1), np.uint8))


@pytest.fixture
def raw(tmp_path, save, photograph):
    folder = tmp_path / "raw"
    for number, place in enumerate(("train/0000/000000", "train/0000/000001", "train/0011/000000", "val/0002/000000")):
        save(folder / f"panoptic_maps/{place}.png", panoptic_map())
        photograph(folder / f"images/{place}.png", (8, 28), number)
    photograph(folder / "images/test/0001/000000.png")
    return folder


def test_objects_crowds_and_stuff(raw, convert):
    out, counts = convert("kitti-step")
    assert counts == {"train": 3, "val": 1}
    data = ofl.data.open(out, "train")
    assert data.picture_names == ["0000_000000.png", "0000_000001.png", "0011_000000.png"]
    assert [c.name for c in data.categories if c.is_thing] == ["person", "car"] and len(data.categories) == 19
    sample = data[1]
    found = {(s.id % 65536, sample.categories[s.class_id].name, s.is_crowd) for s in sample.segments}
    assert found == {
        (0, "road", False), (1, "car", False), (258, "car", False), (0, "car", True), (1, "person", False),
        (0, "rider", False),
    }  # fmt: skip
    assert (sample.segment_map[:, 24:] == 0).all() and sample.segment_map[:, :24].all()


def test_an_object_keeps_its_id_through_a_sequence(raw, convert, save):
    save(raw / "panoptic_maps/train/0000/000001.png", panoptic_map(COLOURS[::-1]))
    data = ofl.data.open(convert("kitti-step")[0], "train")
    assert data[0].segment_map[0, 8] == data[1].segment_map[0, 16] == 14 * 65536 + 258


@pytest.mark.parametrize(
    "place, pixels, expected",
    [
        ("panoptic_maps", np.zeros((8, 28), np.uint8), "mode 'L', expected three colours"),
        ("panoptic_maps", panoptic_map([(19, 0, 0), *COLOURS[1:]]), "has 32 pixels of the values 19, which are no cl"),
        ("panoptic_maps", panoptic_map(COLOURS[1:]), "use pictures and annotations of the same release"),
        ("images", np.zeros((28, 8, 3), np.uint8), "use pictures and annotations of the same release"),
    ],
    ids=["grey", "unknown class", "map of another size", "picture of another size"],
)
def test_something_else_is_refused_by_name(raw, convert, save, place, pixels, expected):
    save(raw / place / "val/0002/000000.png", pixels)
    with pytest.raises(DataError, match=expected) as refused:
        convert("kitti-step")
    assert "val/0002/000000.png" in str(refused.value) and not (raw.parent / "out").exists()


def test_without_sequences(raw, convert):
    (raw / "panoptic_maps/val").rename(raw / "panoptic_maps/validation")
    with pytest.raises(DataError, match="val does not exist .*holds 'train', 'validation'.*folder of the sequences"):
        convert("kitti-step")


def test_maps_without_the_folders_of_sequences(raw, convert):
    for path in (raw / "panoptic_maps/val/0002").iterdir():
        path.rename(raw / "panoptic_maps/val" / path.name)
    (raw / "panoptic_maps/val/0002").rmdir()
    with pytest.raises(DataError, match="val holds '000000.png': expected a folder of PNGs for each sequence"):
        convert("kitti-step")


def test_pictures_in_one_folder_as_kitti_tracking_has_them(raw, convert):
    (raw / "images").rename(raw / "training")
    with pytest.raises(DataError, match="0000 does not exist.*expected the folder of the pictures"):
        convert("kitti-step")
