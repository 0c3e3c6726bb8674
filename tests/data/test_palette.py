"""Palettes that contradict each other: indices are numbers of classes only where they mean the same in all maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oneformer_lite.data import SemanticDataset
from oneformer_lite.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("pictures", "labels"):
        (tmp_path / name).mkdir()
    return tmp_path


def coloured_set(folder: Path, save) -> SemanticDataset:
    """Two maps of the classes black, red and green, saved from their colours; the first has no red."""
    table = np.array([[0, 0, 0], [128, 0, 0], [0, 128, 0]], np.uint8)
    for name, classes in (("a", [[0, 0, 2, 0]]), ("b", [[0, 1, 2, 2]])):
        Image.new("RGB", (4, 1)).save(folder / "pictures" / f"{name}.jpg")
        save(Image.fromarray(table[np.array(classes)]), folder / "labels" / name)
    return SemanticDataset(folder / "pictures", folder / "labels", ["ground", "red", "green"])


@pytest.mark.parametrize(
    "save",
    [
        lambda colours, path: colours.save(path.with_suffix(".gif")),
        lambda colours, path: colours.quantize(3).save(path.with_suffix(".png")),
        lambda colours, path: colours.convert("P", palette=Image.Palette.ADAPTIVE).save(path.with_suffix(".png")),
    ],
    ids=["gif", "quantize", "adaptive"],
)
def test_palettes_made_for_each_file_are_refused(folder, save):
    """The same colour is another index in each: read as classes, all of them are exchanged."""
    with pytest.raises(DataError, match="have different palettes: the colour .* has the index . in .* and . in"):
        coloured_set(folder, save)


def with_palette(indices: list[list[int]], colours: dict[int, list[int]]) -> Image.Image:
    picture, table = Image.fromarray(np.array(indices, np.uint8)), np.zeros((256, 3), np.uint8)
    for index, colour in colours.items():
        table[index] = colour
    picture.putpalette(table.tobytes())
    return picture


def test_palettes_that_differ_in_what_no_map_holds_are_one(folder):
    """As where one file stops after the last colour that it has, and where unused entries are black."""
    full, table = np.random.default_rng(0).integers(0, 256, (256, 3)).tolist(), {0: (0, 0, 0), 1: (128, 0, 0)}
    for name, indices, colours in (("a", [[0, 1, 7]], table), ("b", [[1, 7]], {**dict(enumerate(full)), **table})):
        Image.new("RGB", np.array(indices).shape[::-1]).save(folder / "pictures" / f"{name}.jpg")
        with_palette(indices, colours).save(folder / "labels" / f"{name}.png")
    with pytest.warns(UserWarning, match="the index 7 is .0, 0, 0. in .* and .* in .*read as numbers of classes"):
        data = SemanticDataset(folder / "pictures", folder / "labels", list("abcdefgh"))
    assert [segment.class_id for segment in data[0].segments] == [0, 1, 7]
