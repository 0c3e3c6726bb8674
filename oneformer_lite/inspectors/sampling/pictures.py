"""Sampling points over a photograph: area for the weight, colour and shape for the level."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

LEVEL_COLORS = ((213, 94, 0), (240, 228, 66), (86, 180, 233))  # strides 32, 16, 8; Okabe and Ito
SHAPES = ("▲", "■", "●")
_SMOOTH = 2  # drawn so many times as large, and reduced
_SHARE = 0.03  # of the picture, covered by all the points together


def point_radius(weight: float, size: tuple[int, int]) -> float:
    """In pixels of a picture of ``size``: the area is the weight's share, but never too small to be seen."""
    return max(1.5, (weight * _SHARE * size[0] * size[1] / np.pi) ** 0.5)


def draw_points(
    picture: np.ndarray, places: np.ndarray, weights: np.ndarray, levels: np.ndarray, cell: tuple[float, ...]
) -> np.ndarray:
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
        _draw_shape(draw, row, column, point_radius(float(weights[i]), (height, width)) * _SMOOTH, int(levels[i]))
    return np.asarray(canvas.resize((width, height), Image.BOX))


def _draw_shape(draw: ImageDraw.ImageDraw, row: float, column: float, radius: float, level: int) -> None:
    """Triangle, square or disc of the same area."""
    if level == 2:
        box = (column - radius, row - radius, column + radius, row + radius)
        draw.ellipse(box, fill=LEVEL_COLORS[level], outline=(0, 0, 0), width=_SMOOTH)
        return
    corners = 3 if level == 0 else 4
    outer = radius * (2 * np.pi / corners / np.sin(2 * np.pi / corners)) ** 0.5
    angles = np.arange(corners) * 2 * np.pi / corners + (0 if corners == 3 else np.pi / 4)
    points = [(column + outer * np.sin(a), row - outer * np.cos(a)) for a in angles]
    draw.polygon(points, fill=LEVEL_COLORS[level], outline=(0, 0, 0), width=_SMOOTH)


def weight_bars(shares: np.ndarray, strides: tuple[int, ...]) -> str:
    """The weight of each level as bars, HTML; ``inspectors/sampling/page.js`` writes the same."""
    rows = []
    for share, stride, color, shape in zip(shares, strides, LEVEL_COLORS, SHAPES):
        mark = f'<span style="color:rgb{color};-webkit-text-stroke:1px #000">{shape}</span>'
        bar = f'<i style="display:inline-block;height:.8em;width:{10 * share:.2f}em;background:rgb{color}"></i>'
        rows.append(f'<tr><td>{mark} stride {stride}</td><td class="number">{share:.0%}</td><td>{bar}</td></tr>')
    return f'<table class="ofl-table">{"".join(rows)}</table>'
