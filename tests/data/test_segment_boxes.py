"""Panoptic PNGs that are not those of their file: told by the boxes and areas of the segments."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
from PIL import Image, ImageOps

import oneformer_lite as ofl
from oneformer_lite.data import PanopticDataset


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
