"""Cityscapes' archives in miniature. The expected figures were computed by cityscapesscripts 2.3.0 itself
(``python -m cityscapesscripts.preparation.createPanopticImgs``) from the same maps."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from oneformer_lite.cli import main
from oneformer_lite.data.classes import class_list
from oneformer_lite.data.opening import open as open_split
from oneformer_lite.data.published.cityscapes import LABELS, PICTURES, convert_one, panoptic, prepare_cityscapes
from oneformer_lite.data.segment_ids import encode_ids
from oneformer_lite.errors import DataError

VALUES = [0, 1, 4, 7, 11, 23, 26, 33, 9, 24003, 26000, 26001, 29001, 33002, 31000, 17, 5]
# id, category_id, area, bbox, iscrowd as in cityscapes_panoptic_train.json
AACHEN = [
    (7, 7, 16, (4, 0, 4, 4), 0), (11, 11, 16, (8, 0, 4, 4), 0), (17, 17, 16, (12, 8, 4, 4), 0),
    (23, 23, 16, (12, 0, 4, 4), 0), (26, 26, 16, (16, 0, 4, 4), 1), (33, 33, 12, (0, 4, 4, 4), 1),
    (24003, 24, 8, (8, 4, 4, 4), 0), (26000, 26, 8, (12, 4, 4, 4), 0), (26001, 26, 44, (2, 4, 18, 4), 0),
    (31000, 31, 16, (8, 8, 4, 4), 0), (33002, 33, 16, (4, 8, 4, 4), 0),
]  # fmt: skip
ULM = [
    (7, 7, 16, (16, 0, 4, 4), 0), (11, 11, 12, (0, 4, 4, 4), 0), (23, 23, 8, (4, 4, 4, 4), 0),
    (26, 26, 8, (8, 4, 4, 4), 1), (33, 33, 8, (12, 4, 4, 4), 1), (24003, 24, 16, (0, 8, 4, 4), 0),
    (26000, 26, 16, (4, 8, 4, 4), 0), (26001, 26, 48, (2, 5, 16, 7), 0), (33002, 33, 16, (16, 8, 4, 4), 0),
]  # fmt: skip
COUNTS = {"train": 2, "val": 1}


def instance_ids(seed):
    """uint16 [12, 20]: squares of stuff, things, groups and ignored labels, with a car across them."""
    ids = np.kron(np.roll(VALUES, 3 * seed)[:15].reshape(3, 5), np.ones((4, 4), int))
    ids[5:7, 2:18] = 26001
    return ids.astype(np.uint16)


def png(pixels):
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "png")
    return content.getvalue()


@pytest.fixture
def archives(tmp_path):
    folder = tmp_path / "archives"
    folder.mkdir()
    with zipfile.ZipFile(folder / LABELS, "w") as labels, zipfile.ZipFile(folder / PICTURES, "w") as pictures:
        for city, seed in (("train/ulm", 6), ("train/aachen", 5), ("val/lindau", 3), ("test/bonn", 4)):
            stem = f"{city}/{city.partition('/')[2]}_000000_000019"
            labels.writestr(f"gtFine/{stem}_gtFine_instanceIds.png", png(instance_ids(seed)))
            labels.writestr(f"gtFine/{stem}_gtFine_labelIds.png", png(np.zeros((12, 20), np.uint8)))
            pictures.writestr(f"leftImg8bit/{stem}_leftImg8bit.png", png(np.full((12, 20, 3), 40 * seed, np.uint8)))
        labels.writestr("license.txt", "...")
    return folder


def rows(segments):
    return [(s["id"], s["category_id"], s["area"], tuple(s["bbox"]), s["iscrowd"]) for s in segments]


@pytest.mark.parametrize("seed, expected", [(5, AACHEN), (6, ULM)])
def test_segments_are_the_official_ones(seed, expected):
    ids = instance_ids(seed).astype(np.int32)
    segment_map, segments = panoptic(ids)
    assert rows(segments) == expected
    known = np.isin(ids, [row[0] for row in expected])
    assert np.array_equal(segment_map, np.where(known, ids, 0)) and not known.all()
    assert np.array_equal(encode_ids(segment_map)[..., 1], np.where(known, ids // 256, 0))


def test_both_splits_read_train_and_are_not_done_twice(archives, tmp_path, capsys):
    root = tmp_path / "cityscapes"
    prepare_cityscapes(root, archives, workers=1, counts=COUNTS)
    assert sorted(p.name for p in root.iterdir()) == ["annotations", "train", "val"]
    assert sorted(p.name for p in (root / "annotations").iterdir()) == [
        "panoptic_train", "panoptic_train.json", "panoptic_val", "panoptic_val.json",
    ]  # fmt: skip
    train, val = open_split(root, "train"), open_split(root, "val")
    assert train.categories == class_list("cityscapes") and len(train.categories) == 19
    assert sum(c.is_thing for c in train.categories) == 8
    assert train.image_ids == ["aachen_000000_000019", "ulm_000000_000019"] and len(val) == 1
    sample = train[0]
    assert sample.file_name == "aachen_000000_000019_leftImg8bit.png" and (sample.image == 200).all()
    assert [(s.id, sample.categories[s.class_id].id, s.is_crowd) for s in sample.segments] == [
        (row[0], row[1], bool(row[4])) for row in AACHEN
    ]
    before = (root / "annotations/panoptic_train.json").stat().st_mtime_ns
    for path in archives.iterdir():
        path.unlink()
    prepare_cityscapes(root, archives, counts=COUNTS)
    assert (root / "annotations/panoptic_train.json").stat().st_mtime_ns == before


def test_stopped_in_the_middle_it_goes_on(archives, tmp_path, monkeypatch):
    root = tmp_path / "cityscapes"

    def stop(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("oneformer_lite.data.published.cityscapes.save_panoptic_json", stop)
        prepare_cityscapes(root, archives, workers=1, counts=COUNTS)
    assert (root / "annotations/panoptic_train").exists() and not (root / "annotations/panoptic_train.json").exists()
    prepare_cityscapes(root, archives, workers=1, counts=COUNTS)
    assert len(open_split(root, "train")) == 2 and len(open_split(root, "val")) == 1


def test_several_processes_give_the_same(archives, tmp_path):
    prepare_cityscapes(tmp_path / "one", archives, workers=1, counts=COUNTS)
    prepare_cityscapes(tmp_path / "two", archives, workers=2, counts=COUNTS)
    for path in (tmp_path / "one").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


def test_an_incomplete_archive_is_refused(archives, tmp_path):
    with pytest.raises(DataError, match="leftImg8bit_trainvaltest.zip holds 2 files instead of 2975"):
        prepare_cityscapes(tmp_path / "cityscapes", archives, workers=1)
    assert not (tmp_path / "cityscapes/train").exists()


def test_without_the_archives_the_command_says_what_to_put_where(tmp_path, capsys):
    assert main(["download", "cityscapes", "--root", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    for words in ("cityscapes-dataset.com/register", PICTURES, LABELS, f"put both into {tmp_path}", "command again"):
        assert words in said


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_maps_in_colour_are_refused_by_name(tmp_path, channels):
    path = tmp_path / "a_gtFine_instanceIds.png"
    Image.fromarray(np.zeros((4, 4, channels), np.uint8)).save(path)
    with pytest.raises(DataError, match="a_gtFine_instanceIds.png has the shape .*, expected a grey map of ids"):
        convert_one((path, tmp_path))


def test_a_folder_in_place_of_an_archive(archives, tmp_path):
    (archives / PICTURES).unlink()
    (archives / PICTURES).mkdir()
    with pytest.raises(DataError, match="leftImg8bit_trainvaltest.zip is no file"):
        prepare_cityscapes(tmp_path / "cityscapes", archives, workers=1, counts=COUNTS)
