"""Figures of lessons are legible on white and on a dark page: contrast of what is really drawn, by WCAG 2."""

from __future__ import annotations

import base64
import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from oneformer_lite.lessons.cells import output_html
from oneformer_lite.render.described import described
from oneformer_lite.render.ink import luminance

PAGES = {"white": "#ffffff", "JupyterLab's dark": "#111111", "a lesson page's dark": "#14181f"}


def rgba(made) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(made.png)).convert("RGBA"))


def a_figure(**subplots):
    """Words, ticks, lines, a legend, an arrow and a bar: everything that is black by default or by wish."""
    figure, axes = plt.subplots(figsize=(4, 3), dpi=80, layout="constrained", **subplots)
    axes.plot([0, 1, 2], [0.1, 3, 2], "k--", label="dashed")
    axes.plot([0, 1, 2], [2, 0.2, 1], "ko", label="dots")
    axes.bar([0.5], [1.5], color="#1f2430", width=0.2)
    axes.scatter([1.5], [0.5], color="black")
    axes.annotate("here", (1, 3), (1.5, 2.5), arrowprops={"arrowstyle": "->"})
    axes.set(title="title", xlabel="step", ylabel="loss", yscale="log")
    axes.legend()
    axes.grid()
    figure.suptitle("above all")
    return figure


def contrast(color: str, ground: str) -> float:
    low, high = sorted((luminance(color), luminance(ground)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES.keys())
def test_whatever_is_drawn_is_legible(page) -> None:
    picture = rgba(described(a_figure(), "lines"))
    drawn = picture[picture[..., 3] == 255][:, :3]
    worst = min(contrast("#" + bytes(color).hex(), page) for color in np.unique(drawn, axis=0))
    assert len(drawn) > 1000 and worst >= 4


def test_the_paper_is_gone_and_the_page_shows_through() -> None:
    alpha = rgba(described(a_figure(facecolor="white"), "lines"))[..., 3]
    assert (alpha[0] == 0).all() and (alpha == 0).mean() > 0.5


def test_what_stands_on_an_image_or_in_a_box_keeps_its_colours() -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(4, 2), dpi=80)
    left.imshow(np.full((2, 2), 0.5), cmap="gray", vmin=0, vmax=1, alpha=0.5)
    on_image = left.text(0, 0, "dark", color="black")
    boxed = right.text(0.5, 0.5, "boxed", bbox={"facecolor": "white"})
    plain = right.text(0.1, 0.1, "plain", color="#0072b2")
    dark = right.text(0.1, 0.9, "dark", color="#222222")
    picture = rgba(described(figure, "an image and words"))
    assert (picture == (191, 191, 191, 255)).all(2).sum() > 1000  # half of the grey, half of its white paper
    assert (on_image.get_color(), boxed.get_color(), plain.get_color()) == ("black", "black", "#0072b2")
    assert dark.get_color() == left.title.get_color() != "#222222"


def test_a_lesson_page_puts_no_paper_under_it(tmp_path) -> None:
    from IPython.core.formatters import DisplayFormatter
    from nbformat.v4 import new_output

    def shown(picture) -> str:
        data, metadata = DisplayFormatter().format(described(picture, "words"))
        return output_html(new_output("display_data", data, metadata=metadata), tmp_path, ())

    assert shown(a_figure()).startswith('<img class="any-page"')
    assert shown(np.zeros((2, 2, 3), np.uint8)).startswith("<img src=")


def test_the_builder_keeps_it_transparent() -> None:
    from notebook_builder import outputs

    png = described(a_figure(), "lines").png
    small = Image.open(io.BytesIO(base64.b64decode(outputs.small_png(base64.b64encode(png).decode(), any_page=True))))
    before, after = rgba(described(a_figure(), "lines")), np.array(small.convert("RGBA"))
    assert small.mode == "P" and np.abs(before[..., 3].astype(int) - after[..., 3]).max() < 40
    assert (after[0, :, 3] == 0).all()
