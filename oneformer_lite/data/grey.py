"""Grey pictures of more than eight bits: microscopes, scanners, thermal and depth cameras."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ..errors import DataError

DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")  # Pillow's
_MEANT = "numbers"  # in a picture's ``info``: how its numbers are meant, where Pillow takes them otherwise
_UNSIGNED, _SIGNED, _WHITE = 1, 2, 0  # values of tags in TIFF 6.0
_TAILS = 0.1  # percent of the pixels at either end that may be clipped
_SAMPLE = 1_000_000  # pixels from which the range is taken


def note_numbers(picture: Image.Image) -> None:
    """Keep in ``info``, which turning a picture does not lose, what a TIFF says of its numbers and Pillow does not
    heed: whether they have a sign (tag 339), and whether 0 is white (262)."""
    tags = getattr(picture, "tag_v2", {})
    sign, zero = _first(tags.get(339, _UNSIGNED)), tags.get(262)
    if tags and (picture.mode, sign) in (("I", _UNSIGNED), ("L", _SIGNED)):
        picture.info[_MEANT] = {"I": np.uint32, "L": np.int8}[picture.mode]
    elif zero == _WHITE and picture.mode in DEEP_MODES:
        picture.info[_MEANT] = _WHITE


def is_deep(picture: Image.Image) -> bool:
    """Whether a grey picture has other numbers than 0 to 255."""
    return picture.mode in DEEP_MODES or (picture.mode == "L" and picture.info.get(_MEANT) is np.int8)


def grey_values(picture: Image.Image) -> np.ndarray:
    """The numbers [H, W] of a grey picture, as they are meant (:func:`note_numbers`)."""
    values, meant = np.asarray(picture), picture.info.get(_MEANT)
    if meant is np.uint32 and picture.mode == "I" or meant is np.int8 and picture.mode == "L":
        return values.view(meant)
    if meant == _WHITE and picture.mode in DEEP_MODES:
        return -values if picture.mode == "F" else np.iinfo(np.uint16).max - values
    return values


def _first(value):
    return value[0] if isinstance(value, tuple) and value else value


def stretched(grey: np.ndarray) -> np.ndarray:
    """uint8 [H, W] of a grey picture [H, W] of whole numbers or floats, of any range.

    Linear: the 0.1th percentile of the picture's own values becomes 0, the 99.9th 255; what lies beyond is clipped.
    So 12 bits in 16, floats of 0..1 or 0..5000 and one hot pixel all leave the contrast where it is. Where more than
    99.8 % of the pixels are equal, the range is that from the least to the greatest value; a picture of one value
    becomes middle grey (128). NaN and infinity are black. Raises :class:`DataError` without any finite value.

    The range is each picture's own: where brightness must be comparable between pictures, save them with eight bits.
    """
    values = grey.astype(np.float64 if grey.dtype.itemsize > 2 else np.float32)
    known = np.isfinite(values)
    if not known.any():
        raise DataError("a grey picture has no finite value (all NaN or infinite): there is nothing to see in it")
    low, high = _range(values[known])
    if low == high:
        return np.where(known, np.uint8(128), np.uint8(0))
    values -= low
    values *= 255 / (high - low)
    values[~known] = 0
    return values.round().clip(0, 255).astype(np.uint8)


def _range(values: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values[:: -(-values.size // _SAMPLE)], (_TAILS, 100 - _TAILS))
    return (low, high) if low < high else (values.min(), values.max())
