"""Polygons in another order of points, and holes among them: said when the file is opened."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path

import pytest
from coco_codes import outline
from PIL import Image

from oneformer_lite.data import InstanceDataset

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SQUARE = outline(10, 10, 50, 50)
ROUND = [30 + 20 * side for i in range(24) for side in (math.cos(i * math.pi / 12), math.sin(i * math.pi / 12))]


def read(folder: Path, polygons: list[list[float]], **fields) -> InstanceDataset:
    """Three pictures with one object each, of these polygons."""
    objects = [
        {"id": i, "image_id": i, "category_id": 1, "segmentation": polygons, **fields} for i in (1, 2, 3)
    ]  # fmt: skip
    images = [{"id": i, "file_name": f"{i}.png", "height": 60, "width": 60} for i in (1, 2, 3)]
    for i in (1, 2, 3):
        Image.new("RGB", (60, 60)).save(folder / f"{i}.png")
    classes = [{"id": 1, "name": "disc"}]
    (folder / "a.json").write_text(json.dumps({"images": images, "annotations": objects, "categories": classes}))
    return InstanceDataset(folder, folder / "a.json")


@pytest.mark.parametrize("fields", [{}, {"area": 1600, "bbox": [10, 10, 40, 40]}], ids=["bare", "area of the box"])
def test_all_x_and_then_all_y_is_said_also_where_no_area_tells(tmp_path: Path, fields: dict) -> None:
    with pytest.warns(UserWarning, match="outlines of 3 of 3 objects looked at .*or cross themselves: .*another order"):
        read(tmp_path, [SQUARE[0::2] + SQUARE[1::2]], **fields)


def test_an_hour_glass_is_said(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="cross themselves"):
        read(tmp_path, [[10, 10, 50, 50, 50, 10, 10, 50]])


@pytest.mark.parametrize("hole", [outline(20, 20, 40, 40), outline(20, 20, 40, 40)[::-1], outline(10, 10, 30, 30)])
def test_polygons_within_polygons_are_said(tmp_path: Path, hole: list) -> None:
    with pytest.warns(UserWarning, match=r"3 of 3 objects .* within their polygons, .* annotations\[0\].*filled"):
        assert read(tmp_path, [SQUARE, hole])[0].masks[0].sum() == 1600


@pytest.mark.parametrize(
    "polygons",
    [
        [SQUARE], [SQUARE[2:] + SQUARE[:4]], [ROUND], [SQUARE, outline(52, 52, 58, 58)],
        [SQUARE, outline(40, 40, 58, 58)], [outline(10, 10, 50, 11)], [[10, 10, 50, 50, 51, 50, 11, 10]],
        [[10, 10, 50, 10, 50, 50, 30, 50, 30, 30, 40, 30, 40, 20, 20, 20, 20, 30, 29, 30, 29, 50, 10, 50]],  # a ring
    ],
    ids=["square", "closed", "round", "two pieces", "pieces that overlap", "flat", "slanted", "slit ring"],
)  # fmt: skip
def test_others_are_fine(tmp_path: Path, polygons: list) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        read(tmp_path, polygons)
