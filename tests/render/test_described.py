"""A picture with words gives both wherever notebooks look for them."""

from __future__ import annotations

import base64
import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from nbformat.v4 import new_output
from PIL import Image

import oneformer_lite as ofl
from oneformer_lite.lessons.cells import output_html

ARRAY = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def shown(data: dict) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB"))


def data_alpha(data: dict) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGBA"))[..., 3]


@pytest.mark.parametrize(
    "picture",
    [ARRAY, Image.fromarray(ARRAY), ofl.render.png_bytes(ARRAY)],
    ids=["array", "Pillow", "PNG"],
)
def test_the_picture_and_its_words(picture, tmp_path) -> None:
    made = ofl.render.described(picture, "noise, six rows")
    data, metadata = DisplayFormatter().format(made)
    assert (shown(data) == ARRAY).all() and data["text/plain"] == repr(made) == "noise, six rows"
    assert metadata == {"image/png": {"alt": "noise, six rows"}, "needs_background": "light"}
    html = output_html(new_output("execute_result", data, metadata=metadata), tmp_path, ())
    assert html.startswith("<img ") and 'alt="noise, six rows"' in html


def test_a_figure_is_drawn_whole_and_closed() -> None:
    figure, ax = plt.subplots(figsize=(2, 1), dpi=50)
    ax.plot([0, 1])
    ax.set_title("higher than the figure", y=1.5)
    before = plt.get_fignums()
    data, _ = DisplayFormatter().format(ofl.render.described(figure, "a line"))
    picture = shown(data)
    assert picture.shape[0] > 50 and picture.min() < 100
    assert (data_alpha(data)[:2] == 0).all()  # nothing is cut at the top
    assert figure.number in before and figure.number not in plt.get_fignums()
