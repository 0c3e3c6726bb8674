"""Contact sheets, and pictures as bytes."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from oneformer_lite.errors import DataError
from oneformer_lite.render import contact_sheet, data_uri, png_bytes, webp_bytes

RED = np.full((10, 20, 3), (255, 0, 0), dtype=np.uint8)
BLUE = np.full((30, 12, 3), (0, 0, 255), dtype=np.uint8)


def decoded(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def test_sheet_puts_every_picture_in_its_place():
    sheet = contact_sheet([[RED, BLUE], [None, RED]], gap=4)
    assert sheet.shape == (4 + 30 + 4 + 10 + 4, 4 + 20 + 4 + 20 + 4, 3) and sheet.dtype == np.uint8
    np.testing.assert_array_equal(sheet[14:24, 4:24], RED)  # centred in a row of height 30
    np.testing.assert_array_equal(sheet[4:34, 32:44], BLUE)  # centred in a column of width 20
    np.testing.assert_array_equal(sheet[38:48, 28:48], RED)
    assert (sheet[38:48, 4:24] == 255).all()


def test_titles_take_room_above_and_to_the_left():
    plain = contact_sheet([[RED]], gap=4)
    titled = contact_sheet([[RED]], ["image"], ["first"], gap=4, font_size=12)
    assert titled.shape[0] == plain.shape[0] + 12 + 4
    assert titled.shape[1] > plain.shape[1]
    np.testing.assert_array_equal(titled[-14:-4, -24:-4], RED)
    assert (titled[:20] < 128).any() and (titled[-14:-4, :-28] < 128).any()  # ink in both margins


def test_an_empty_sheet_is_refused():
    for rows in ([], [[]], [[None]]):
        with pytest.raises(DataError, match="at least one picture"):
            contact_sheet(rows)


def test_png_is_exact_and_a_palette_is_smaller():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(decoded(png_bytes(noise)), noise)
    small = png_bytes(noise, colors=64)
    assert len(small) < 0.5 * len(png_bytes(noise))
    assert len(np.unique(decoded(small).reshape(-1, 3), axis=0)) <= 64
    assert png_bytes(noise) == png_bytes(noise)


def test_a_palette_keeps_the_colour_of_a_thin_line():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (300, 300, 1), dtype=np.uint8).repeat(3, axis=2)  # a photograph, in greys
    picture[150, 100:140] = 213, 94, 0
    line = decoded(png_bytes(picture, colors=64))[150, 100:140].astype(int)
    assert np.abs(line - (213, 94, 0)).max() < 32


def test_a_palette_keeps_white():
    nearly = np.random.default_rng(0).integers(240, 256, (64, 64, 3), dtype=np.uint8)
    nearly[:8] = 255
    assert (decoded(png_bytes(nearly, colors=16))[:8] == 255).all()


def test_webp_is_close():
    ramp = np.tile(np.arange(64, dtype=np.uint8)[None, :, None] * 4, (64, 1, 3))
    assert np.abs(decoded(webp_bytes(ramp)).astype(int) - ramp).max() < 12


def test_data_uri_names_its_kind():
    assert data_uri(png_bytes(RED)).startswith("data:image/png;base64,")
    uri = data_uri(webp_bytes(RED))
    assert uri.startswith("data:image/webp;base64,")
    assert base64.b64decode(uri.split(",")[1]) == webp_bytes(RED)
