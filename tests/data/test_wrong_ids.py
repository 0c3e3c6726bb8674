"""Panoptic PNGs whose colours are no ids of the list: the likely cause is named."""

from __future__ import annotations

import io
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oneformer_lite as ofl
from oneformer_lite.data import PanopticDataset, SemanticDataset
from oneformer_lite.data.segment_ids import decode_ids, encode_ids
from oneformer_lite.data.wrong_ids import likely_cause
from oneformer_lite.errors import DataError

SCENES = [ofl.data.Toytown("val", 96, 4)[i] for i in range(2)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set of two scenes, whose ids have all three colours."""
    samples = []
    for scene in SCENES:
        new = {segment.id: 70_001 + 5_003 * i for i, segment in enumerate(scene.segments)}
        table = np.zeros(max(new) + 1, np.int32)
        table[list(new)] = list(new.values())
        segments = tuple(type(s)(new[s.id], s.class_id, s.is_crowd) for s in scene.segments)
        samples.append(scene.replace(segment_map=table[scene.segment_map], segments=segments))
    ofl.data.write_panoptic(tmp_path / "images", tmp_path / "a.json", tmp_path / "a", samples)
    return tmp_path


def changed(folder: Path, change) -> str:
    path = sorted((folder / "a").iterdir())[0]
    with Image.open(path) as picture:
        pixels = np.array(picture)
    change(path, pixels)
    with pytest.raises(DataError) as refused:
        PanopticDataset(folder / "images", folder / "a.json", folder / "a")[0]
    message = str(refused.value)
    assert str(path) in message and "\n" not in message and len(message) < 700
    return message


def as_jpeg(pixels: np.ndarray, quality: int = 95) -> Image.Image:
    memory = io.BytesIO()
    Image.fromarray(pixels).save(memory, "JPEG", quality=quality)
    return Image.open(memory)


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_a_lossy_file_is_called_so_whatever_its_name(folder, form: str) -> None:
    words = changed(folder, lambda path, pixels: Image.fromarray(pixels).save(path, form, quality=90))
    assert "lossy" in words and "same release" not in words


@pytest.mark.parametrize("quality", [60, 85, 95])
def test_so_is_one_that_was_a_jpeg_before(folder, quality: int) -> None:
    words = changed(folder, lambda path, pixels: as_jpeg(pixels, quality).save(path, "PNG"))
    assert "lossy" in words and "write it again as PNG from the source" in words and "same release" not in words


@pytest.mark.parametrize("resampling", [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS])
def test_smoothed_edges_are_told(folder, resampling) -> None:
    def resized(path, pixels):
        small = Image.fromarray(pixels).resize((80, 80), Image.Resampling.NEAREST)
        small.resize((96, 96), resampling).save(path)

    words = changed(folder, resized)
    assert "nearest-neighbour" in words and "same release" not in words


@pytest.mark.parametrize("order", [order for order in permutations(range(3)) if order != (0, 1, 2)], ids=str)
def test_exchanged_channels_are_told(folder, order) -> None:
    words = changed(folder, lambda path, pixels: Image.fromarray(pixels[..., order]).save(path))
    assert ("red and blue are exchanged" in words and "cv2.imwrite" in words) == (order == (2, 1, 0))
    assert "exchanged (all ids are listed if read as" in words and "same release" not in words


def test_small_ids_that_were_written_blue_first(tmp_path) -> None:
    ofl.data.write_panoptic(tmp_path / "images", tmp_path / "a.json", tmp_path / "a", SCENES)
    words = changed(tmp_path, lambda path, pixels: Image.fromarray(pixels[..., ::-1]).save(path))
    assert "its red and blue are exchanged (all ids are listed if read as blue, green, red)" in words


def test_ids_of_categories_are_told(folder) -> None:
    scene = SCENES[0]
    classes = np.zeros(scene.size, np.int32)
    for segment in scene.segments:
        classes[scene.segment_map == segment.id] = scene.categories[segment.class_id].id
    words = changed(folder, lambda path, pixels: Image.fromarray(encode_ids(classes)).save(path))
    assert "its values are ids of categories, not of segments" in words


@pytest.mark.parametrize("more", [1, 5, 11])
def test_a_few_other_ids_are_of_another_release(folder, more: int) -> None:
    def painted(path, pixels):
        ids = decode_ids(pixels)
        ids[0, :more] = np.arange(more) + 123
        Image.fromarray(encode_ids(ids)).save(path)

    words = changed(folder, painted)
    assert "have pixels but are not listed" in words and "use the PNG and the JSON of the same release" in words


def test_the_cause_by_hand() -> None:
    assert "red and blue" in likely_cause(np.array([[65536, 2 * 65536]]), [1, 2], [7])
    assert "channels are exchanged" in likely_cause(np.array([[256, 512]]), [1, 2], [7])
    assert "ids of categories" in likely_cause(np.array([[7, 8]]), [1, 2], [7, 8, 9])
    assert likely_cause(np.array([[1, 2, 3]]), [1, 2], [7]) == ""


@pytest.mark.parametrize("quality", [70, 85, 95])
def test_label_maps_that_were_jpegs_before(tmp_path, quality: int) -> None:
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
    labels = np.repeat(np.repeat(np.random.default_rng(1).integers(0, 8, (6, 6)), 13, 0), 13, 1).astype(np.uint8) * 30
    Image.new("RGB", (78, 78)).save(tmp_path / "images" / "a.png")
    as_jpeg(labels, quality).save(tmp_path / "labels" / "a.png")
    names, values = [f"class {i}" for i in range(8)], [30 * i for i in range(8)]
    with pytest.raises(DataError, match="other values come from a lossy format .a JPEG saved as PNG later"):
        SemanticDataset(tmp_path / "images", tmp_path / "labels", names, values=values)[0]
