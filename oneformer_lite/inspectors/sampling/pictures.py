"""Sampling points over a photograph: area for the weight, colour and shape for the level."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

# of each stride the colour (Okabe and Ito), the mark in text and its corners, 0 of a disc
MARKS = {
    128: ((204, 121, 167), "⬢", 6), 64: ((0, 158, 115), "⬟", 5), 32: ((213, 94, 0), "▲", 3),
    16: ((240, 228, 66), "■", 4), 8: ((86, 180, 233), "●", 0), 4: ((0, 114, 178), "⬡", 6),
}  # fmt: skip
_SMOOTH = 2  # drawn so many times as large, and reduced
_SHARE = 0.03  # of the picture, covered by all the points together


def point_radius(weight: float, size: tuple[int, int]) -> float:
    """In pixels of a picture of ``size``: the area is the weight's share, but never too small to be seen."""
    return max(1.5, (weight * _SHARE * size[0] * size[1] / np.pi) ** 0.5)


def draw_points(
    picture: np.ndarray, places: np.ndarray, weights: np.ndarray, levels: np.ndarray, cell: tuple[float, ...],
    strides: tuple[int, ...] = (32, 16, 8),
) -> np.ndarray:  # fmt: skip
    """uint8 [H, W, 3], paled, with ``places`` [n, 2] (row, column) on it, the largest below, and the query's ``cell``
    (top, left, bottom, right) framed. ``inspectors/sampling/page.js`` draws the same."""
    height, width = picture.shape[:2]
    pale = Image.fromarray((picture * 0.6 + 255 * 0.4).astype(np.uint8))
    canvas = pale.resize((width * _SMOOTH, height * _SMOOTH))
    draw = ImageDraw.Draw(canvas)
    top, left, bottom, right = (value * _SMOOTH for value in cell)
    draw.rectangle((left, top, right, bottom), outline=(255, 255, 255), width=4 * _SMOOTH)
    draw.rectangle((left, top, right, bottom), outline=(0, 0, 0), width=2 * _SMOOTH)
    for i in np.argsort(-weights, kind="stable"):
        row, column = places[i] * _SMOOTH
        _draw_shape(draw, row, column, point_radius(float(weights[i]), (height, width)) * _SMOOTH, strides[levels[i]])
    return np.asarray(canvas.resize((width, height), Image.BOX))


def _draw_shape(draw: ImageDraw.ImageDraw, row: float, column: float, radius: float, stride: int) -> None:
    """Triangle, square, disc or another mark of the same area."""
    color, _, corners = MARKS[stride]
    if not corners:
        box = (column - radius, row - radius, column + radius, row + radius)
        draw.ellipse(box, fill=color, outline=(0, 0, 0), width=_SMOOTH)
        return
    outer = radius * (2 * np.pi / corners / np.sin(2 * np.pi / corners)) ** 0.5
    angles = np.arange(corners) * 2 * np.pi / corners + (np.pi / 4 if corners == 4 else 0)
    points = [(column + outer * np.sin(a), row - outer * np.cos(a)) for a in angles]
    draw.polygon(points, fill=color, outline=(0, 0, 0), width=_SMOOTH)


def weight_bars(shares: np.ndarray, strides: tuple[int, ...]) -> str:
    """The weight of each level as bars, HTML; ``inspectors/sampling/page.js`` writes the same."""
    rows = []
    for share, stride in zip(shares, strides):
        color, shape, _ = MARKS[stride]
        mark = f'<span style="color:rgb{color};-webkit-text-stroke:1px var(--ofl-ink)">{shape}</span>'
        bar = f'<i style="display:inline-block;height:.8em;width:{10 * share:.2f}em;background:rgb{color}"></i>'
        rows.append(f'<tr><td>{mark} stride {stride}</td><td class="number">{share:.0%}</td><td>{bar}</td></tr>')
    return f'<table class="ofl-table">{"".join(rows)}</table>'
