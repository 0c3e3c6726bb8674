"""FeatureInspector: what code can set and read, what a click does, and its page in a browser."""

from __future__ import annotations

import base64
import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import change, chromium, opened
from PIL import Image

import oneformer_lite as ofl
from oneformer_lite.errors import ConfigError
from oneformer_lite.inspectors.features.pictures import paint_components, spread_cells, tile_at, tile_grid, to_codes
from oneformer_lite.widgets import FeatureInspector


@pytest.fixture(scope="module")
def shipped() -> FeatureInspector:
    return FeatureInspector(ofl.from_pretrained("toytown"), ofl.data.Toytown("val", 128, 8)[3])


@pytest.fixture
def inspector(shipped) -> FeatureInspector:
    return shipped.set(source="pixel decoder", level=4, view="PCA", channel=1, point=(64, 64))


def test_codes_and_blocks() -> None:
    assert to_codes(np.array([0.0, 1.0, 2.0, 9.0]), 0.0, 2.0).tolist() == [0, 128, 255, 255]
    assert to_codes(np.ones(2), 1.0, 1.0).tolist() == [128, 128]
    cells = np.array([[1, 2], [3, 4]])
    assert spread_cells(cells, 4, (8, 6), (4, 6)).tolist() == [[1, 1, 1, 1, 2, 2]] * 2 + [[3, 3, 3, 3, 4, 4]] * 2
    assert spread_cells(cells, 32, (40, 40), (5, 5))[:, 0].tolist() == [1, 1, 1, 1, 3]
    flat = paint_components(np.zeros((2, 2, 3), np.float32))
    assert (flat == flat[0, 0]).all() and 100 < flat.mean() < 160


def test_tiles_and_the_places_of_them() -> None:
    tiles = [np.full((8, 10, 3), i, np.uint8) for i in range(5)]
    sheet = tile_grid(tiles, 3, chosen=4)
    assert sheet.shape == (28, 46, 3) and sheet[6, 6].tolist() == [0, 0, 0] and sheet[18, 20].tolist() == [4, 4, 4]
    assert tile_at((20, 20), (28, 46), 3, 5) == 4 and tile_at((27, 45), (28, 46), 3, 5) is None


def test_state_is_set_read_and_told(inspector) -> None:
    assert inspector.set(source="backbone", level=8, view="channels", channel=3, point=(5, 6)) is inspector
    state = inspector.state
    assert state == {"source": "backbone", "level": 8, "view": "channels", "channel": 3, "point": (5, 6)}
    assert "backbone, stride 8, 20 x 20 positions, 40 channels" in repr(inspector) and "point 5x6" in repr(inspector)
    number = inspector.maps["backbone", 8].order[2]
    assert f"Channel {number}, place 3" in inspector.words
    with pytest.raises(ConfigError, match="one of 4, 8, 16, 32"):
        inspector.set(view="PCA", level=2)
    assert inspector.state == state


def test_similarity_is_one_at_the_point_itself(inspector) -> None:
    from oneformer_lite.inspectors.features.pictures import ramp

    inspector.set(view="similarity", point=(100, 20))
    cells, (low, high) = inspector.cells(("pixel decoder", 4))
    assert cells.shape == (40, 40, 3) and (cells[31, 6] == ramp()[255]).all() and low < high == 1.0
    assert "row 31, column 6" in inspector.words
    before = np.asarray(inspector.still())
    assert not np.array_equal(before, np.asarray(inspector.set(point=(10, 20)).still()))


def test_clicks_choose_channels_maps_and_places(inspector) -> None:
    inspector.set(view="channels")
    inspector.click("channels", 999, 999)
    assert inspector.state["channel"] == 36
    inspector.set(source="backbone", level=4)  # of 24 channels: the last is meant
    assert "place 24" in inspector.words and inspector.views["channels"].shown.shape[0] < 600
    inspector.click("pixel decoder, stride 16", 64, 64)
    assert (inspector.state["source"], inspector.state["level"]) == ("pixel decoder", 16)
    inspector.click("the chosen map", 32, 96)
    assert inspector.state["point"] == (32, 96)


def small_model(**changes) -> ofl.OneFormer:
    torch.manual_seed(0)
    config = dataclasses.replace(ofl.config.toytown(), pretrained=False, hidden_dim=32, decoder_layers=1, **changes)
    return ofl.OneFormer(config)


@pytest.mark.parametrize("size", [(32, 32), (3000, 4000), (20, 300)])
def test_any_size_and_the_fpn(size: tuple[int, int], tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    inspector = FeatureInspector(small_model(pixel_decoder="fpn"), image)
    for view in ("PCA", "similarity", "channels"):
        inspector.set(view=view, level=32, point=(size[0] - 1, size[1] - 1))
        assert inspector.still() and "positions" in inspector.words
    assert "FPN, stride 32" in repr(inspector)
    assert inspector.to_html(tmp_path / "page.html").stat().st_size < 5e6


def shown(page, which: int) -> np.ndarray:
    uri = page.evaluate("i => document.querySelectorAll('canvas')[i].toDataURL()", which)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))).convert("RGB"))


def test_the_page_in_a_browser(inspector, tmp_path: Path) -> None:
    path = inspector.to_html(tmp_path / "features.html")
    assert path.stat().st_size < 5e6 and "http" not in path.read_text().replace("http://www.w3.org", "")
    with chromium() as browser:
        with opened(browser, path) as page:
            assert (shown(page, 1) == inspector.views["the chosen map"].shown).mean() > 0.97  # all but the ring
            change(page, lambda: page.get_by_text("similarity to the point").click())
            box = page.locator("canvas").first.bounding_box()
            change(page, lambda: page.mouse.click(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.8))
            row, column = (int(part) for part in inspector_point(page))
            inspector.set(view="similarity", point=(row * 128 // 40, column * 128 // 40))
            apart = np.abs(shown(page, 1).astype(int) - inspector.views["the chosen map"].shown.astype(int))
            assert np.median(apart) <= 2 and (apart < 16).mean() > 0.95  # shortened vectors: nearly the same
            page.mouse.move(box["x"] + 5, box["y"] + 5)  # hovering moves no point
            change(page, lambda: page.keyboard.press("Shift+ArrowUp"))
            moved = inspector.traced.cell((int(0.8 * 128) - 10, int(0.2 * 128)), 4)  # ten pixels of the picture
            assert inspector_point(page) == tuple(moved) != (row, column)
            change(page, lambda: page.get_by_text("channels", exact=True).click())
            grid = page.locator("canvas").nth(2).bounding_box()
            slow = change(page, lambda: page.mouse.click(grid["x"] + grid["width"] - 5, grid["y"] + 5))
            assert "place 6 by variation" in page.inner_text("#told") and slow < 1000
            change(page, lambda: page.keyboard.press("ArrowDown"))
            assert "place 12 by variation" in page.inner_text("#told")
            change(page, lambda: page.get_by_role("button", name="backbone, stride 32").click())
            assert "5 x 5 positions, 320 channels" in page.inner_text("#told")
        with opened(browser, path, width=400) as page:
            assert page.evaluate("document.documentElement.scrollWidth") <= 400


def inspector_point(page) -> tuple[int, int]:
    words = page.inner_text("#told").split("at row ")[1].split(":")[0]
    row, column = words.split(", column ")
    return int(row), int(column)
