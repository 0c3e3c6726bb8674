"""Pictures of losses: a batch as small pictures, segments and points by what they cost, curves with a cursor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from html import escape

import numpy as np
from PIL import Image

from ...render.colors import RGB, ink_on, oklab_to_rgb, rgb_to_oklab
from ...render.curves import Record, layer_plot, layer_terms, loss_plot
from ...render.labels import draw_labels
from ...render.masks import blend_masks
from ...render.overlay import boundaries, outline_width
from ...render.paper import DARK as DARK_PAPER
from ...render.paper import WHITE, Paper
from ...render.plots import DARK, LIGHT, Plot

HIGHEST = 4.0  # of the pointwise loss: the end of the colours; an undecided point (probability 0.5) has 0.69
PLOT = {"size": (4.0, 2.7), "dpi": 170}  # letters of 9 points stay legible on a phone
_ANCHORS = ((255, 250, 225), (240, 228, 66), (230, 159, 0), (213, 94, 0), (92, 14, 58))  # light to dark, Okabe and Ito
_CELL, _GAP, _COLUMNS = 176, 8, 4
FONT = 23  # pixels of the captions


@cache
def heat_colors() -> np.ndarray:
    """uint8 [256, 3]: from pale (costs nothing) over orange to dark, lightness falling all the way."""
    lab = rgb_to_oklab(np.array(_ANCHORS))
    at, places = np.linspace(0, 1, 256), np.linspace(0, 1, len(_ANCHORS))
    return oklab_to_rgb(np.stack([np.interp(at, places, channel) for channel in lab.T], axis=1))


def heat(values: np.ndarray, highest: float) -> np.ndarray:
    """Places 0..255 in :func:`heat_colors` of values from 0 to ``highest``; more is shown as the highest."""
    return (255 * np.clip(np.asarray(values) / (highest or 1.0), 0, 1)).round().astype(np.uint8)


def loss_plots(
    history: Sequence[Record], weights: Mapping[str, float], paper: Paper = WHITE
) -> dict[str, Plot]:
    """All losses over the steps as "losses"; by decoder layer each of those that are logged so, and their weighted
    "total"."""
    with_total, terms = [], layer_terms(history)
    for record in history:
        layers = record.get("by_layer") or {}
        if record.get("kind") == "train" and all(layers.get(name) for name in terms):
            rows = zip(*(layers[name] for name in terms))
            total = [
                None if None in row else sum(weights.get(n, 1.0) * v for n, v in zip(terms, row)) for row in rows
            ]  # fmt: skip
            record = {**record, "by_layer": {**layers, "total": total}}
        with_total.append(record)
    theme = DARK if paper == DARK_PAPER else LIGHT
    plots = {"losses": loss_plot(history, theme, **PLOT)}
    return plots | {name: layer_plot(with_total, name, theme, **PLOT) for name in ("total", *terms)}


def batch_sheet(
    pictures: Sequence[np.ndarray], captions: Sequence[str], chosen: int | None = None, paper: Paper = WHITE
) -> np.ndarray:
    """The pictures of a batch, four in a row, each with its caption; the ``chosen`` one framed. uint8 [H, W, 3]."""
    columns = min(_COLUMNS, len(pictures))
    rows, pitch = -(-len(pictures) // columns), _CELL + _GAP
    sheet = np.full((rows * pitch + _GAP, columns * pitch + _GAP, 3), paper.ground, dtype=np.uint8)
    for number, (picture, caption) in enumerate(zip(pictures, captions)):
        top, left = (_GAP + pitch * place for place in divmod(number, columns))
        if number == chosen:
            sheet[top - 5 : top + _CELL + 5, left - 5 : left + _CELL + 5] = (0, 114, 178)
        sheet[top : top + _CELL, left : left + _CELL] = _cell(picture, caption)
    return sheet


def place_in_sheet(number: int, count: int) -> tuple[float, float, float, float]:
    """Top, left, height and width of the frame around one of ``count`` pictures, as shares of a :func:`batch_sheet`."""
    columns, pitch = min(_COLUMNS, count), _CELL + _GAP
    high, wide = -(-count // columns) * pitch + _GAP, columns * pitch + _GAP
    row, column = divmod(number, columns)
    top, left, side = _GAP + pitch * row - 5, _GAP + pitch * column - 5, _CELL + 10
    return top / high, left / wide, side / high, side / wide


def image_in_sheet(row: int, column: int, count: int) -> int | None:
    """Which of ``count`` pictures of a :func:`batch_sheet` lies at a pixel; None beyond the last."""
    columns, pitch = min(_COLUMNS, count), _CELL + _GAP
    number = min((row - _GAP // 2) // pitch, count) * columns + min(max(0, column - _GAP // 2) // pitch, columns - 1)
    return number if 0 <= number < count else None


def segments_by_cost(photo: np.ndarray, ids: np.ndarray, costs: Mapping[int, float], highest: float) -> np.ndarray:
    """The photograph with each segment (``ids`` int [H, W], 0 = none) in the colour of what it costs."""
    table = heat_colors()
    colors: dict[int, RGB] = {i: tuple(map(int, table[heat(cost, highest)])) for i, cost in costs.items()}
    return blend_masks(photo, ids, colors, opacity=0.72) if colors else photo.copy()


def points_by_cost(photo: np.ndarray, mask: np.ndarray, points: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """A pale photograph with the outline of ``mask`` (bool [H, W]) and a dot at each of ``points`` ([P, 2], (x, y) in
    0..1) in the colour of its place 0..255 in :func:`heat_colors`; those that cost most lie on top."""
    height, width = photo.shape[:2]
    picture = (photo.astype(np.float32) * 0.45 + 0.55 * 150).astype(np.uint8)
    picture[boundaries(mask.astype(np.uint8), outline_width((height, width)) + 1)] = (0, 114, 178)
    order, table = np.argsort(costs, kind="stable"), heat_colors()
    places = (points[order] * (width, height)).astype(int)
    radius = max(1, round(min(height, width) / 190))
    around = np.arange(-radius, radius + 1)
    for dy in around:  # dot by dot in rising order would be slow: all pixels of one offset at once, ranks decide
        for dx in around[around**2 + dy**2 <= radius**2 + 1]:
            rows, columns = np.clip(places[:, 1] + dy, 0, height - 1), np.clip(places[:, 0] + dx, 0, width - 1)
            picture[rows, columns] = table[costs[order]]
    return picture


def on_heat(color: np.ndarray) -> str:
    """Style of a cell of this colour (uint8 [3]), whose words stand out."""
    return f"background:rgb({','.join(map(str, color))});color:rgb{ink_on(color)}"


def norms_table(components: Sequence[str], terms: Sequence[str], norms: np.ndarray) -> str:
    """Gradient norms as an HTML table, coloured on a logarithmic scale over four decades."""
    largest, table = norms.max(initial=0.0), heat_colors()
    head = "".join(f'<th class="number">{escape(term)}</th>' for term in terms)
    rows = []
    for component, values in zip(components, norms):
        cells = "".join(_cell_of(value, largest, table) for value in values)
        rows.append(f"<tr><th>{escape(component.replace('_', ' '))}</th>{cells}</tr>")
    return f'<table class="ofl-table ofl-norms"><tr><th></th>{head}</tr>{"".join(rows)}</table>'


def scale_bar(low: str, high: str) -> str:
    """The colours of :func:`heat_colors` as a small bar with words at its ends."""
    stops = ",".join(f"rgb({','.join(map(str, heat_colors()[i]))})" for i in range(0, 256, 51))
    bar = f'<i style="display:inline-block;width:8rem;height:.8em;background:linear-gradient(90deg,{stops})"></i>'
    return f'<span class="ofl-scale">{escape(low)} {bar} {escape(high)}</span>'


def _cell_of(value: float, largest: float, table: np.ndarray) -> str:
    if not value > 0:
        return '<td class="number" style="color:var(--ofl-soft)">0</td>'
    share = np.clip(1 + np.log10(value / largest) / 4, 0, 1)
    color = table[int(255 * share)]
    return f'<td class="number" style="{on_heat(color)}">{value:.3g}</td>'


def _cell(picture: np.ndarray, caption: str) -> np.ndarray:
    image = Image.fromarray(picture)
    image.thumbnail((_CELL, _CELL), Image.BICUBIC)
    if max(image.size) < _CELL:
        factor = _CELL / max(image.size)
        image = image.resize((round(image.width * factor), round(image.height * factor)), Image.BICUBIC)
    cell = Image.new("RGB", (_CELL, _CELL), (240, 242, 245))
    cell.paste(image, ((_CELL - image.width) // 2, (_CELL - image.height) // 2))
    place = _CELL // 2, _CELL - 20
    return draw_labels(np.asarray(cell), [(caption, place, place)], size=FONT)
