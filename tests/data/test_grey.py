"""Grey pictures of more than eight bits keep their contrast, in every container."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from raw_png import raw_png
from raw_tiff import raw_tiff

from oneformer_lite.data.grey import grey_values, stretched
from oneformer_lite.data.image import open_image, read_image, to_rgb
from oneformer_lite.data.orientation import as_stored, upright
from oneformer_lite.errors import DataError
from oneformer_lite.inference import as_pixels

EIGHT = np.add.outer(np.arange(60), 3 * np.arange(64)).clip(10, 240).astype(np.uint8)
DEEP = {
    "10 bits in 16": (EIGHT.astype(np.uint16) * 4, "png"),
    "12 bits in 16": (EIGHT.astype(np.uint16) * 16, "tif"),
    "16 bits": (EIGHT.astype(np.uint16) * 257, "png"),
    "16 bits around 32768": (EIGHT.astype(np.uint16) + 32768, "tif"),
    "32 bits, negative": (EIGHT.astype(np.int32) * 10 - 1024, "tif"),
    "float 0..1": ((EIGHT / 255).astype(np.float32), "tif"),
    "float 0..5000": ((EIGHT * 20.0).astype(np.float32), "tif"),
    "float around 0": ((EIGHT / 1e6 - 1e-4).astype(np.float32), "tif"),
}


@pytest.mark.parametrize("name", DEEP)
def test_the_contrast_stays_from_file_pil_image_and_array(tmp_path, name):
    deep, suffix = DEEP[name]
    path = tmp_path / f"x.{suffix}"
    Image.fromarray(deep).save(path)
    ways = [read_image(path), *map(as_pixels, (path, Image.fromarray(deep), Image.open(path), deep))]
    low, high = np.percentile(EIGHT, (0.1, 99.9))
    expected = ((EIGHT - low) * 255 / (high - low)).round().clip(0, 255)
    for pixels in ways:
        assert pixels.dtype == np.uint8 and pixels.shape == (60, 64, 3)
        assert np.abs(pixels - expected[..., None]).max() <= 1


def test_one_hot_pixel_does_not_darken_the_others():
    deep = EIGHT.astype(np.uint16) * 16
    hot = deep.copy()
    hot[0, 0] = 65535
    assert np.abs(stretched(hot).astype(int) - stretched(deep))[1:].max() <= 1


def test_few_bright_pixels_on_one_value_are_seen():
    deep = np.full((50, 50), 700, np.uint16)
    deep[3, 4] = 900
    assert stretched(deep)[3, 4] == 255 and (stretched(deep) == 255).sum() == 1


def test_one_value_is_middle_grey_and_what_is_not_finite_black():
    assert (stretched(np.full((4, 4), 9, np.uint16)) == 128).all()
    values = np.array([[0.0, 1.0, np.nan, np.inf, -np.inf]], np.float32)
    assert stretched(values).tolist() == [[0, 255, 0, 0, 0]]
    with pytest.raises(DataError, match="no finite value"):
        stretched(np.full((4, 4), np.nan, np.float32))


def test_the_range_of_a_large_picture_is_taken_from_a_sample():
    large = np.tile(np.linspace(0, 1, 3000, dtype=np.float32), (2000, 1))
    pixels = stretched(large)
    assert pixels[0, 0] == 0 and pixels[0, -1] == 255 and abs(int(pixels[0, 1500]) - 128) <= 1


@pytest.mark.parametrize(("kind", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_a_picture_of_channels_that_loses_its_bits_is_refused(tmp_path, kind, channels):
    """16 bits a channel of which 12 are used: Pillow keeps the upper 8, so 4 are left."""

    def png(pixels: np.ndarray) -> bytes:
        return raw_png(16, [row.astype(">u2").tobytes() for row in pixels], pixels.shape[1], kind)

    coloured = np.stack([EIGHT] * channels, -1).astype(np.uint16)
    (tmp_path / "12.png").write_bytes(png(coloured * 16))
    (tmp_path / "16.png").write_bytes(png(coloured * 257))
    with pytest.raises(DataError, match="12.png has 16 bits a channel"):
        read_image(tmp_path / "12.png")
    np.testing.assert_array_equal(read_image(tmp_path / "16.png"), np.stack([EIGHT] * 3, -1))


def test_eight_bits_stay_as_they_are():
    np.testing.assert_array_equal(to_rgb(Image.fromarray(EIGHT))[..., 0], EIGHT)
    np.testing.assert_array_equal(as_pixels(EIGHT)[..., 2], EIGHT)


def test_a_tiffs_tags_say_how_its_numbers_are_meant(tmp_path: Path) -> None:
    ramp = np.linspace(0, 4e9, 16).reshape(4, 4).astype(np.uint32)
    path = tmp_path / "ramp.tif"
    Image.fromarray(ramp.view(np.int32)).save(path)
    signed = b"\x53\x01\x03\x00\x01\x00\x00\x00\x02\x00"  # tag 339, a short, is 2: with a sign
    assert signed in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(signed, signed[:8] + b"\x01\x00"))
    assert (np.diff(read_image(path)[..., 0].ravel().astype(int)) > 0).all()
    Image.fromarray((np.arange(16) * 4000).reshape(4, 4).astype(np.uint16)).save(path, tiffinfo={262: 0})
    assert (np.diff(read_image(path)[..., 0].ravel().astype(int)) < 0).all()  # 0 is white


def tiff(values: np.ndarray, kind: int, zero_is_black: int) -> bytes:
    """An uncompressed grey TIFF of ``values`` [H, W], with the tags 339 (``kind``: 1 unsigned, 2 signed, 3 float) and
    262, as Pillow does not write it."""
    height, width = values.shape
    content, bits = values.tobytes(), 8 * values.itemsize
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: zero_is_black, 273: 8, 277: 1, 278: height}
    tags |= {279: len(content), 339: kind}
    entries = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in tags.items())
    head = struct.pack("<2sHI", b"II", 42, 8 + len(content))
    return head + content + struct.pack("<H", len(tags)) + entries + bytes(4)


@pytest.mark.parametrize(
    ("values", "kind", "zero_is_black"),
    [
        (np.linspace(-128, 127, 64).astype(np.int8), 2, 1),
        (np.linspace(-30_000, 30_000, 64).astype("<i2"), 2, 1),
        (np.linspace(0, 4.2e9, 64).astype("<u4"), 1, 1),
        (np.linspace(4095, 0, 64).astype("<u2"), 1, 0),
        (np.linspace(255, 0, 64).astype(np.uint8), 1, 0),
        (np.linspace(1, 0, 64).astype("<f4"), 3, 0),
    ],
)
@pytest.mark.parametrize("way", [read_image, as_pixels, lambda path: as_pixels(Image.open(path)), "turned"])
def test_what_is_darkest_in_a_tiff_stays_darkest(tmp_path, values, kind, zero_is_black, way):
    path = tmp_path / "ramp.tif"
    path.write_bytes(tiff(values.reshape(8, 8), kind, zero_is_black))
    ramp = to_rgb(upright(as_stored(open_image(path), 6))) if way == "turned" else way(path)
    assert (np.diff(ramp[..., 0].ravel().astype(int)) > 0).all() and ramp.min() == 0 and ramp.max() == 255


@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "i4", "f4"])
def test_tiffs_hold_the_same_numbers_in_either_order_of_bytes(tmp_path, kind, order, deflate):
    """Pillow alone swaps the bytes of compressed big-endian numbers with a sign, and of floats, once too often."""
    values = np.arange(-60, 60).reshape(8, 15).astype(kind)
    (tmp_path / "a.tif").write_bytes(raw_tiff(values, order, deflate=deflate))
    np.testing.assert_array_equal(grey_values(open_image(tmp_path / "a.tif")), values)
    with Image.open(tmp_path / "a.tif") as lazy:  # as people hand it over
        np.testing.assert_array_equal(as_pixels(lazy)[..., 0], read_image(tmp_path / "a.tif")[..., 0])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("channels", [3, 4])
def test_channels_one_after_the_other(tmp_path, channels, order):
    """Of 8 bits they are read; of 16, whose bytes Pillow takes for pixels, they are refused."""
    values = np.random.default_rng(0).integers(0, 256, (channels, 6, 7), np.uint8)
    path = tmp_path / "a.tif"
    path.write_bytes(raw_tiff(values, order))
    np.testing.assert_array_equal(read_image(path), values[:3].transpose(1, 2, 0))
    path.write_bytes(raw_tiff(values.astype(np.uint16) * 257, order))
    with pytest.raises(DataError, match=r"a.tif is a TIFF of 16 bits whose channels .* one after the other"):
        read_image(path)
