"""Pictures of a panoptic merge: the segments, and what one query wins and loses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from ...render.colors import RGB
from ...render.masks import blend_masks

# Okabe and Ito, none of which an outcome has; the order is that of the numbers in query_parts, from 1
PARTS: dict[str, tuple[RGB, str]] = {
    "won": ((0, 114, 178), "in its mask, won"),
    "lost": ((240, 228, 66), "in its mask, won by another query"),
    "outside": ((86, 180, 233), "won outside its mask: stays void"),
    "idle": ((31, 36, 48), "its mask, but it does not compete"),
}
PART_OF, OUTCOME_OF = "The query:", "Result and ground truth:"  # what a legend's colours belong to
OUTCOMES = {"right": "TP", "invented": "FP", "missed": "FN", "ignored": "ignored"}  # verdict -> the metric's word
_OPACITY = 0.6


def paint_segments(photo: np.ndarray, ids: np.ndarray, colors: Mapping[int, RGB], zoom: int) -> np.ndarray:
    """uint8 [H, W, 3]: the map ``ids`` int [h, w] over the photograph, each of its pixels ``zoom`` pixels wide: the
    merge decides pixel by pixel, and nothing is smoothed."""
    return blend_masks(photo, ids.repeat(zoom, 0).repeat(zoom, 1), colors, _OPACITY)


def query_parts(winner: np.ndarray, own: np.ndarray, place: int, competes: bool) -> np.ndarray:
    """uint8 [h, w]: each pixel's number in PARTS for one query, 0 = none; ``winner`` int, ``own`` bool [h, w]."""
    if not competes:
        return np.where(own, 4, 0).astype(np.uint8)
    wins = winner == place
    return np.where(own, np.where(wins, 1, 2), np.where(wins, 3, 0)).astype(np.uint8)


def part_colors() -> dict[int, RGB]:
    """Colours of the numbers of :func:`query_parts`."""
    return {number: color for number, (color, _) in enumerate(PARTS.values(), start=1)}


def legend(entries: Sequence[tuple[str, RGB | None]]) -> str:
    """Coloured dots with their words, and words without a dot."""
    dot = '<i class="ofl-dot" style="background:rgb{}"></i>'
    dots = (f"<span>{dot.format(color) if color else ''}{escape(text)}</span>" for text, color in entries)
    return f'<div class="ofl-controls">{"".join(dots)}</div>'
