"""Masks of queries over a photograph, where a query looks, and many of them on one sheet with words beneath."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape

import numpy as np
from PIL import Image, ImageDraw

from ...render.colors import RGB
from ...render.fonts import font_for, shortened
from ...render.overlay import boundaries, outline_width
from ...render.paper import WHITE, Paper

ATTENTION: RGB = (230, 159, 0)  # Okabe and Ito
TRUTH: RGB = (240, 228, 66)
CHOSEN: RGB = (0, 114, 178)
BOX: RGB = (86, 180, 233)
OUTSIDE, _TINT = 0.42, 0.55  # light that is left outside a mask, share of the colour inside
GREY = np.array([0.299, 0.587, 0.114])
_GAP, _LINE = 8, 15
STYLE = """.ofl-bars td { border: 0; padding: .1rem .6rem .1rem 0; } .ofl-bar { width: 9rem; }
.ofl-bar i { display: block; height: .8em; min-width: 1px; border-radius: 2px; }
.ofl-line { margin: .3rem 0; } .ofl-note { color: var(--ofl-soft); }
.ofl-cells { display: grid; gap: 4px; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); }
.ofl-strip { display: flex; gap: 4px; }
.ofl-cell { border: 3px solid transparent; border-radius: 4px; background: var(--ofl-paper); padding: 2px;
  cursor: pointer; font: inherit; font-size: 12px; line-height: 1.3; color: inherit; text-align: center; min-width: 0; }
