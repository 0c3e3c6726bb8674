"""Pictures with words, for those who cannot see them: in a notebook, on a page made of it, in a terminal."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from .ink import on_any_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Described:
    """A picture, and what it shows in words; as the last value of a cell the picture, with the words as its
    alternative text."""

    def __init__(self, png: bytes, words: str, any_page: bool = False) -> None:
        self.png, self.words, self.any_page = png, words, any_page

    def __repr__(self) -> str:
        return self.words

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        """What notebooks ask for. Lesson pages read the words as text, nbconvert as ``alt``; JupyterLab 4.6 reads
        neither."""
        shown = {"image/png": base64.b64encode(self.png).decode(), "text/plain": self.words}
        if self.any_page:  # told to the builder of notebooks and to lesson pages
            return shown, {"image/png": {"alt": self.words, "any_page": True}}
        # dark ink on a transparent ground would be lost in a dark JupyterLab, which this tells
        return shown, {"image/png": {"alt": self.words}, "needs_background": "light"}


def described(picture: np.ndarray | Image.Image | Figure | bytes, words: str) -> Described:
    """``picture``: uint8 [H, W, 3], a Pillow image, the bytes of a PNG, such as :func:`loss_curves` gives, or a figure
    of matplotlib, which loses its paper (:mod:`ink`) and is closed."""
    if isinstance(picture, bytes):
        return Described(picture, words)
    buffer = io.BytesIO()
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    if isinstance(picture, Image.Image):
        picture.save(buffer, "PNG")
    else:
        import matplotlib.pyplot as plt

        png = on_any_page(picture)
        plt.close(picture)
        return Described(png, words, any_page=True)
    return Described(buffer.getvalue(), words)
