"""Segments over a photograph for looking closely: opacity, outlines, and only some of them, if so wished."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image

from .colors import RGB
from .overlay import boundaries, enlarge, enlarge_map, outline_width

VERDICT_COLORS: dict[str, RGB] = {  # Okabe and Ito
    "right": (0, 158, 115),
    "wrong class": (230, 159, 0),
    "split": (86, 180, 233),
    "merged": (0, 114, 178),
    "missed": (213, 94, 0),
    "invented": (204, 121, 167),
    "ignored": (140, 140, 140),
}
_SMALL, _LARGE = 480, 1024  # pixels of the longer side between which pictures are shown


def display_factor(size: tuple[int, int]) -> float:
    """How many times as large a picture is shown: small ones a whole number of times, large ones reduced."""
    longest = max(size)
    return max(1, round(_SMALL / longest)) if longest <= _LARGE else _LARGE / longest


def display_image(image: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3] at the size at which it is shown."""
    factor = display_factor(image.shape[:2])
    if factor >= 1:
        return enlarge(image, int(factor))
    return np.asarray(Image.fromarray(image).resize(_scaled(image.shape[:2], factor)[::-1], Image.BOX))


def display_ids(ids: np.ndarray) -> np.ndarray:
    """A map of ids, int [H, W], at the size of :func:`display_image`."""
    factor = display_factor(ids.shape)
    if factor >= 1:
        return enlarge_map(ids, int(factor))
    height, width = _scaled(ids.shape, factor)
    rows, columns = (np.arange(n) * size // n for n, size in ((height, ids.shape[0]), (width, ids.shape[1])))
    return ids[rows][:, columns]


def blend_masks(
    image: np.ndarray, ids: np.ndarray, colors: Mapping[int, RGB], opacity: float = 0.6, outline: bool = True
) -> np.ndarray:
    """``(1 - opacity) * image + opacity * color`` where ``colors`` has the pixel's id; the rest stays a photograph.

    ``image`` uint8 [H, W, 3], ``ids`` int [H, W], small numbers from 0 on. The outlines are drawn in full.
    ``ofl.blend`` in ``inspectors/page.js`` paints the same.
    """
    count = max(int(ids.max()), *colors, 0) + 1
    share, own = np.zeros(count, dtype=np.uint16), np.zeros(count, dtype=np.uint16)
    table = np.full((count, 3), 255, dtype=np.uint16)
    for number, color in colors.items():
        share[number], own[number], table[number] = round(256 * opacity), number, color
    blended = (table * share[:, None] + np.uint16(128)).take(ids, axis=0)  # a colour's part, looked up and not computed
    blended += image * (256 - share).take(ids)[..., None]
    blended >>= 8
    if outline:
        edge = boundaries(own.take(ids), outline_width(image.shape[:2]))
        blended[edge] = (table[ids[edge]] + 255) >> 1
    return blended.astype(np.uint8)


def greyed(photo: np.ndarray) -> np.ndarray:
    """The photograph (uint8 [H, W, 3]) without its colours, and pale: under colours that have a meaning.
    ``ofl.greyed`` in ``inspectors/page.js`` does the same."""
    grey = np.rint(photo @ np.array([0.299, 0.587, 0.114]) * 0.6 + 90).astype(np.uint8)
    return grey[..., None].repeat(3, axis=2)


def mark_point(picture: np.ndarray, row: float, column: float) -> np.ndarray:
    """A copy with a white and black ring around a place (in pixels of the picture)."""
    height, width = picture.shape[:2]
    radius = max(5.0, min(height, width) / 50)
    marked, reach = picture.copy(), radius + 3
    top, left = max(0, int(row - reach)), max(0, int(column - reach))
    around = marked[top : int(row + reach) + 1, left : int(column + reach) + 1]
    distance = np.hypot(*np.ogrid[top - row : top - row + len(around), left - column : left - column + around.shape[1]])
    around[(distance < radius + 2) & (distance >= radius - 1)] = 255
    around[(distance < radius + 1) & (distance >= radius)] = 0
    return marked


def _scaled(size: tuple[int, int], factor: float) -> tuple[int, int]:
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
