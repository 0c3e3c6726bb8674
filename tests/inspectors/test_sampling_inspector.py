"""SamplingInspector and its numbers: equal to the trace, enough to compute the attention again, and its page."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import change, chromium, opened

import oneformer_lite as ofl
from oneformer_lite.errors import ConfigError
from oneformer_lite.inspectors.sampling.pictures import point_radius
from oneformer_lite.inspectors.sampling.reading import Sampling, read_sampling
from oneformer_lite.inspectors.traced import TracedPicture, trace_picture
from oneformer_lite.model.parts.deformable_attention import sample_by_grid
from oneformer_lite.widgets import SamplingInspector


@pytest.fixture(scope="module")
def inspector(model) -> SamplingInspector:
    return SamplingInspector(model, ofl.data.Toytown("val", 128, 8)[3])


def test_places_and_queries_by_hand() -> None:
    """A picture of 50 x 100 seen at 100 x 200, padded to 128 x 224: 4 x 7, 8 x 14 and 16 x 28 positions."""
    traced = TracedPicture(np.zeros((50, 100, 3), np.uint8), (100, 200), {})
    weights = np.zeros((588, 2, 3, 1), np.float32)
    weights[28 + 1 * 14 + 2] = np.array([[0.5, 0.25, 0.25], [1, 0, 0]])[..., None]
    sampling = Sampling(traced, (np.full((588, 2, 3, 1, 2), (0.5, 0.25), np.float32),), (weights,))
    assert sampling.query(32, (0, 3)) == 3 and sampling.query(16, (1, 2)) == 44 and sampling.query(8, (0, 1)) == 141
    looks = sampling.looks(0, 16, (1, 2))
    assert np.allclose(looks.places, (16, 56)) and np.allclose(looks.by_level(), [0.75, 0.125, 0.125])
    assert looks.levels.tolist() == [0, 1, 2, 0, 1, 2] and not looks.outside((50, 100)).any()
    assert looks.outside((15, 100)).all()
    assert np.allclose(sampling.looks(0, 16, (1, 2), head=0).weights, [0.5, 0.25, 0.25])


def test_the_attention_follows_from_what_is_shown(model) -> None:
    """Sampling the values at the places read back from the inspector's numbers gives the layer's own output."""
    image = np.random.default_rng(0).integers(0, 255, (60, 100, 3), dtype=np.uint8)
    attention, seen = model.pixel_decoder.layers[1].attention, {}

    def keep(module, args, output) -> None:
        seen.update(memory=args[2], shapes=args[3], output=output)

    handle = attention.register_forward_hook(keep)
    traced = trace_picture(model, image)
    handle.remove()
    sampling = read_sampling(traced)
    with torch.inference_mode():
        value = attention.value_proj(seen["memory"]).unflatten(-1, (attention.heads, -1))
        for stride, cell in ((32, (1, 2)), (16, (0, 0)), (8, (5, 9))):
            looks = sampling.looks(1, stride, cell)
            scale = np.array(traced.padded) / traced.input_size * traced.image.shape[:2]
            shape = (1, 1, attention.heads, attention.levels, attention.points)
            locations = torch.tensor((looks.places / scale)[:, ::-1].copy(), dtype=torch.float32).view(*shape, 2)
            weights = torch.tensor(looks.weights * attention.heads, dtype=torch.float32).view(shape)
            again = attention.output_proj(sample_by_grid(value, seen["shapes"], locations, weights))
            query = sampling.query(stride, cell)
            assert torch.allclose(again[0, 0], seen["output"][0, query], atol=1e-4)
            assert looks.weights.sum() == pytest.approx(1, abs=1e-5)


def test_area_is_the_weight() -> None:
    assert point_radius(0.5, (400, 400)) / point_radius(0.125, (400, 400)) == pytest.approx(2)
    assert point_radius(0.0, (400, 400)) == 1.5


def test_state_is_set_read_and_told(inspector) -> None:
    assert inspector.set(layer=2, head=3, level=8, point=(5, 6)) is inspector
    state = inspector.state
    assert state == {"layer": 2, "head": 3, "level": 8, "point": (5, 6)}
    assert "Layer 2, head 3: 12 places" in inspector.words and "on stride 32" in repr(inspector)
    one = np.asarray(inspector.still())
    assert not np.array_equal(one, np.asarray(inspector.set(head="all").still()))
    assert "96 places" in inspector.words
    for wrong in ({"layer": 3}, {"head": 9}, {"level": 4}):
        with pytest.raises(ConfigError):
            inspector.set(**wrong)


@pytest.mark.parametrize(("size", "kind"), [((32, 32), "fpn"), ((3000, 4000), "deformable"), ((20, 300), "deformable")])
def test_any_size_and_the_fpn(size, kind: str, tmp_path: Path) -> None:
    config = dataclasses.replace(
        ofl.config.toytown(), pretrained=False, hidden_dim=32, decoder_layers=1, pixel_decoder=kind
    )
    image = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    inspector = SamplingInspector(ofl.OneFormer(config), image).set(point=(size[0] - 1, size[1] - 1))
    words = "is an FPN" if kind == "fpn" else "96 places"
    assert words in inspector.words and inspector.still() and ("FPN" in repr(inspector)) == (kind == "fpn")
    path = inspector.to_html(tmp_path / "page.html")
    assert path.stat().st_size < 5e6 and ("triangles" in path.read_text()) == (kind == "deformable")


def test_the_page_in_a_browser(inspector, tmp_path: Path) -> None:
    inspector.set(layer=2, head="all", level=16, point=(64, 64))
    path = inspector.to_html(tmp_path / "sampling.html")
    shares = [f"{share:.0%}" for share in inspector.looks().by_level()]
    with chromium() as browser:
        with opened(browser, path) as page:
            assert all(share in page.inner_text("#told") for share in shares)
            assert "row 5, column 5 of stride 16" in page.inner_text("#told")
            change(page, lambda: page.locator("input[name=head][value='3']").click(force=True))
            assert "head 3: 12 places" in page.inner_text("#told")
            shares = [f"{share:.0%}" for share in inspector.set(head=3).looks().by_level()]
            assert all(share in page.inner_text("#told") for share in shares)
            box = page.locator("canvas").bounding_box()
            change(page, lambda: page.mouse.click(box["x"] + box["width"] * 0.22, box["y"] + box["height"] * 0.82))
            before = page.evaluate("document.querySelector('canvas').toDataURL()")
            assert "row 8, column 2" in page.inner_text("#told")
            assert change(page, lambda: page.get_by_text("stride 32", exact=True).first.click()) < 1000
            assert "of stride 32" in page.inner_text("#told")
            assert page.evaluate("document.querySelector('canvas').toDataURL()") != before
        with opened(browser, inspector.set(level=8, point=(30, 90)).to_html(tmp_path / "point.html")) as page:
            page.locator("canvas").hover(position={"x": 9, "y": 9})
            page.locator("canvas").focus()
            change(page, lambda: page.keyboard.press("Shift+ArrowRight"))
            cell = inspector.set(point=(30, 100))._cell
            assert "row {}, column {} of stride 8".format(*cell) in page.inner_text("#told")
        with opened(browser, path, width=400) as page:
            assert page.evaluate("document.documentElement.scrollWidth") <= 400
