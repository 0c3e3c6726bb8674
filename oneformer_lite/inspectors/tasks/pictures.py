"""Pictures of what a task token changes: segments with names, a blend's chart, a query's mask, a token's difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ...render.colors import RGB
from ...render.fonts import font_for, shortened
from ...render.labels import draw_labels, label_items, label_size
from ...render.masks import blend_masks
from ...render.paper import WHITE, Paper
from ..queries.pictures import GREY, OUTSIDE

# The chart in units: a cell is 1 x 1. Left of the cells the query's number, right of them words, above them the curve.
LEFT, RIGHT, ABOVE = 2, 8, 5
_CELL, _ROW, FONT = 44, 40, 30  # pixels; on a phone, 360 pixels wide, letters are still 11 pixels high
COUNT_COLORS: dict[str, RGB] = {"things": (0, 114, 178), "stuff": (213, 94, 0)}  # Okabe and Ito


@dataclass(frozen=True)
class BlendChart:
    """``counts``: name -> segments at each of S steps; ``queries`` int [n], a row each: ``classes`` and ``scores``
    [S, n], ``heard`` bool [S, n] (sure enough to make a segment), ``words`` [n] to the right; ``ends``: the tasks."""

    ends: tuple[str, str]
    counts: Mapping[str, Sequence[int]]
    queries: np.ndarray
    classes: np.ndarray
    scores: np.ndarray
    heard: np.ndarray
    words: Sequence[str]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in units."""
        return ABOVE + len(self.queries), LEFT + len(self.classes) + RIGHT


def blend_chart(chart: BlendChart, colors: Mapping[int, RGB], paper: Paper = WHITE) -> np.ndarray:
    """uint8 [H, W, 3]: over the blend's steps, how many segments there are, and what each query says: its class's
    ``colors``, paler where unsure, a low bar where too unsure for a segment, nothing for no object."""
    height, width = chart.size
    sheet = Image.new("RGB", (width * _CELL, height * _ROW), paper.ground)
    draw, font = ImageDraw.Draw(sheet), font_for(FONT, chart.words)
    _draw_counts(draw, font, chart, paper)
    steps, axis = len(chart.classes), (ABOVE - 0.5) * _ROW
    left, right = LEFT * _CELL, (LEFT + steps) * _CELL
    draw.text((left, axis), chart.ends[0], paper.faint, font, "lm")
    draw.text((right, axis), chart.ends[1], paper.faint, font, "rm")
    draw.text(((left + right) / 2, axis), "blend", paper.faint, font, "mm")
    for row, query in enumerate(chart.queries):
        y = (ABOVE + row) * _ROW
        draw.text((left - 12, y + _ROW / 2), f"q{query}", paper.faint, font, "rm")
        for step in range(steps):
            _draw_cell(draw, chart, colors, (row, step), paper)
        words = shortened(chart.words[row], font, RIGHT * _CELL - 20)
        draw.text((right + 16, y + _ROW / 2), words, paper.ink, font, "lm")
    return np.asarray(sheet)


def mark_cell(picture: np.ndarray, row: int | None, step: int) -> np.ndarray:
    """A chart with frames around a step, in the curve and in the rows (they would cross the words between), and, if it
    has one, a query's row. ``inspectors/tasks/page.js`` draws the same."""
    sheet = Image.fromarray(picture)
    draw = ImageDraw.Draw(sheet)
    x = (LEFT + step) * _CELL
    for top, bottom in ((0, (ABOVE - 1) * _ROW), (ABOVE * _ROW, sheet.height - 1)):
        draw.rectangle((x, top, x + _CELL, bottom), outline=WHITE.ink, width=4)
    if row is not None:
        y = (ABOVE + row) * _ROW
        draw.rectangle((2, y, sheet.width - 3, y + _ROW), outline=WHITE.ink, width=4)
    return np.asarray(sheet)


def _draw_cell(
    draw: ImageDraw.ImageDraw, chart: BlendChart, colors: Mapping[int, RGB], place: tuple[int, int], paper: Paper
) -> None:
    row, step = place
    y = (ABOVE + row) * _ROW
    x, class_id = (LEFT + step) * _CELL, int(chart.classes[step, row])
    draw.rectangle((x + 2, y + 3, x + _CELL - 2, y + _ROW - 3), paper.empty)
    if class_id in colors:
        share = 0.15 + 0.85 * float(chart.scores[step, row])
        fill = tuple(round(g + share * (value - g)) for value, g in zip(colors[class_id], paper.ground))
        top = y + 3 if chart.heard[step, row] else y + _ROW - 14
        draw.rectangle((x + 2, top, x + _CELL - 2, y + _ROW - 3), fill)


