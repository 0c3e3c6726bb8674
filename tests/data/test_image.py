"""Every kind of picture becomes RGB (damaged ones: test_panoptic_errors.py)."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from oneformer_lite.data.image import read_image, write_image


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1", "RGB"])
def test_every_kind_of_picture_becomes_rgb(tmp_path, mode):
    grey = np.tile(np.array([[0], [255]], np.uint8), (4, 8))
    path = tmp_path / ("x.tif" if mode == "CMYK" else "x.png")
    Image.fromarray(grey).convert("RGB").convert(mode).save(path)
    expected = np.repeat(grey[..., None], 3, axis=2)
    np.testing.assert_array_equal(read_image(path), expected)


def test_16_bit_grey_is_scaled_not_clipped(tmp_path):
    Image.fromarray(np.array([[0, 256, 32768, 65535]], np.uint16)).save(tmp_path / "x.png")
    assert read_image(tmp_path / "x.png")[0, :, 0].tolist() == [0, 1, 128, 255]


def test_exif_orientation_is_left_alone(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn me by 90 degrees"
    Image.new("RGB", (8, 6)).save(tmp_path / "x.jpg", exif=exif)
    assert read_image(tmp_path / "x.jpg").shape == (6, 8, 3)


def test_png_is_written_exactly_and_jpeg_at_quality_95(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    write_image(tmp_path / "x.png", pixels)
    np.testing.assert_array_equal(read_image(tmp_path / "x.png"), pixels)
    write_image(tmp_path / "x.jpg", pixels)
    Image.fromarray(pixels).save(tmp_path / "expected.jpg", quality=95)
    assert (tmp_path / "x.jpg").read_bytes() == (tmp_path / "expected.jpg").read_bytes()
