"""Panoptic PNGs that are not those of their file: told by the boxes and areas of the segments."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

import oneformer_lite as ofl
from oneformer_lite.data import PanopticDataset, panoptic
from oneformer_lite.data.segment_boxes import other_areas, told_areas


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    scenes = [ofl.data.Toytown("val", 64)[i] for i in range(6)]
    ofl.data.write_panoptic(tmp_path / "pictures", tmp_path / "a.json", tmp_path / "pngs", scenes)
    return tmp_path


def opened(folder: Path) -> PanopticDataset:
    return PanopticDataset(folder / "pictures", folder / "a.json", folder / "pngs")


def change(folder: Path, each) -> None:
    content = json.loads((folder / "a.json").read_text())
    each(content)
    (folder / "a.json").write_text(json.dumps(content))


def exchange_ids(content: dict) -> None:
    for annotation in content["annotations"]:
        first, *_, last = annotation["segments_info"]
        first["id"], last["id"] = last["id"], first["id"]


def exchange_files(content: dict) -> None:
    """Of two pictures whose segments have the same numbers."""
    a, b = content["annotations"][:2]
    shared = min(len(a["segments_info"]), len(b["segments_info"]))
    a["segments_info"], b["segments_info"] = b["segments_info"][:shared], a["segments_info"][:shared]


def without_areas(content: dict) -> None:
    exchange_ids(content)
    for annotation in content["annotations"]:
        for row in annotation["segments_info"]:
            del row["area"]


@pytest.mark.parametrize("each", [exchange_ids, exchange_files, without_areas])
def test_segments_of_others_are_told(folder, each):
    change(folder, each)
    with pytest.warns(UserWarning, match=r"boxes or areas \(bbox, area\) of \d+ of \d+ segments looked at do not fit"):
        opened(folder)


def test_mirrored_maps_are_told(folder):
    for path in (folder / "pngs").iterdir():
        ImageOps.mirror(Image.open(path)).save(path)
    with pytest.warns(UserWarning, match="were PNGs mirrored"):
        opened(folder)


def corners(row: dict) -> None:
    x, y, width, height = row["bbox"]
    row["bbox"] = [x, y, x + width, y + height]


@pytest.mark.parametrize(
    "edit", [lambda row: None, lambda row: row.pop("bbox"), lambda row: row.update(area=0), corners]
)
def test_right_files_and_other_conventions_are_read_in_silence(folder, edit):
    change(folder, lambda c: [edit(row) for a in c["annotations"] for row in a["segments_info"]])
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        opened(folder)


def test_a_file_without_things_is_odd(folder):
    change(folder, lambda c: [row.update(isthing=0) for row in c["categories"]])
    with pytest.warns(UserWarning, match="no category is a thing"):
        opened(folder)


@pytest.mark.parametrize("each", [exchange_ids, exchange_files])
def test_pictures_that_are_not_looked_at_when_it_is_opened_are_compared_when_they_are_read(folder, monkeypatch, each):
    monkeypatch.setattr(panoptic, "LOOKED_AT", 1)

    def of_the_others(content: dict) -> None:
        others = {"annotations": content["annotations"][1:]}
        each(others)

    change(folder, of_the_others)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        dataset = opened(folder)
        dataset[0]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for index in range(len(dataset)):
            try:
                dataset[index]
            except ofl.errors.DataError:  # other ids than the PNG's, which is refused
                assert each is exchange_files
    assert len([w for w in said if "segments have far more or fewer pixels than" in str(w.message)]) == 1


def test_areas_by_hand():
    told = told_areas([{"area": 100}, {"area": 40.5}, {"area": "3"}, {}, {"area": 9}, {"area": float("inf")}])
    things = np.zeros(6, bool)
    assert told.tolist() == [100, 40.5, 0, 0, 9, 0]
    assert not other_areas([100, 40, 7, 7, 1, 7], told, things)
    assert not other_areas([300, 40, 7, 7, 1, 7], told, things)  # one alone
    assert not other_areas([149, 28, 7, 7, 1, 7], told, things)
    assert other_areas([151, 26, 7, 7, 1, 7], told, things)
    assert not other_areas([6, 2, 7, 7, 1, 7], told, ~things)  # of stuff, things may hide as much as they like
    assert other_areas([6, 66, 7, 7, 1, 7], told, ~things)  # but nothing makes it larger
    assert not other_areas([0, 0, 0, 0, 0, 0], told, things)  # not seen, which is told elsewhere


def test_stuff_that_things_hide_in_part_is_fine(folder):
    """Box and area as ADE20K's official preparation writes them, of all that the author saw behind the things."""

    def whole_picture(content: dict) -> None:
        stuff = {category["id"] for category in content["categories"] if not category["isthing"]}
        rows = [row for annotation in content["annotations"] for row in annotation["segments_info"]]
        for row in (row for row in rows if row["category_id"] in stuff):
            row.update(bbox=[0, 0, 64, 64], area=64 * 64)

    change(folder, whole_picture)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        dataset = opened(folder)
        assert len([dataset[index] for index in range(len(dataset))]) == 6


def test_stuff_in_several_segments_is_odd(folder):
    """As where isthing is exchanged: all but one of them are missed, however good a model is."""
    scenes = [ofl.data.Toytown("val", 64, crowded=True)[i] for i in range(4)]
    ofl.data.write_panoptic(folder / "pictures", folder / "a.json", folder / "pngs", scenes)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        opened(folder)
    change(folder, lambda c: [row.update(isthing=1 - row["isthing"]) for row in c["categories"]])
    with pytest.warns(UserWarning, match=r"several segments of one class in a picture \(\d+ of \d+ times: .*isthing"):
        opened(folder)
    change(folder, lambda c: [row.update(iscrowd=1) for a in c["annotations"] for row in a["segments_info"][1:]])
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        opened(folder)
