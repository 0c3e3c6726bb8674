"""A sheet of predictions as one WebP file that says what it shows, so that a page can arrange its pictures itself.

The file itself is a table: one row an image, one column a reading of it. On a narrow page a table is too wide;
:func:`sheet_html` shows the same file cell by cell, as many beside each other as there is room for.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Sequence
from html import escape

import numpy as np
from PIL import Image

from ..data.image import image_from_bytes
from ..errors import DataError
from ..json_reader import parse_json
from .grid import contact_sheet, data_uri

_GAP, _FONT = 8, 15  # pixels, see contact_sheet
_DESCRIPTION = 0x010E  # EXIF's ImageDescription


def prediction_sheet(rows: Sequence[Sequence[np.ndarray]], columns: Sequence[str], quality: int = 82) -> bytes:
    """WebP of ``rows`` of uint8 [h, w, 3] pictures under the titles ``columns``.

    All cells get the size of the largest picture; smaller ones stand in their middle, on white.
    """
    pictures = [picture for row in rows for picture in row]
    if not pictures or any(len(row) != len(columns) for row in rows):
        raise DataError(f"a sheet needs rows of {len(columns)} pictures, got rows of {[len(row) for row in rows]}")
    height, width = (max(picture.shape[axis] for picture in pictures) for axis in (0, 1))
    cells = [[_centred(picture, height, width) for picture in row] for row in rows]
    sheet = contact_sheet(cells, columns, gap=_GAP, font_size=_FONT)
    exif = Image.Exif()
    exif[_DESCRIPTION] = json.dumps({"columns": list(columns), "rows": len(rows), "cell": [width, height]})
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "WEBP", quality=quality, method=4, exif=exif)
    return buffer.getvalue()


def sheet_html(content: bytes) -> str:
    """The pictures of a sheet, each with its title, in a grid (class "ofl-sheet", see ``runs/page.css``).

    The file is embedded once; each cell is a window onto its part. Raises :class:`DataError` for other pictures, and
    for one that says of itself what cannot be.
    """
    columns, rows, width, height = _read(content)
    sheet_width, sheet_height = _size(len(columns), rows, width, height)
    top = 2 * _GAP + _FONT
    cells = []
    for row in range(rows):
        for column, title in enumerate(columns):
            x = _share(_GAP + column * (width + _GAP), sheet_width - width)
            y = _share(top + row * (height + _GAP), sheet_height - height)
            label = escape(f"{title} of held-out image {row + 1}")
            cells.append(
                f'<figure><i role="img" aria-label="{label}" style="background-position:{x} {y}"></i>'
                f"<figcaption>{escape(title)}</figcaption></figure>"
            )
    style = (
        f"--sheet:url({data_uri(content)});--size:{100 * sheet_width / width:.4f}% {100 * sheet_height / height:.4f}%;"
        f"--shape:{width}/{height};--columns:{len(columns)}"
    )
    return f'<div class="ofl-sheet" style="{style}">{"".join(cells)}</div>'


def _read(content: bytes) -> tuple[list[str], int, int, int]:
    """Column titles, rows, and width and height of a cell, which make up the picture's size."""
    try:
        picture = image_from_bytes(content, "the file")
        told = _told(picture)
    except DataError as error:
        raise DataError(f"this is no sheet of predictions ({error}): expected a file of a run's pictures") from error
    if not (isinstance(told, dict) and told.keys() >= {"columns", "rows", "cell"}):
        raise DataError("this is no sheet of predictions (it does not say what it shows): expected a run's picture")
    columns, rows, cell = told["columns"], told["rows"], told["cell"]
    fits = (
        isinstance(columns, list) and all(isinstance(title, str) for title in columns)
        and isinstance(cell, list) and len(cell) == 2
        and all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in (rows, *cell))
    )  # fmt: skip
    if not (fits and _size(len(columns), rows, *cell) == picture.size):
        raise DataError(
            f"this sheet of predictions is {picture.width} x {picture.height} pixels large and says of itself "
            f"{told!r:.120}, which makes another size: expected a file of a run's pictures"
        )
    return columns, rows, *cell


def _told(picture: Image.Image) -> object:
    """What a picture's file says of it, None if nothing."""
    try:
        return parse_json(picture.getexif().get(_DESCRIPTION, "null"), "what it says of itself")
    except (OSError, SyntaxError, ValueError, TypeError, struct.error):  # Pillow's, for a block that is none
        return None


def _size(columns: int, rows: int, width: int, height: int) -> tuple[int, int]:
    """Width and height in pixels, as :func:`contact_sheet` lays such a table out."""
    return _GAP + columns * (width + _GAP), 2 * _GAP + _FONT + rows * (height + _GAP)


def _centred(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    cell = np.full((height, width, 3), 255, np.uint8)
    top, left = (height - picture.shape[0]) // 2, (width - picture.shape[1]) // 2
    cell[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return cell


def _share(offset: int, room: int) -> str:
    """Where a window stands, as CSS counts: in percent of the room that it has to move."""
    return f"{100 * offset / room:.4f}%"
