"""The fonts of words that are painted into pictures."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from PIL import ImageFont


def font_for(size: float, words: Iterable[str] = ()) -> ImageFont.FreeTypeFont:
    """Pillow's own font, or, where it lacks a letter of the ``words`` (it has no umlauts), DejaVu Sans, which comes
    with matplotlib: Latin, Greek and Cyrillic."""
    plain = ImageFont.load_default(size)
    return plain if all(_has(letter) for word in words for letter in word) else ImageFont.truetype(_dejavu(), size)


def shortened(text: str, font: ImageFont.FreeTypeFont, room: float) -> str:
    """The text, cut with an ellipsis where it is longer than there is room (pixels)."""
    if font.getlength(text) <= room:
        return text
    while text and font.getlength(f"{text}…") > room:
        text = text[:-1]
    return f"{text}…"


@cache
def _has(letter: str) -> bool:
    plain = ImageFont.load_default(20)
    return letter.isascii() or bytes(plain.getmask(letter)) != bytes(plain.getmask("\uffff"))


@cache
def _dejavu() -> str:
    from matplotlib.font_manager import findfont

    return findfont("DejaVu Sans")
