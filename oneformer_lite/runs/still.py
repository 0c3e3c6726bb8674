"""A run on one picture: what a notebook shows where no kernel runs and no script may."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from ..data.image import converted, image_from_bytes
from ..errors import DataError
from ..render.curves import layer_plot, loss_plot, metric_plot
from ..render.fonts import font_for
from ..render.grid import contact_sheet
from ..render.timeline import Timeline
from .dashboard import STATUS

_GAP, _FONT, _INK = 12, 17, (31, 36, 48)


def run_still(
    name: str, status: str, timeline: Timeline, step: int, sheet: bytes | None = None, loss: str = "class"
) -> np.ndarray:
    """uint8 [H, W, 3]: one line of numbers at ``step``, the plots of the whole run with a line there, unless it is the
    last, ``loss`` by decoder layer, the pictures of ``sheet``."""
    size = {"size": (4.4, 2.8), "dpi": 100}
    plots = [
        draw(timeline.history, *term, **size).picture(step if step < timeline.last else None)
        for draw, term in ((loss_plot, ()), (layer_plot, (loss,)), (metric_plot, ()))
    ]
    parts = [contact_sheet([plots], gap=_GAP)]
    if sheet is not None:
        parts.append(_sheet(sheet, parts[0].shape[1]))
    width = max(part.shape[1] for part in parts)
    parts = [_line(_told(name, status, timeline, step), width), *parts]
    return np.concatenate([_padded(part, width) for part in parts])


def _told(name: str, status: str, timeline: Timeline, step: int) -> str:
    texts = timeline.texts(step)
    scores = [f"{name} {texts[name]}" for name in ("PQ", "AP", "mIoU")] if timeline.score(step) else []
    word = STATUS[status].split()[-1]  # the sign before it is not in every font
    return " · ".join([name, word, f"step {texts['step']}", f"loss {texts['total']}", *scores])


def _sheet(content: bytes, width: int) -> np.ndarray:
    """The sheet, or in one line why it cannot be shown."""
    name = "a run's picture"
    try:
        picture = converted(image_from_bytes(content, name), "RGBA", name)
    except DataError as error:
        return _line(str(error), width)
    return np.asarray(Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB"))


def _line(text: str, width: int) -> np.ndarray:
    band = Image.new("RGB", (width, _FONT + 2 * _GAP), "white")
    ImageDraw.Draw(band).text((_GAP, _GAP), text, font=font_for(_FONT, [text]), fill=_INK)
    return np.asarray(band)


def _padded(picture: np.ndarray, width: int) -> np.ndarray:
    return np.pad(picture, ((0, 0), (0, width - picture.shape[1]), (0, 0)), constant_values=255)
