"""What the colours of a picture mean, written beneath it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from .colors import RGB
from .fonts import font_for

_INK, _GAP, _RAMP = (31, 36, 48), 8, 120
# words and their colour; or "low", "high" and the colours uint8 [n, 3] between them; or words alone
Entry = tuple[str, RGB | None] | tuple[str, np.ndarray, str]


def with_legend(picture: np.ndarray, entries: Sequence[Entry], font_size: int = 15) -> np.ndarray:
    """The picture (uint8 [H, W, 3]) above a white band in which each entry has its colour and its words, in as many
    lines as they need."""
    if not entries:
        return picture
    width, line = picture.shape[1], round(1.6 * font_size)
    font = font_for(font_size, [word for entry in entries for word in entry if isinstance(word, str)])
    room, places, x, row = 2 * font_size, [], _GAP, 0
    for entry in entries:
        wide = _width(entry, font, font_size)
        if x > _GAP and x + wide > width - _GAP:
            x, row = _GAP, row + 1
        places.append((x, row * line))
        x += wide + room
    band = Image.new("RGB", (width, (row + 1) * line + _GAP), "white")
    draw = ImageDraw.Draw(band)
    for entry, (x, y) in zip(entries, places):
        _draw(draw, entry, x, y + line // 2, font, font_size)
    return np.concatenate([picture, np.asarray(band)])


def _width(entry: Entry, font, size: int) -> int:
    words = sum(font.getlength(word) for word in entry if isinstance(word, str))
    return round(words + (_RAMP + 2 * _GAP if len(entry) == 3 else 0 if entry[1] is None else 1.3 * size))


def _draw(draw: ImageDraw.ImageDraw, entry: Entry, x: float, y: float, font, size: int) -> None:
    if len(entry) == 3:
        low, colors, high = entry
        draw.text((x, y), low, _INK, font, "lm")
        x += font.getlength(low) + _GAP
        for i in range(_RAMP):
            color = tuple(int(v) for v in colors[i * len(colors) // _RAMP])
            draw.line((x + i, y - size // 2, x + i, y + size // 2), fill=color)
        draw.text((x + _RAMP + _GAP, y), high, _INK, font, "lm")
        return
    words, color = entry
    if color is not None:
        draw.circle((x + 0.45 * size, y), 0.4 * size, tuple(color))
        x += 1.3 * size
    draw.text((x, y), words, _INK, font, "lm")
