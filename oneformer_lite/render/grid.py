"""Many pictures on one sheet, and pictures as bytes for files, notebooks and HTML."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from ..errors import DataError
from .fonts import font_for
from .paper import WHITE, Paper


def contact_sheet(
    rows: Sequence[Sequence[np.ndarray | None]],
    column_titles: Sequence[str] = (),
    row_titles: Sequence[str] = (),
    gap: int = 8,
    font_size: int = 15,
    paper: Paper = WHITE,
) -> np.ndarray:
    """Rows of uint8 [h, w, 3] pictures on a ``paper``, with titles above and to the left.

    Each column is as wide as its widest picture, each row as high as its highest; smaller pictures
    are centred, ``None`` leaves a cell empty. Returns uint8 [H, W, 3].
    """
    if not any(picture is not None for row in rows for picture in row):
        raise DataError("a contact sheet needs at least one picture, got none")
    columns = max(len(row) for row in rows)
    heights = [max((p.shape[0] for p in row if p is not None), default=0) for row in rows]
    widths = [max((r[c].shape[1] for r in rows if c < len(r) and r[c] is not None), default=0) for c in range(columns)]
    font = font_for(font_size, [*column_titles, *row_titles])
    left = gap + (max(int(font.getlength(t)) for t in row_titles) + gap if row_titles else 0)
    top = gap + (font_size + gap if column_titles else 0)
    xs = left + np.cumsum([0] + [w + gap for w in widths])
    ys = top + np.cumsum([0] + [h + gap for h in heights])

    sheet = Image.new("RGB", (int(xs[-1]), int(ys[-1])), paper.ground)
    draw = ImageDraw.Draw(sheet)
    for title, x, w in zip(column_titles, xs, widths, strict=False):
        draw.text((x + w / 2, gap + font_size / 2), title, font=font, fill=paper.title, anchor="mm")
    for title, y, h in zip(row_titles, ys, heights, strict=False):
        draw.text((gap, y + h / 2), title, font=font, fill=paper.title, anchor="lm")
    for row, y, h in zip(rows, ys, heights, strict=False):
        for picture, x, w in zip(row, xs, widths, strict=False):
            if picture is not None:
                inset = ((w - picture.shape[1]) // 2, (h - picture.shape[0]) // 2)
                sheet.paste(Image.fromarray(picture), (int(x) + inset[0], int(y) + inset[1]))
    return np.asarray(sheet)


def png_bytes(picture: np.ndarray, colors: int | None = None) -> bytes:
    """The picture (uint8 [H, W, 3]) as an optimised PNG, which takes its time: see :func:`quick_bytes`.

    ``colors`` (2 to 256) reduces it to a palette: a third of the bytes, for a faint grain.
    """
    image = Image.fromarray(picture)
    if colors is not None:
        image = with_palette(image, colors)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def quick_bytes(picture: np.ndarray, photo: bool = False) -> bytes:
    """The picture (uint8 [H, W, 3]) in milliseconds, for live display: exact, as WebP, or as JPEG of the best
    quality in a tenth of that, where lines and words are few."""
    buffer, image = io.BytesIO(), Image.fromarray(picture)
    if photo:
        image.save(buffer, "JPEG", quality=95, subsampling=0)
    else:
        image.save(buffer, "WEBP", lossless=True, quality=0, method=0)
    return buffer.getvalue()


def with_palette(image: Image.Image, colors: int = 256) -> Image.Image:
    """An RGB or RGBA image with a palette of at most ``colors``; white stays white.

    By octree, as a median cut goes by area: beside photographs, thin lines and small masks would lose their colours.
    """
    reduced = image.quantize(colors, Image.Quantize.FASTOCTREE)
    white = np.flatnonzero((np.asarray(image) == 255).all(axis=2))
    if len(white):
        palette, bands = reduced.getpalette(image.mode), len(image.mode)
        place = bands * int(np.asarray(reduced).flat[white[0]])
        reduced.putpalette([*palette[:place], *[255] * bands, *palette[place + bands :]], image.mode)
    return reduced


def webp_bytes(picture: np.ndarray, quality: int = 86) -> bytes:
    """The picture (uint8 [H, W, 3]) as WebP: a quarter of the PNG's bytes, for web pages."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "WEBP", quality=quality, method=6)
    return buffer.getvalue()


def data_uri(content: bytes) -> str:
    """``data:`` address of PNG or WebP bytes, to embed a picture in HTML."""
    kind = "png" if content.startswith(b"\x89PNG") else "webp"
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
