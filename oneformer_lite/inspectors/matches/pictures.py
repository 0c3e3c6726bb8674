"""Cost matrices as pictures: queries as rows, segments as columns, the chosen pairs framed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from ...render.colors import RGB, ink_on
from ...render.fonts import font_for
from ...render.paper import WHITE, Paper

MATCHED: RGB = (230, 159, 0)  # Okabe and Ito
CHANGED: RGB = (213, 94, 0)
# cheap to expensive, lightness rising all the way
RAMP = ((8, 38, 84), (0, 114, 178), (120, 190, 230), (243, 246, 250))
_NAME = 14  # letters of a class name that fit above a column


@dataclass(frozen=True)
class Grid:
    """Where cells lie: ``cell`` (height, width) pixels; ``head`` rows and ``side`` columns hold the words."""

    cell: tuple[int, int]
    head: int
    side: int
    font: int

    def cell_at(self, row: int, column: int) -> tuple[int | None, int | None]:
        """The (row, column) of the matrix at a place counted in cells from the picture's corner; None: words."""
        return (row - self.head if row >= self.head else None), (column - self.side if column >= self.side else None)


def large_grid(names: Sequence[str]) -> Grid:
    """For the total, over columns of these names: cells with numbers, rows with names."""
    return _grid(names, 760, 24, 58, 170, 12)


def small_grid(names: Sequence[str]) -> Grid:
    """For one part of the costs: rows have numbers alone."""
    return _grid(names, 370, 17, 34, 34, 11)


def _grid(names: Sequence[str], width: int, cell_height: int, most: int, label: int, font: int) -> Grid:
    cell_width = min(max((width - label) // max(len(names), 1), font + 2), most)
    letters = min(max(map(len, names), default=0), _NAME)
    words = cell_width + round(0.62 * font * letters) + 6
    return Grid((cell_height, cell_width), -(-words // cell_height), -(-label // cell_width), font)


def cost_map(
    values: np.ndarray,
    limits: tuple[float, float],
    grid: Grid,
    names: Sequence[str],
    tiles: Sequence[np.ndarray],
    labels: Sequence[str],
    matched: Collection[tuple[int, int]],
    changed: Collection[tuple[int, int]] = (),
    given_up: Collection[tuple[int, int]] = (),
    chosen: tuple[int, int] | None = None,
    paper: Paper = WHITE,
) -> np.ndarray:
    """A heat map of ``values`` [R, G], dark where cheap; uint8 [H, W, 3].

    ``limits``: values of the darkest and the lightest colour. ``names`` and ``tiles`` (small uint8 pictures) head
    the columns, ``labels`` the rows. Pairs are (row, column): ``matched`` are framed, those that are ``changed`` in
    another colour; ``given_up`` are struck through; ``chosen`` has a black and white frame. Numbers stand in the
    cells where they fit. ``inspectors/matches/page.js`` paints the same.
    """
    height, width = grid.cell
    rows, columns = values.shape
    sheet = Image.new("RGB", ((grid.side + columns) * width, (grid.head + rows) * height), paper.ground)
    draw, font = ImageDraw.Draw(sheet), font_for(grid.font, names)
    left, top = grid.side * width, grid.head * height
    shares = ((values - limits[0]) / max(limits[1] - limits[0], 1e-9)).clip(0, 1) ** 0.5  # cheap ones differ most
    for column, (name, tile) in enumerate(zip(names, tiles, strict=True)):
        _head(sheet, name, tile, (left + column * width, top, width), font, paper)
    for row, label in enumerate(labels):
        draw.text((left - 6, top + (row + 0.5) * height), label, font=font, fill=paper.ink, anchor="rm")
        for column in range(columns):
            x, y = left + column * width, top + row * height
            color = ramp_color(shares[row, column])
            draw.rectangle((x, y, x + width - 2, y + height - 2), fill=color)
            if width >= 3 * grid.font - 2:
                middle = (x + width / 2 - 1, y + height / 2 - 1)
                draw.text(middle, f"{values[row, column]:z.1f}", font=font, fill=ink_on(color), anchor="mm")
    for row, column in given_up:
        x, y = left + column * width, top + row * height
        draw.line((x + 2, y + height - 4, x + width - 4, y + 2), fill=CHANGED, width=3)
    for row, column in matched:
        x, y = left + column * width, top + row * height
        color = CHANGED if (row, column) in changed else MATCHED
        draw.rectangle((x - 1, y - 1, x + width - 1, y + height - 1), outline=color, width=3)
        if (row, column) in changed:
            draw.polygon([(x, y), (x + 8, y), (x, y + 8)], fill=color)
    if chosen:
        x, y = left + chosen[1] * width, top + chosen[0] * height
        draw.rectangle((x, y, x + width - 2, y + height - 2), outline=(0, 0, 0), width=2)
        draw.rectangle((x + 2, y + 2, x + width - 4, y + height - 4), outline=WHITE.ground, width=1)
    return np.asarray(sheet)


def _head(
    sheet: Image.Image, name: str, tile: np.ndarray, place: tuple[int, int, int], font, paper: Paper
) -> None:
    """A column's mask, and above it the name, upright; ``place``: its left, its first row, its width."""
    x, top, width = place
    room = width - 4, width - 4
    small = Image.fromarray(tile)
    small.thumbnail(room)
    y = top - width + (width - small.height) // 2
    sheet.paste(small, (x + (width - 1 - small.width) // 2, y))
    name = name if len(name) <= _NAME else name[: _NAME - 2] + ".."
    line = Image.new("RGB", (int(font.getlength(name)) + 2, int(font.size * 1.4)), paper.ground)
    ImageDraw.Draw(line).text((0, line.height / 2), name, font=font, fill=paper.ink, anchor="lm")
    upright = line.rotate(90, expand=True)
    sheet.paste(upright, (x + (width - upright.width) // 2, top - width - 2 - upright.height))


def ramp_color(share: float) -> RGB:
    """The colour of a cost, 0 = cheapest, 1 = most expensive."""
    place = min(max(float(share), 0.0), 1.0) * (len(RAMP) - 1)
    i = min(int(place), len(RAMP) - 2)
    return tuple(round(a + (b - a) * (place - i)) for a, b in zip(RAMP[i], RAMP[i + 1]))


def mask_tile(mask: np.ndarray, color: RGB) -> np.ndarray:
    """A mask (uint8 [h, w], 255 = certain) in its colour on light grey; uint8 [h, w, 3]."""
    share = mask[..., None] / 255
    return ((1 - share) * np.array((228, 231, 237)) + share * np.array(color)).round().astype(np.uint8)


def mask_over(photo: np.ndarray, mask: np.ndarray, color: RGB) -> np.ndarray:
    """A small mask (uint8 [h, w]), smoothly enlarged, over a paled photo (uint8 [H, W, 3])."""
    size = photo.shape[1], photo.shape[0]
    share = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.BILINEAR))[..., None] * (0.75 / 255)
    pale = 0.55 * photo + 0.45 * 255
    return ((1 - share) * pale + share * np.array(color)).round().astype(np.uint8)


def small_photo(image: np.ndarray, side: int = 240) -> np.ndarray:
    """uint8 [H, W, 3] at ``side`` pixels on its longer side."""
    scale = side / max(image.shape[:2])
    height, width = (max(1, round(length * scale)) for length in image.shape[:2])
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0))