def _draw_counts(draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont, chart: BlendChart, paper: Paper) -> None:
    top, bottom = 0.6 * _ROW, (ABOVE - 1.4) * _ROW
    highest = max(1, *(max(values) for values in chart.counts.values()))
    steps = len(chart.classes)
    x = [(LEFT + step + 0.5) * _CELL for step in range(steps)]
    draw.line((LEFT * _CELL, bottom, (LEFT + steps) * _CELL, bottom), paper.line, 2)
    heights = {n: [bottom - (bottom - top) * v / highest for v in values] for n, values in chart.counts.items()}
    for name, y in heights.items():
        color = COUNT_COLORS[name]
        draw.line(list(zip(x, y)), color, 5, joint="curve")
        for point in zip(x, y):
            draw.circle(point, 7, color)
    for end, anchor, place in ((0, "rm", LEFT * _CELL - 8), (-1, "lm", (LEFT + steps) * _CELL + 16)):
        ends = _apart({name: y[end] for name, y in heights.items()}, FONT)
        for name, y in ends.items():
            words = f"{chart.counts[name][end]}" + (f" {name}" if end else "")
            draw.text((place, y), words, COUNT_COLORS[name], font, anchor)


def _apart(places: dict[str, float], gap: float) -> dict[str, float]:
    """Two heights, moved apart where they are closer than ``gap``."""
    (low, y1), (high, y2) = sorted(places.items(), key=lambda item: item[1])
    push = max(0.0, gap - (y2 - y1)) / 2
    return {low: y1 - push, high: y2 + push}


def named_segments(
    photo: np.ndarray, ids: np.ndarray, colors: Mapping[int, RGB], names: Mapping[int, str]
) -> np.ndarray:
    """Segments over a photograph (uint8 [H, W, 3]), with their names. ``ids`` int [H, W], 0 = void."""
    size = letters(photo)
    kinds, places = np.unique(ids, return_inverse=True)  # ids may be large: renumber them
    places = places.reshape(ids.shape)
    table = {place: colors[int(kind)] for place, kind in enumerate(kinds) if int(kind) in colors}
    return draw_labels(blend_masks(photo, places, table), label_items(ids, names, size), size)


def letters(photo: np.ndarray) -> int:
    """Height of the names, in pixels: legible where the picture has a column of a page or a phone's width."""
    return max(label_size(photo.shape[:2]), round(photo.shape[1] / 31))


def query_mask(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The photograph where the mask (uint8 [h, w], any size) says that the query's segment is, dark and grey elsewhere,
    as QueryInspector shows it. ``inspectors/tasks/page.js`` paints the same."""
    inside = np.asarray(Image.fromarray(mask).resize(photo.shape[1::-1], Image.Resampling.BILINEAR))[..., None] / 255.0
    grey = (photo @ (OUTSIDE * GREY))[..., None]
    return (inside * photo + (1 - inside) * grey).round().astype(np.uint8)


def shrunk(masks: np.ndarray, pixels: float) -> np.ndarray:
    """Masks uint8 [Q, h, w], reduced until all of them together have at most ``pixels`` pixels."""
    height, width = masks.shape[1:]
    share = min(1.0, (pixels / max(masks.size, 1)) ** 0.5)
    if share == 1:
        return masks
    size = max(1, int(width * share)), max(1, int(height * share))
    return np.stack([np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.BOX)) for mask in masks])


def mask_atlas(masks: Sequence[np.ndarray], columns: int = 16) -> np.ndarray:
    """uint8 [rows h, columns w, 3]: the masks (uint8 [Q, h, w] each) of three readings as red, green and blue, query
    by query, row by row; 32 shades, which compress well."""
    stacked = np.stack(masks, axis=-1) // 8 * 8  # [Q, h, w, 3]
    count, height, width = stacked.shape[:3]
    rows = -(-count // columns)
    filled = np.zeros((rows * columns, height, width, 3), dtype=np.uint8)
    filled[:count] = stacked
    grid = filled.reshape(rows, columns, height, width, 3).swapaxes(1, 2)
    return grid.reshape(rows * height, columns * width, 3)


def difference_bars(difference: np.ndarray) -> str:
    """SVG: one bar for each channel of ``difference`` [C], up where positive, blue, and down where negative, red."""
    count, reach = len(difference), float(np.abs(difference).max()) or 1.0
    paths = []
    for sign, color in ((1, COUNT_COLORS["things"]), (-1, COUNT_COLORS["stuff"])):
        bars = [f"M{c + 0.5} 50V{50 - 48 * v / reach:.1f}" for c, v in enumerate(difference) if v * sign > 0]
        if bars:
            paths.append(f'<path d="{"".join(bars)}" stroke="rgb{color}" stroke-width=".75"/>')
    return (
        f'<svg viewBox="0 0 {count} 100" preserveAspectRatio="none" role="img" aria-label="difference by channel" '
        'style="width:100%;height:7rem;display:block">'
        f'<path d="M0 50H{count}" stroke="var(--ofl-edge)" stroke-width=".5"/>'
        f"{''.join(paths)}</svg>"
    )
