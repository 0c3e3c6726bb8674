"""KITTI's layout in miniature: instance PNGs of 16 bits, 256 label + number."""

import numpy as np
import pytest
from PIL import Image

import oneformer_lite as ofl
from oneformer_lite.data.classes import class_list
from oneformer_lite.errors import DataError

# road numbered 1 as KITTI does; two cars, a crowd of cars, void labels 0 and 4, a bicycle
VALUES = [7 * 256 + 1, 26 * 256 + 1, 26 * 256 + 2, 26 * 256, 4 * 256, 0, 33 * 256 + 255]


def instance(roll=0):
    return np.kron(np.roll(VALUES, roll), np.ones((12, 4), int)).astype(np.uint16)


@pytest.fixture
def raw(tmp_path, save, photograph):
    training = tmp_path / "raw/training"
    for i in range(6):
        name = f"{i:06d}_10.png"
        save(training / "instance" / name, instance(i))
        save(training / "semantic" / name, (instance(i) // 256).astype(np.uint8))
        photograph(training / "image_2" / name, (12, 28), i)
    photograph(tmp_path / "raw/testing/image_2/000000_10.png")
    return training


def test_segments_classes_and_splits(raw, convert):
    out, counts = convert("kitti")
    assert counts == {"train": 5, "val": 1}
    train, val = ofl.data.open(out, "train"), ofl.data.open(out, "val")
    assert train.picture_names == [f"{i:06d}_10.png" for i in (0, 1, 2, 3, 5)]
    assert val.picture_names == ["000004_10.png"]
    assert train.categories == class_list("cityscapes") and train.tasks == ofl.data.TASKS
    for data, index, roll in ((train, 1, 1), (val, 0, 4)):
        sample, source = data[index], instance(roll)
        found = {(s.id, sample.categories[s.class_id].name, s.is_crowd) for s in sample.segments}
        assert found == {
            (7, "road", False), (26001, "car", False), (26002, "car", False), (26, "car", True),
            (33255, "bicycle", False),
        }  # fmt: skip
        assert (sample.segment_map[source == 26 * 256 + 2] == 26002).all()
        assert (sample.segment_map[np.isin(source, [0, 4 * 256])] == 0).all()
        assert (sample.image == np.asarray(Image.open(raw / "image_2" / sample.file_name))).all()


def test_pictures_are_links_and_the_folder_above_or_below_is_found(raw, convert):
    out, _ = convert("kitti")
    assert (out / "train/000000_10.png").samefile(raw / "image_2/000000_10.png")
    assert [path.name for path in out.parent.iterdir() if path.name.startswith(".")] == []
    raw.parent.rename(raw.parent.with_name("kitti"))
    counts = ofl.data.convert_data("kitti", out.parent, out.parent / "again", workers=1)
    assert counts == {"train": 5, "val": 1}


def test_semantic_pngs_that_disagree_are_counted(raw, convert, save):
    for i in (1, 4):
        save(raw / f"semantic/{i:06d}_10.png", np.full((12, 28), 7, np.uint8))
    with pytest.warns(UserWarning, match="^pictures whose semantic and instance PNGs disagree .*: 2$"):
        convert("kitti")


@pytest.mark.parametrize(
    "place, pixels, expected",
    [
        ("instance", np.zeros((12, 28), np.uint8), "mode 'L', expected a grey PNG of 16 bits"),
        ("instance", np.zeros((12, 28, 3), np.uint8), "mode 'RGB', expected a grey PNG of 16 bits"),
        ("instance", np.full((12, 28), 34 * 256, np.uint16), r"has 336 pixels of the values 34, which are no labels"),
        ("instance", instance()[:, :24], r"instance PNG of its name \(12, 24\)"),
        ("image_2", np.zeros((10, 28, 3), np.uint8), "use pictures and annotations of the same release"),
    ],
    ids=["eight bits", "colours", "unknown label", "another size", "picture of another size"],
)
def test_something_else_is_refused_by_name_and_nothing_is_left(raw, convert, save, place, pixels, expected):
    save(raw / place / "000003_10.png", pixels)
    with pytest.raises(DataError, match=expected) as refused:
        convert("kitti")
    assert "000003_10.png" in str(refused.value)
    assert sorted(path.name for path in raw.parents[1].iterdir()) == ["raw"]


def test_maps_without_pictures_and_pictures_without_maps(raw, convert):
    (raw / "instance/000002_10.png").unlink()
    with pytest.warns(UserWarning, match="1 of 6 pictures in .* have no instance PNG"):
        _, counts = convert("kitti")
    assert counts == {"train": 4, "val": 1}
    (raw / "image_2/000001_10.png").unlink()
    with pytest.raises(DataError, match="000001_10.png' has none"):
        ofl.data.convert_data("kitti", raw.parent, raw.parents[1] / "again", workers=1)


def test_without_pictures_at_all(raw, convert):
    (raw / "image_2").rename(raw / "image_3")
    with pytest.raises(DataError, match=r"image_2 does not exist \(.* holds 'image_3'.*expected the folder of the pic"):
        convert("kitti")
