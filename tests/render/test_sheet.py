"""Sheets of predictions: one file, arranged by a page."""

from __future__ import annotations

import base64
import io
import json
import re
import time

import numpy as np
import pytest
from PIL import Image

from oneformer_lite.errors import DataError
from oneformer_lite.render import png_bytes, prediction_sheet, sheet_html
from oneformer_lite.render.timeline import Timeline
from oneformer_lite.runs import dashboard
from oneformer_lite.runs.still import run_still

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


def described(told) -> bytes:
    """A sheet that says something else of itself."""
    image, out = Image.open(io.BytesIO(sheet())), io.BytesIO()
    exif = image.getexif()
    exif[0x010E] = told if isinstance(told, str) else json.dumps(told)
    image.save(out, "WEBP", exif=exif)
    return out.getvalue()


TOLD = {"columns": ["annotation", "panoptic", "a <b>"], "rows": 2, "cell": [60, 50]}


@pytest.mark.parametrize(
    "told",
    [
        {"rows": 10**9}, {"rows": -1}, {"rows": 0}, {"rows": True}, {"rows": 2.0}, {"rows": "2"}, {"rows": None},
        {"rows": [2]}, {"cell": [60]}, {"cell": [0, 50]}, {"cell": ["60", "50"]}, {"cell": 60}, {"cell": [1, 1]},
        {"cell": {"0": 60}}, {"columns": "abc"}, {"columns": [1, 2, 3]}, {"columns": []}, {"columns": None},
        {"columns": ["a"] * 10_000}, {"columns": {"a": 1, "b": 2, "c": 3}},
    ],
)  # fmt: skip
def test_a_sheet_that_says_what_cannot_be_is_refused_at_once(told):
    began = time.monotonic()
    with pytest.raises(DataError, match=r"sheet of predictions is 212 x 147 pixels large and says of itself"):
        sheet_html(described(TOLD | told))
    assert time.monotonic() - began < 20  # a thousand million rows would take hours


@pytest.mark.parametrize("text", ["", "[", "[1]", "null", "3", '"a"', "{}", '{"rows": 1}', "[" * 50_000, "1" * 5000])
def test_a_description_that_is_none_is_refused(text):
    with pytest.raises(DataError, match="sheet of predictions"):
        sheet_html(described(text))


def test_a_page_shows_the_others_and_says_what_it_cannot_show():
    good, bad = dashboard.pictures(1, described(TOLD)), dashboard.pictures(2, described(TOLD | {"rows": 10**9}))
    assert "Held-out images at step 1" in good and "ofl-sheet" in good
    assert "The held-out images at step 2 cannot be shown: this sheet of predictions" in bad and "ofl-sheet" not in bad
    assert "&#x27;columns&#x27;" in bad or "&#39;" in bad
    for content in (b"", b"GIF89a", sheet()[:200]):
        assert "cannot be shown" in dashboard.pictures(3, content)
        assert run_still("run", "finished", Timeline([]), 3, content).ndim == 3
