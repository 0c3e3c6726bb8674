"""CamVid's three layouts in miniature, and its real pictures where they are on disk."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oneformer_lite as ofl
from oneformer_lite.data.classes import class_list
from oneformer_lite.data.converting.camvid import COLOURS, split_of
from oneformer_lite.errors import DataError

REAL = Path(__file__).parents[4] / "shared/data/camvid"
SPLITS = ("train", "val", "test")
NAMES = {"train": "0006R0_f00930", "val": "0016E5_07959", "test": "Seq05VD_f00000"}
IDS = np.kron(np.arange(12), np.ones((6, 3), int)).astype(np.uint8)


def coloured(ids):
    """The first colour of each class, black for void (11 or 255)."""
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(COLOURS)] = [colors[0] for colors in COLOURS.values()]
    return palette[ids]


def segnet(folder, save, photograph):
    for split in SPLITS:
        save(folder / f"{split}annot/{NAMES[split]}.png", IDS)
        photograph(folder / f"{split}/{NAMES[split]}.png", IDS.shape)


def kaggle(folder, save, photograph):
    for split in SPLITS:
        save(folder / f"{split}_labels/{NAMES[split]}_L.png", coloured(IDS))
        photograph(folder / f"{split}/{NAMES[split]}.png", IDS.shape)


def authors(folder, save, photograph):
    for name in NAMES.values():
        save(folder / f"LabeledApproved_full/{name}_L.png", coloured(IDS))
        photograph(folder / f"701_StillsRaw_full/{name}.png", IDS.shape)


LAYOUTS = {"segnet": segnet, "kaggle": kaggle, "authors": authors}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_gives_the_same(layout, tmp_path, save, photograph, convert):
    LAYOUTS[layout](tmp_path / "raw", save, photograph)
    out, counts = convert("camvid")
    assert counts == dict.fromkeys(SPLITS, 1)
    for split in SPLITS:
        data = ofl.data.open(out, split)
        assert data.picture_names == [f"{NAMES[split]}.png"] and data.tasks == ("semantic",)
        assert [c.name for c in data.categories] == [c.name for c in class_list("camvid")]
        assert (data[0].segment_map == np.where(IDS == 11, 0, IDS + 1)).all()
        assert (np.asarray(Image.open(data.paths(0)[1])) == np.where(IDS == 11, 255, IDS)).all()


def test_all_32_colours_are_told_apart_and_joined_as_published():
    colors = [color for group in COLOURS.values() for color in group]
    assert list(COLOURS) == [category.name for category in class_list("camvid")]
    assert len(set(colors)) == len(colors) == 31
    assert {channel for color in colors for channel in color} <= {0, 64, 128, 192}


def test_few_stray_pixels_are_void_and_counted_and_many_refused(tmp_path, save, photograph, convert):
    authors(tmp_path / "raw", save, photograph)
    path = tmp_path / f"raw/LabeledApproved_full/{NAMES['val']}_L.png"
    strayed = coloured(IDS)
    strayed[2, 4:6] = (1, 2, 3)
    save(path, strayed)
    with pytest.warns(UserWarning, match=r"^pixels of colours that CamVid does not have \(void\): 2$"):
        out, _ = convert("camvid")
    sample = ofl.data.open(out, "val")[0]
    assert (sample.segment_map[2, 4:6] == 0).all() and (sample.segment_map == 0).sum() == 18 + 2
    strayed[3, 4:7] = (9, 9, 9)
    save(path, strayed)
    with pytest.raises(DataError, match=r"has 5 pixels of the values \(9, 9, 9\), \(1, 2, 3\), which are no colo"):
        ofl.data.convert_data("camvid", tmp_path / "raw", tmp_path / "again", workers=1)


@pytest.mark.parametrize(
    "layout, name, pixels, expected",
    [
        (segnet, f"testannot/{NAMES['test']}.png", IDS + np.uint8(1), "has 18 pixels of the values 12, which are no"),
        (segnet, f"testannot/{NAMES['test']}.png", coloured(IDS), "a label map has one, of class ids"),
        (authors, f"LabeledApproved_full/{NAMES['test']}_L.png", IDS, "mode 'L', expected colours"),
        (kaggle, f"test_labels/{NAMES['test']}_L.png", coloured(IDS.T), "use pictures and annotations of the same"),
        (authors, "701_StillsRaw_full/0016E6_00001.png", IDS, "is not called like one of CamVid's 701"),
    ],
    ids=["ids from 1", "colours for ids", "ids for colours", "another size", "another name"],
)
def test_something_else_is_refused(layout, name, pixels, expected, tmp_path, save, photograph, convert):
    layout(tmp_path / "raw", save, photograph)
    save(tmp_path / "raw" / name, pixels)
    if "0016E6" in name:
        save(tmp_path / "raw/LabeledApproved_full/0016E6_00001_L.png", coloured(IDS))
    with pytest.raises(DataError, match=expected):
        convert("camvid")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def real():
    if not REAL.is_dir():
        pytest.skip(f"{REAL} is absent: CamVid's real pictures are not committed")
    return REAL


def test_the_split_by_name_is_the_published_one(real):
    names = {split: sorted((real / "images" / split).iterdir()) for split in SPLITS}
    assert [len(paths) for paths in names.values()] == [367, 101, 233]
    assert all(split_of(path) == split for split, paths in names.items() for path in paths)


def test_real_maps_come_back(real, tmp_path, save, convert):
    for split in SPLITS:
        path = sorted((real / "labels" / split).iterdir())[50]
        picture = tmp_path / f"raw/701_StillsRaw_full/{path.stem}.jpg"
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.symlink_to(real / f"images/{split}/{path.stem}.jpg")
        save(tmp_path / f"raw/LabeledApproved_full/{path.stem}_L.png", coloured(np.asarray(Image.open(path))))
    out, counts = convert("camvid")
    assert counts == dict.fromkeys(SPLITS, 1)
    for split in SPLITS:
        found = ofl.data.open(out, split)
        names = [category.name for category in found.categories]
        source = ofl.data.SemanticDataset(real / "images" / split, real / "labels" / split, names)[50]
        assert source.file_name == found[0].file_name
        assert (found[0].segment_map == source.segment_map).all() and (found[0].image == source.image).all()
