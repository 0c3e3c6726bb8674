"""Sheets of predictions: one file, laid out anew by a page."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from oneformer_lite.errors import DataError
from oneformer_lite.render import png_bytes, prediction_sheet, sheet_html

COLORS = np.array([[[250, 0, 0], [0, 250, 0], [0, 0, 250]], [[250, 250, 0], [0, 250, 250], [250, 0, 250]]])


def block(color, height: int, width: int) -> np.ndarray:
    return np.broadcast_to(np.uint8(color), (height, width, 3)).copy()


def sheet() -> bytes:
    """Two rows, three columns; the second row's pictures are smaller and of another shape."""
    sizes = ((40, 60), (50, 20))
    rows = [[block(color, *size) for color in colors] for colors, size in zip(COLORS, sizes)]
    return prediction_sheet(rows, ["annotation", "panoptic", "a <b>"])


def test_each_window_shows_its_picture():
    page = sheet_html(sheet())
    image = Image.open(io.BytesIO(base64.b64decode(re.search(r"base64,([^)]*)\)", page)[1])))
    pixels = np.asarray(image.convert("RGB")).astype(int)
    across, down = (float(v) / 100 for v in re.search(r"--size:([\d.]+)% ([\d.]+)%", page).groups())
    cell = image.width / across, image.height / down
    assert cell == pytest.approx((60, 50), abs=0.01) and "--shape:60/50" in page and "--columns:3" in page
    windows = re.findall(r"background-position:([\d.]+)% ([\d.]+)%", page)
    for (x, y), color in zip(windows, COLORS.reshape(-1, 3), strict=True):
        left, top = (float(x) / 100 * (image.width - cell[0]), float(y) / 100 * (image.height - cell[1]))
        middle = pixels[round(top + cell[1] / 2), round(left + cell[0] / 2)]
        assert np.abs(middle - color).max() < 25, (x, y)
        assert np.abs(pixels[round(top) + 1, round(left) + 1] - 255).max() < 25  # smaller than its cell: white


def test_titles_are_text_and_read_aloud():
    page = sheet_html(sheet())
    assert page.count("<figcaption>a &lt;b&gt;</figcaption>") == 2 and "<b>" not in page
    assert 'aria-label="panoptic of held-out image 2"' in page


def test_what_is_no_sheet_is_refused():
    with pytest.raises(DataError, match=r"rows of 2 pictures, got rows of \[1\]"):
        prediction_sheet([[block(0, 4, 4)]], ["one", "two"])
    for content in (b"nothing", png_bytes(block(0, 4, 4))):
        with pytest.raises(DataError, match="no sheet of predictions"):
            sheet_html(content)
