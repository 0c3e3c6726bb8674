"""Pictures from and to disk, with errors that say which file is bad and what to do about it."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..errors import DataError
from ..files import replacing

# What Pillow raises for damaged files, depending on the format and on the place of the damage.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)


def open_image(path: str | Path) -> Image.Image:
    """A fully decoded picture in the mode it was stored in; :class:`DataError` if that fails."""
    path = Path(path)
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty (0 bytes): delete it and download or copy it again")
        with Image.open(path) as picture:
            picture.load()
            return picture
    except FileNotFoundError:
        raise DataError(
            f"{path} does not exist: check the path, and of a data set that it is unpacked completely"
        ) from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder: expected a picture") from None
    except UnidentifiedImageError:
        raise DataError(
            f"{path} is not a picture that Pillow can read: replace it by a JPEG or PNG file"
        ) from None
    except _DAMAGED as error:
        raise DataError(
            f"{path} cannot be decoded ({error}): it is probably damaged or cut short, so download "
            "or copy it again"
        ) from error


def to_rgb(picture: Image.Image) -> np.ndarray:
    """uint8 [H, W, 3]: grey repeated, palettes looked up, transparency dropped, CMYK converted."""
    if picture.mode in ("I", "I;16", "I;16B", "I;16L"):
        # Pillow clips 16-bit grey at 255 where one expects it to be scaled.
        grey = (np.asarray(picture).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if picture.mode == "P" and "transparency" in picture.info:
        picture = picture.convert("RGBA")
    return np.array(picture if picture.mode == "RGB" else picture.convert("RGB"))


def read_image(path: str | Path) -> np.ndarray:
    """Read a picture as uint8 [H, W, 3], RGB, in the orientation of the stored pixels.

    An EXIF orientation tag is *not* applied: COCO, ADE20K and Cityscapes drew their annotations on
    the stored pixel grid, so a turned picture would no longer lie under its masks.

    Raises :class:`DataError` if the file is missing, empty, cut short or no picture.
    """
    return to_rgb(open_image(path))


def write_image(path: str | Path, pixels: np.ndarray) -> None:
    """Write uint8 [H, W, 3] or a label map [H, W], whole or not at all, in the format of the suffix:
    ``.png`` exactly, ``.jpg`` at quality 95.

    Raises :class:`DataError` if the disk is full, the folder not writable, or the suffix no picture's.
    """
    picture_format = Image.registered_extensions().get(Path(path).suffix.lower())
    if picture_format is None:
        raise DataError(f"{path} does not end like a picture's name: choose .png or .jpg")
    # Pillow, given a path, does not notice when a full disk takes only a part of its last block.
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, picture_format, quality=95)
    with replacing(path) as draft:
        draft.write_bytes(content.getbuffer())
