"""EXIF orientation: all eight of them, turned for prediction, and compared with the annotation for training."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from oneformer_lite.data import InstanceDataset, PanopticDataset, SemanticDataset, write_toytown
from oneformer_lite.data.image import open_image, read_annotated, read_image
from oneformer_lite.data.orientation import orientation, upright
from oneformer_lite.errors import DataError

TAG = 0x0112
# what a camera that was held so stores of an upright scene (the inverse of what a viewer does)
STORED = {
    1: lambda scene: scene,
    2: lambda scene: scene[:, ::-1],
    3: lambda scene: scene[::-1, ::-1],
    4: lambda scene: scene[::-1],
    5: lambda scene: scene.transpose(1, 0, 2),
    6: lambda scene: np.rot90(scene),
    7: lambda scene: np.rot90(scene, 2).transpose(1, 0, 2),
    8: lambda scene: np.rot90(scene, -1),
}
SCENE = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def photo(path: Path, tag: int, scene: np.ndarray = SCENE, **options) -> Path:
    """A file whose viewer shows ``scene``."""
    exif = Image.Exif()
    exif[TAG] = tag
    Image.fromarray(np.ascontiguousarray(STORED[tag](scene))).save(path, exif=exif, **options)
    return path


def mean(dataset, index: int = 0) -> float:
    """Red under class 1, which the scenes below paint red."""
    sample = dataset[index]
    return sample.image[sample.segment_map == 2][:, 0].mean()


@pytest.mark.parametrize("tag", range(1, 9))
@pytest.mark.parametrize("name, options", [("x.png", {}), ("x.webp", {"lossless": True}), ("x.tif", {})])
def test_a_picture_is_read_as_viewers_show_it(tmp_path, tag, name, options):
    np.testing.assert_array_equal(read_image(photo(tmp_path / name, tag, **options)), SCENE)


@pytest.mark.parametrize("tag", range(1, 9))
def test_turning_is_pillows(tmp_path, tag):
    with Image.open(photo(tmp_path / "x.jpg", tag)) as picture:
        np.testing.assert_array_equal(np.asarray(upright(picture)), np.asarray(ImageOps.exif_transpose(picture)))


@pytest.mark.parametrize("tag", [5, 6, 7, 8])
def test_the_annotations_size_decides_where_it_can(tmp_path, tag):
    path = photo(tmp_path / "x.png", tag)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(read_annotated(path, (6, 9), "map"), SCENE)
        np.testing.assert_array_equal(read_annotated(path, (9, 6), "map"), STORED[tag](SCENE))
    with pytest.raises(DataError, match=r"map.png has .* \(6, 6\), but its picture .*x.png has \(9, 6\)"):
        read_annotated(path, (6, 6), "map.png")


@pytest.mark.parametrize("tag, scene", [(2, SCENE), (3, SCENE), (4, SCENE), (6, SCENE[:, :6])])
def test_where_the_size_cannot_tell_it_is_turned_with_a_warning(tmp_path, tag, scene):
    path = photo(tmp_path / "x.png", tag, scene)
    with pytest.warns(UserWarning, match="does not tell whether") as seen:
        np.testing.assert_array_equal(read_annotated(path, scene.shape[:2], "map"), scene)
    assert str(tmp_path) in str(seen[0].message) and "x.png" not in str(seen[0].message)  # once a folder


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("tag", [0, 9, "6", 1.5, b"\x06"])
def test_a_tag_that_is_no_orientation_changes_nothing(tag):
    picture = Image.fromarray(SCENE)
    picture.getexif()[TAG] = tag
    assert orientation(picture) == 1 and upright(picture) is picture


def test_damaged_exif_changes_nothing(tmp_path):
    Image.fromarray(SCENE).save(tmp_path / "x.png", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    np.testing.assert_array_equal(read_image(tmp_path / "x.png"), SCENE)


@pytest.mark.parametrize("tag", [1, 6, 8, 5])
@pytest.mark.parametrize("drawn", ["upright", "stored"])
def test_label_maps_lie_on_their_pictures_however_they_were_drawn(tmp_path, tag, drawn):
    labels = np.zeros((6, 9), np.uint8)
    labels[1:3, 2:7] = 1
    scene = np.zeros((6, 9, 3), np.uint8)
    scene[labels == 1, 0] = 255
    for name in ("pictures", "labels"):
        (tmp_path / name).mkdir()
    photo(tmp_path / "pictures" / "x.png", tag, scene)
    map_ = labels if drawn == "upright" else STORED[tag](labels[..., None])[..., 0]
    Image.fromarray(np.ascontiguousarray(map_)).save(tmp_path / "labels" / "x.png")
    assert mean(SemanticDataset(tmp_path / "pictures", tmp_path / "labels", ["ground", "red"])) == 255


def test_panoptic_maps_too(tmp_path):
    write_toytown(tmp_path, "val", (64, 96), 1)
    name = next((tmp_path / "val").glob("*.jpg"))
    before = read_image(name)
    photo(name, 6, before, quality=95)
    after = PanopticDataset(
        tmp_path / "val", tmp_path / "annotations/panoptic_val.json", tmp_path / "annotations/panoptic_val"
    )[0]
    assert after.size == (64, 96) and np.abs(after.image.astype(int) - before).mean() < 4


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize("tag", range(1, 9))
def test_a_tiff_is_read_like_other_pictures(tmp_path, tag, compression) -> None:
    """Pillow turns TIFFs, and only these, when it decodes them."""
    pixels, exif = np.arange(12, dtype=np.uint8).reshape(3, 4), Image.Exif()
    exif[0x0112] = tag
    Image.fromarray(pixels).save(tmp_path / "a.tif", exif=exif, compression=compression)
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    stored = open_image(tmp_path / "a.tif")
    assert np.array_equal(np.asarray(stored), pixels) and orientation(stored) == tag
    assert np.array_equal(read_image(tmp_path / "a.tif"), read_image(tmp_path / "a.png"))


@pytest.mark.parametrize("tag", [2, 3, 6, 8])
@pytest.mark.parametrize("objects", [0, 1])
def test_a_picture_whose_size_the_file_does_not_tell_is_turned_with_a_warning(tmp_path, tag, objects):
    photo(tmp_path / "x.png", tag)
    outline = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[1, 1, 5, 1, 5, 4]]}
    content = {"images": [{"id": 1, "file_name": "x.png"}], "annotations": [outline] * objects,
               "categories": [{"id": 1, "name": "disc"}]}  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps(content))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        np.testing.assert_array_equal(InstanceDataset(tmp_path, tmp_path / "a.json")[0].image, SCENE)
    assert sum("does not tell whether" in str(warning.message) for warning in seen) == objects
