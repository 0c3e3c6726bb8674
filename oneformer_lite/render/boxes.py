"""Boxes on pictures: those that a model says itself, beside the masks that it finds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

_LIGHT, _DARK = (255, 255, 255), (20, 20, 20)


def draw_boxes(image: np.ndarray, boxes: Sequence[Sequence[float]], scale: float = 1) -> np.ndarray:
    """``image`` uint8 [H, W, 3] with boxes [x, y, width, height], in pixels of a picture of which it shows each
    ``scale`` times as large: a light line on a dark one, so that both bright and dark ground show it."""
    if not boxes:
        return image
    picture = Image.fromarray(image)
    draw, line = ImageDraw.Draw(picture), max(1, round(min(image.shape[:2]) / 250))
    for x, y, width, height in boxes:
        left, top, right, bottom = (round(scale * side) for side in (x, y, x + width, y + height))
        for color, reach in ((_DARK, line), (_LIGHT, 0)):
            corners = left - reach, top - reach, max(left, right - 1) + reach, max(top, bottom - 1) + reach
            draw.rectangle(corners, outline=color, width=line + 2 * reach)
    return np.asarray(picture)
