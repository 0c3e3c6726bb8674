"""Training curves."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from oneformer_lite.render import loss_curves, metric_curves
from oneformer_lite.render.curves import _shades, layer_plot, loss_plot, metric_plot, series, smooth
from oneformer_lite.render.plots import DARK, LIGHT

HISTORY = [
    {"kind": "train", "step": s, "total": 20 / s, "class": 4 / s, "mask": 1.0, "dice": 0.0}
    for s in range(1, 101)
] + [
    {"kind": "eval", "step": 50, "PQ": 30.0, "AP": None, "mIoU": float("nan")},
    {"kind": "final", "step": 100, "PQ": 60.0, "AP": 20.0, "mIoU": 70.0},
]


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGBA")).astype(int)


def has_color(content: bytes, hexadecimal: str) -> bool:
    rgb = np.array([int(hexadecimal[i : i + 2], 16) for i in (1, 3, 5)])
    image = pixels(content)
    return bool(((np.abs(image[..., :3] - rgb).max(-1) < 12) & (image[..., 3] > 200)).any())


@pytest.mark.parametrize("draw", [loss_curves, metric_curves])
def test_curves_are_png_of_the_size_asked_for_and_repeatable(draw):
    content = draw(HISTORY, size=(4.0, 2.5), dpi=100)
    assert pixels(content).shape == (250, 400, 4)
    assert pixels(content)[0, 0, 3] == 0  # transparent: the page decides the background
    assert content == draw(HISTORY, size=(4.0, 2.5), dpi=100)
    assert content != draw(HISTORY, theme=DARK, size=(4.0, 2.5), dpi=100)


def test_only_what_was_recorded_is_drawn():
    losses = loss_curves(HISTORY)
    assert has_color(losses, "#0072b2") and has_color(losses, "#d55e00")  # class, mask
    assert not has_color(losses, "#009e73")  # dice is 0: a log scale cannot show it
    assert not has_color(losses, "#b0609a")  # contrastive is absent
    assert has_color(metric_curves(HISTORY), "#009e73")  # mIoU


def test_a_step_stands_where_the_plot_says():
    history = [{"kind": "train", "step": step, "class": 2.0} for step in (10, 90)]
    for plot in (loss_plot(history), loss_plot(history, size=(3.0, 4.0), dpi=90)):
        image = pixels(plot.png)
        blue = (np.abs(image[..., :3] - [0x00, 0x72, 0xB2]).max(-1) < 12) & (image[..., 3] > 200)
        row = blue.sum(1)[len(blue) // 4 :].argmax() + len(blue) // 4  # below the legend: the line from 10 to 90
        columns = np.flatnonzero(blue[row]) / image.shape[1]
        ends = columns.min(), columns.max()
        assert ends == pytest.approx([plot.start + plot.slope * step for step in (10, 90)], abs=0.01)


def test_scores_stand_below_the_losses_of_their_step():
    """Evaluations begin later than the log, but their axis does not."""
    spans = []
    for plot in (loss_plot(HISTORY), metric_plot(HISTORY)):
        left, right = plot.start + plot.slope * 1, plot.start + plot.slope * 100
        assert 0 < left < right < 1
        spans.append(right - left)
    assert spans[0] == pytest.approx(spans[1], rel=0.05)
    assert metric_plot(HISTORY[-1:]).slope > 0  # a single evaluation is shown as well


def test_layers_are_drawn_from_pale_to_full_colour():
    history = [{"kind": "train", "step": s, "by_layer": {"mask": [3 / s, 2 / s, None]}} for s in (1, 2, 3)]
    plot = layer_plot(history, "mask")
    shades = [f"#{''.join(f'{round(255 * v):02x}' for v in shade)}" for shade in _shades(LIGHT.lines["mask"], 3)]
    assert shades[2] == LIGHT.lines["mask"]
    assert has_color(plot.png, shades[0]) and has_color(plot.png, shades[1])
    assert plot == layer_plot(history, "mask") and plot != layer_plot(history, "dice")
    assert len(_shades("#0072b2", 1)) == 1 and _shades("#0072b2", 0) == []
    assert len(layer_plot(HISTORY, "class").png) > 1000  # a log without layers: it says so


def test_an_empty_history_still_gives_a_picture():
    for draw in (loss_curves, metric_curves):
        assert pixels(draw([])).shape[2] == 4


def test_series_skips_what_is_missing():
    steps, values = series(HISTORY[-2:], "AP")
    assert steps.tolist() == [100] and values.tolist() == [20]
    steps, values = series(HISTORY[-2:], "mIoU")
    assert steps.tolist() == [100] and values.tolist() == [70]
    assert series([], "PQ")[0].shape == (0,)


def test_smooth_is_a_centred_geometric_mean():
    # half window 1: the ends stay, the middle is the cube root of the product
    np.testing.assert_allclose(smooth(np.array([1.0, 8.0, 27.0]), share=0.7), [1, 6, 27])
    np.testing.assert_allclose(smooth(np.full(50, 3.0)), 3.0)
    exponential = np.exp(-np.arange(100) / 10)
    np.testing.assert_allclose(smooth(exponential), exponential)  # a straight line on a log scale


def test_no_global_state():
    code = (
        "import sys, oneformer_lite.render as r\n"
        "assert 'matplotlib' not in sys.modules and 'jinja2' not in sys.modules\n"
        "r.loss_curves([])\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