.ofl-strip .ofl-cell { flex: 0 0 auto; width: 148px; } .ofl-strip.many .ofl-cell { width: 106px; }
.ofl-cell canvas { display: block; width: 100%; height: auto; border-radius: 2px; margin-bottom: 3px; }
.ofl-cell span { display: block; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.ofl-cell span + span { color: var(--ofl-soft); } .ofl-cell.empty canvas.mask { opacity: .5; }
.ofl-cell[aria-pressed=true] { border-color: var(--ofl-accent); background: var(--ofl-chosen); }
.ofl-cell:focus-visible { outline: 3px solid #e69f00; }
@media print { .ofl-strip { flex-wrap: wrap; } .ofl-cell { break-inside: avoid; font-size: 10px; }
  .ofl-cells { grid-template-columns: repeat(auto-fill, minmax(96px, 1fr)); }
  .ofl-strip .ofl-cell { width: 98px !important; }
  b[id^=caption] { display: block; break-after: avoid; } }"""


@dataclass(frozen=True)
class Cell:
    """Pictures above each other (None: an empty place), and two lines of words; ``faint`` ones step back."""

    pictures: tuple[np.ndarray | None, ...]
    title: str
    text: str
    faint: bool = False


class Ground:
    """A photograph, uint8 [H, W, 3], and what is painted over it again and again needs of it."""

    def __init__(self, photo: np.ndarray) -> None:
        self.photo = photo

    @cached_property
    def grey(self) -> np.ndarray:
        """float32 [H, W, 1]."""
        return (self.photo @ GREY.astype(np.float32))[..., None]

    @cached_property
    def dark(self) -> np.ndarray:
        """float32 [H, W, 1]: what a mask leaves outside."""
        return (self.photo @ (OUTSIDE * GREY).astype(np.float32))[..., None]

    @cached_property
    def untinted(self) -> np.ndarray:
        """float32 [H, W, 3]: the photograph's part inside a mask."""
        return (1 - _TINT) * self.photo.astype(np.float32)


def mask_over(
    photo: np.ndarray | Ground, logits: np.ndarray, color: RGB, truth: np.ndarray | None = None, outline: bool = True
) -> np.ndarray:
    """The photograph in the mask's colour where its probability is high, dark and grey where it is low.

    ``photo`` uint8 [H, W, 3], or its :class:`Ground`; ``logits`` [H, W]; ``truth`` bool [H, W] is drawn as a yellow
    line. ``inspectors/queries/page.js`` paints the same.
    """
    ground = photo if isinstance(photo, Ground) else Ground(photo)
    share = (1 / (1 + np.exp(-logits.astype(np.float32).clip(-30, 30))))[..., None]
    inside = ground.untinted + _TINT * np.array(color, dtype=np.float32)
    inside *= share
    inside += (1 - share) * ground.dark + np.float32(0.5)  # rounds
    painted = inside.astype(np.uint8)
    width = outline_width(painted.shape[:2])
    if outline:
        painted[boundaries(logits >= 0, width)] = 255
    if truth is not None:
        painted[boundaries(truth, width + 1)] = TRUTH
    return painted


def with_box(picture: np.ndarray, box: np.ndarray) -> np.ndarray:
    """A blue frame around ``box``: centre x, y, width and height in shares of the picture, which it may leave."""
    height, width = picture.shape[:2]
    x, y, w, h = box * np.array([width, height, width, height])
    drawn = Image.fromarray(picture)
    corners = (x - w / 2, y - h / 2, x + w / 2 - 1, y + h / 2 - 1)
    corners = tuple(round(float(v)) for v in np.clip(corners, -width - height, 2 * (width + height)))
    if corners[2] >= corners[0] and corners[3] >= corners[1]:
        ImageDraw.Draw(drawn).rectangle(corners, outline=BOX, width=2)
    return np.asarray(drawn)


def attention_over(
    photo: np.ndarray | Ground, weights: np.ndarray, region: np.ndarray, cells: tuple[float, float]
) -> np.ndarray:
    """Orange, the stronger the more attention a cell gets; dark where the query may not look.

    ``weights`` and ``region`` [h, w]; ``cells``: how many rows and columns of them the photograph covers (the rest is
    padding).
    """
    ground = photo if isinstance(photo, Ground) else Ground(photo)
    size = ground.photo.shape[:2]
    rows, columns = ((np.arange(n) + 0.5) * c / n for n, c in zip(size, cells))
    place = np.ix_(rows.astype(int).clip(max=weights.shape[0] - 1), columns.astype(int).clip(max=weights.shape[1] - 1))
    share = (0.85 * weights / max(float(weights.max()), 1e-9)).astype(np.float32)[place][..., None]
    light = np.where(region, np.float32(0.8), np.float32(0.3))[place][..., None]
    painted = share * np.array(ATTENTION, dtype=np.float32)
    painted += (1 - share) * light * ground.grey + np.float32(0.5)  # rounds
    painted = painted.astype(np.uint8)
    painted[boundaries(region[place], outline_width(size))] = 255
    return painted


def fit(size: tuple[int, int], room: tuple[int, int]) -> tuple[int, int]:
    """The largest size with the proportions of ``size`` that has room."""
    factor = min(room[0] / size[0], room[1] / size[1])
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def cell_sheet(
    cells: Sequence[Cell], columns: int, chosen: int | None = None, paper: Paper = WHITE
) -> np.ndarray:
    """The cells row by row, all of one size, so that a place on the sheet is a cell; ``chosen`` gets a frame."""
    sizes = [[(0, 0) if p is None else p.shape[:2] for p in cell.pictures] for cell in cells]
    heights = [max(size[i][0] for size in sizes) for i in range(len(sizes[0]))]
    width = max(max(w for _, w in size) for size in sizes) + _GAP
    height = sum(heights) + 4 * (len(heights) - 1) + 2 * _LINE + _GAP + 6
    rows = -(-len(cells) // columns)
    sheet = Image.new("RGB", (columns * width, rows * height), paper.ground)
    draw = ImageDraw.Draw(sheet)
    font = font_for(12, (word for cell in cells for word in (cell.title, cell.text)))
    for i, cell in enumerate(cells):
        x, y = i % columns * width, i // columns * height
        if i == chosen:
            draw.rectangle((x, y, x + width - 1, y + height - 1), fill=paper.chosen, outline=CHOSEN, width=3)
        top = y + _GAP // 2
        for picture, room in zip(cell.pictures, heights):
            if picture is not None:
                sheet.paste(Image.fromarray(picture), (x + (width - picture.shape[1]) // 2, top))
            top += room + 4
        for text, ink in ((cell.title, paper.faint if cell.faint else paper.ink), (cell.text, paper.faint)):
            draw.text((x + width / 2, top), shortened(text, font, width - 4), font=font, fill=ink, anchor="ma")
            top += _LINE
    return np.asarray(sheet)


def faded(picture: np.ndarray, paper: Paper = WHITE) -> np.ndarray:
    """Half as much of it, over the paper: what says of itself that it is no object."""
    return ((picture.astype(np.uint16) + np.array(paper.ground, np.uint16)) // 2).astype(np.uint8)


def quantised(logits: np.ndarray) -> np.ndarray:
    """Mask logits as uint8 in steps of 1/8 from -16 to 15.9, 128 for 0: what the exported page keeps."""
    return (8 * logits + 128).round().clip(0, 255).astype(np.uint8)


def mosaic(maps: np.ndarray) -> np.ndarray:
    """Maps [n, h, w] side by side and above each other, ceil(sqrt(n)) in a row."""
    count, height, width = maps.shape
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    padded = np.concatenate([maps, np.zeros((rows * columns - count, height, width), maps.dtype)])
    grid = padded.reshape(rows, columns, height, width).transpose(0, 2, 1, 3)
    return grid.reshape(rows * height, columns * width)


def class_bars(classes: Sequence[tuple[str, float, RGB]]) -> str:
    """HTML: (name, probability, colour) as bars from 0 to 1, with the numbers."""
    bars = (
        f'<tr><td>{escape(name)}</td><td class="number">{value:.2f}</td><td class="ofl-bar">'
        f'<i style="width:{100 * value:.1f}%;background:rgb{tuple(color)}"></i></td></tr>'
        for name, value, color in classes
    )
    return f'<table class="ofl-table ofl-bars">{"".join(bars)}</table>'
