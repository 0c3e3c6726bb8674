"""One label map from disk: a picture whose values are numbers of classes."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import DataError
from .grey import grey_values
from .image import RAW, is_cut, open_image
from .palette import HAS_PALETTE, values_of

# what keeps values exactly; JPEG blurs them into each other, whatever the name of the file
SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".gif")
_EXACT = ("PNG", "TIFF", "BMP", "GIF", None)  # None: turned as it was stored, which only a TIFF needs
_BLURRING = ("jpeg", "tiff_jpeg", "webp")  # compressions of TIFFs


def read_label_map(
    path: str | Path, classes: Collection[int], void: int | None, greys: bool | None = None
) -> np.ndarray:
    """The values int32 [H, W] of a label map, whatever kind of picture holds them.

    * Grey of 1 to 32 bits, and floats that are whole numbers: the values.
    * Colours of three or four channels of which the first three are equal: the grey value. Other colours are refused,
      and grey of one value whose shapes are in the transparency alone.
    * A palette: the index (so VOC's and those of most tools), or the grey; :mod:`.palette` has the rule. ``greys``:
      which of them counts in the set that the map belongs to; None: as this palette says.

    Raises :class:`DataError` for anything else.
    """
    picture = open_image(path)
    refuse_inexact(picture, path)
    if picture.mode in HAS_PALETTE:
        return values_of(picture, classes, void, greys, path)
    values = _as_in_the_file(picture, {*classes, void})
    if values.ndim == 3:
        values = _grey_of_colours(values, picture.mode, path)
    with np.errstate(invalid="ignore"):  # NaN and infinity are refused below
        whole = values.astype(np.int32)
    if values.dtype.kind == "f" and not np.array_equal(whole, values):
        raise DataError(f"{path} holds floats that are no whole numbers, but a label map has numbers of classes")
    return whole


def refuse_inexact(picture: Image.Image, path: str | Path) -> None:
    """Raise :class:`DataError` for a picture whose values need not be those that were painted."""
    if is_cut(picture):
        what = "a picture of 16 bits in several channels, of which Pillow reads 8"
    elif picture.format == "PPM":
        what = "a PNM (PGM, PBM, PPM), whose header says how its values are stretched"
    elif picture.format == "JPEG" or picture.info.get("compression") in _BLURRING:
        what = "a lossy picture (JPEG or its like)"
    elif picture.format not in _EXACT:
        what = f"a picture in the format {picture.format}, which is lossy or may be (a lossy picture blurs classes)"
    else:
        return
    raise DataError(f"{path} is {what}, so that classes may not be what was painted: save it as a PNG of one channel")


def _as_in_the_file(picture: Image.Image, values: Collection[int | None]) -> np.ndarray:
    """Pillow spreads the values of 2 and 4 bits over 0..255. One bit is 0 and 1, or 0 and 255 where that is meant."""
    if picture.mode == "1":
        white = 255 if 255 in values and 1 not in values else 1
        return np.asarray(picture).astype(np.uint8) * np.uint8(white)
    bits = re.fullmatch(r"L;([24])[IR]*", picture.info.get(RAW, ""))
    return np.asarray(picture) // (255 // (2 ** int(bits[1]) - 1)) if bits else grey_values(picture)


def _grey_of_colours(values: np.ndarray, mode: str, path: str | Path) -> np.ndarray:
    grey, others = values[..., 0], values[..., 1 : values.shape[-1] - mode.endswith(("A", "a"))]
    if mode not in ("LA", "La", "RGB", "RGBA") or (others != grey[..., None]).any():
        raise DataError(
            f"{path} has the {values.shape[-1]} channels {mode} with different values, but a label map has one, of "
            "class ids: convert its colours to class ids first (or are the folders of pictures and maps exchanged?)"
        )
    if mode.endswith(("A", "a")) and np.ptp(grey) == 0 < np.ptp(values[..., -1]):
        raise DataError(
            f"{path} has the value {grey.flat[0]} everywhere, and shapes in its transparency alone: save that channel, "
            "picture.getchannel('A'), as a PNG of class ids"
        )
    return grey
