"""Feature maps as pictures: one value a position on a ramp, three on lightness and two pairs of colours."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from ...render.colors import oklab_to_rgb
from ...render.paper import WHITE, Paper

FRAME = (213, 94, 0)  # around the chosen one; Okabe and Ito's vermilion, which viridis has not
_GREY = (0.62, 0.0, 0.0)  # in OKLab, of the mean of all positions
_REACH = (0.26, 0.12, 0.12)  # how far two standard deviations of a component go from there


@cache
def ramp() -> np.ndarray:
    """uint8 [256, 3], low to high: viridis, whose lightness rises evenly, also for the colour-blind."""
    from matplotlib import colormaps

    return (colormaps["viridis"](np.arange(256))[:, :3] * 255).round().astype(np.uint8)


def to_codes(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Places on the ramp, uint8, from ``low`` (0) to ``high`` (255); all in the middle if these are equal."""
    if high <= low:
        return np.full(values.shape, 128, dtype=np.uint8)
    return ((values - low) / (high - low) * 255).round().clip(0, 255).astype(np.uint8)


def paint_values(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Values [h, w] on the ramp: uint8 [h, w, 3]."""
    return ramp()[to_codes(values, low, high)]


def paint_components(scores: np.ndarray) -> np.ndarray:
    """Three components [h, w, 3] as lightness, yellow against blue, red against green: uint8 [h, w, 3].

    The order is that in which viewers tell things apart: who does not see red and green loses the least. Each is
    measured in its own standard deviation and cut off at two.
    """
    spread = scores.std((0, 1), keepdims=True)
    levels = np.divide(scores, spread, out=np.zeros(scores.shape), where=spread > 0).clip(-2, 2) / 2
    light, yellow, red = np.moveaxis(levels * _REACH, -1, 0)
    return oklab_to_rgb(np.stack([light, red, yellow], -1) + _GREY)


def spread_cells(cells: np.ndarray, stride: int, seen: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Each position as the block of pixels it stands for: [h, w, ...] to [H, W, ...].

    ``seen``: height and width of the model's input, which the picture of ``size`` shows.
    """
    rows, columns = (
        ((np.arange(n) + 0.5) * side / n / stride).astype(int).clip(max=most - 1)
        for n, side, most in zip(size, seen, cells.shape)
    )
    return cells[rows][:, columns]


def tile_grid(
    tiles: Sequence[np.ndarray], columns: int, chosen: int | None, gap: int = 4, paper: Paper = WHITE
) -> np.ndarray:
    """Tiles of one size, uint8 [h, w, 3], row by row; the chosen one framed."""
    height, width = tiles[0].shape[0] + gap, tiles[0].shape[1] + gap
    rows = -(-len(tiles) // columns)
    sheet = np.full((rows * height + gap, columns * width + gap, 3), paper.ground, dtype=np.uint8)
    for i, tile in enumerate(tiles):
        top, left = i // columns * height, i % columns * width
        if i == chosen:
            sheet[top : top + height + gap, left : left + width + gap] = FRAME
        sheet[top + gap : top + height, left + gap : left + width] = tile
    return sheet


def tile_at(point: tuple[int, int], size: tuple[int, int], columns: int, count: int) -> int | None:
    """Which tile of a :func:`tile_grid` of ``size`` lies at (row, column); None beside the last."""
    rows = -(-count // columns)
    i = min(point[0] * rows // size[0], rows - 1) * columns + min(point[1] * columns // size[1], columns - 1)
    return i if i < count else None


def ramp_legend(low: float, high: float) -> str:
    """The ramp with its ends as HTML; ``inspectors/features/page.js`` writes the same."""
    stops = ",".join(f"rgb({','.join(map(str, color))})" for color in ramp()[::51].tolist())
    return (
        f'<span class="ofl-ramp" style="white-space:nowrap">{low:.2f}'
        '<i style="display:inline-block;width:7em;height:.8em;margin:0 .5em;border-radius:2px;'
        f'background:linear-gradient(90deg,{stops})"></i>{high:.2f}</span>'
    )
