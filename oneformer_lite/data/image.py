"""Pictures from and to disk, with errors that say which file is bad and what to do about it.

Every picture that the package reads comes through this door: its content, not its name, says what it is, and only
the formats of :data:`FORMATS` are opened. (Pillow alone opens forty, some of them by starting other programs.)
"""

from __future__ import annotations

import io
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..errors import DataError
from ..file_kinds import kind_of
from ..files import on_disk, path_of, replacing
from ..notices import warn_user
from .absent import why_absent
from .grey import grey_values, is_deep, note_numbers, stretched
from .orientation import as_annotated, as_stored, orientation, upright
from .tiff import put_right

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "JPEG2000", "PPM")
_NAMES = "JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF, JPEG 2000 or PNM"
RAW = "raw mode"  # in a picture's ``info``: how its values lie in the file, in Pillow's words ("L;4", "RGB;16B")
T = TypeVar("T")
_DARK = 64  # of 255: the brightest value of 16 bits of which fewer than 14 are used, once Pillow has cut 8 off


def open_image(path: str | Path) -> Image.Image:
    """A fully decoded picture in the mode and orientation in which it was stored.

    Raises :class:`DataError` if the file is missing, empty, cut short, too large, or no picture of :data:`FORMATS`.
    """
    return _read_from(path_of(path, "a picture"), _decoded)


def image_size(path: str | Path) -> tuple[int, int]:
    """Height and width of a picture as it was stored; its pixels are not decoded.

    Raises :class:`DataError` as :func:`open_image` does, but for damage further on in the file.
    """

    def size(file: BinaryIO, name: str | Path) -> tuple[int, int]:
        with _opened(file, name) as picture:
            return picture.height, picture.width

    return _read_from(path_of(path, "a picture"), size)


def _read_from(path: Path, read: Callable[[BinaryIO, str | Path], T]) -> T:
    """``read`` of an ordinary file that is not empty."""
    try:
        path = on_disk(path)
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise DataError(f"{path} is a folder: expected a picture")
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"{path} is a device or a pipe: expected a picture file")
        if status.st_size == 0:
            raise DataError(f"{path} is empty (0 bytes): delete it and download or copy it again")
        with open(path, "rb") as file:
            return read(file, path)
    except FileNotFoundError:
        raise DataError(why_absent(path)) from None
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path} cannot be read ({reason}): check its name, its permissions and the disk") from error


def image_from_bytes(content: bytes, name: str) -> Image.Image:
    """:func:`open_image` of a file's content; ``name`` is what errors call it."""
    return _decoded(io.BytesIO(content), name)


def loaded(picture: Image.Image, name: str | Path) -> Image.Image:
    """``picture`` after its pixels were decoded; whatever goes wrong there is a :class:`DataError`, as is a format that
    Pillow knows and :data:`FORMATS` does not."""
    if picture.format not in (None, "MPO", *FORMATS):  # None: made in memory; MPO: a phone's JPEG with previews
        raise DataError(
            f"{name} is a file in the format {picture.format}, which is not read here: save it as {_NAMES}, or if you "
            'trust it, decode it first with picture.convert("RGB")'
        )
    if 0 in picture.size:
        raise DataError(f"{name} has {picture.width} x {picture.height} pixels: there is nothing in it")
    put_right(picture, name)
    try:
        picture.load()
        note_numbers(picture)
        return picture
    except MemoryError:
        raise DataError(
            f"{name} has {picture.width} x {picture.height} pixels, for which there is not enough memory: cut it into "
            "tiles; if it is smaller in truth, the file is damaged"
        ) from None
    except Exception as error:  # OSError, SyntaxError, struct.error ...: by the format and the place of the damage
        raise DataError(
            f"{name} cannot be decoded ({error or type(error).__name__}): it is probably damaged or cut short, so "
            "download or copy it again"
        ) from error


def _opened(file: BinaryIO, name: str | Path) -> Image.Image:
    """A picture whose pixels are still in the file."""
    try:
        return Image.open(file, formats=_formats())
    except UnidentifiedImageError:
        file.seek(0)
        raise DataError(f"{name} {_what_is_no_picture(file.read(1024))}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(
            f"{name} is too large ({error}): cut it into tiles or reduce it; if you trust it and have the memory, "
            "raise PIL.Image.MAX_IMAGE_PIXELS"
        ) from None
    except Exception as error:
        raise DataError(
            f"{name} cannot be decoded ({error or type(error).__name__}): it is probably damaged or cut short, so "
            "download or copy it again"
        ) from error


def _decoded(file: BinaryIO, name: str | Path) -> Image.Image:
    with _opened(file, name) as picture:
        _say_what_is_left_out(picture, name)
        raw = _raw_mode(picture)
        turned = orientation(picture) if picture.format == "TIFF" else 1
        loaded(picture, name)
    if turned > 1:
        picture = as_stored(picture, turned)
    picture.info[RAW] = raw
    if is_cut(picture) and np.percentile(to_rgb(picture), 99.9) < _DARK:
        raise DataError(
            f"{name} has 16 bits a channel, of which only the lower ones are used, so that it would come out nearly "
            "black: stretch it and save it with 8 bits a channel"
        )
    return picture


def _what_is_no_picture(start: bytes) -> str:
    """What is said of a file that Pillow does not know, from how it begins."""
    kind = kind_of(start)
    if kind == "a TIFF":
        return (
            "is a TIFF that Pillow cannot open: of floats of 16 or 64 bits, whole numbers of 64, colours of 32 bits, "
            "more channels than four or a camera's raw data, or damaged. Save it again with 8 or 16 bits a channel"
        )
    if kind in ("a PNG", "a JPEG", "a GIF"):
        return f"begins as {kind} does but cannot be decoded: it is damaged or cut short, so download or copy it again"
    if kind.startswith("packed"):
        return f"is {kind}: unpack it first"
    if "Git LFS" in kind or "web page" in kind:
        return f"is {kind}, and no picture: download it again"
    what = f"{kind}, a format that is not" if kind else "not a picture of a format that is"
    return f"is {what} read here: save it as {_NAMES}"


def _raw_mode(picture: Image.Image) -> str:
    """How the file holds its values, in Pillow's words (such as "L;4", "RGB;16B"); "" if it does not say."""
    words = next((tile[3] for tile in picture.tile), "")  # alone, or the first of what the decoder is told
    mode, *rest = words if isinstance(words, tuple) else (words,)
    largest = rest[0] if picture.format == "PPM" and rest else 0  # PNM names its largest value instead of bits
    return f"{mode};16" if isinstance(largest, int) and largest > 255 else str(mode)


def is_cut(picture: Image.Image) -> bool:
    """Whether Pillow has dropped the lower eight bits of each value of a picture of :func:`open_image`, as it does
    where there are several channels."""
    return ";16" in picture.info.get(RAW, "") and len(picture.getbands()) > 1


def _formats() -> list[str]:
    """:data:`FORMATS` without those that this build of Pillow lacks."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _say_what_is_left_out(picture: Image.Image, name: str | Path) -> None:
    """The pages of a TIFF, the frames of an animation (but not the previews that phones add to a JPEG)."""
    several = False
    with suppress(Exception):  # the second frame is damaged: the first may still be whole
        several = getattr(picture, "is_animated", False) and picture.format != "MPO"
    if several:
        warn_user(
            f"{Path(name).parent} has pictures of several pages or frames: only the first of each is read",
        )


def to_rgb(picture: Image.Image, name: str | Path = "a picture") -> np.ndarray:
    """uint8 [H, W, 3]: grey repeated, that of more than eight bits stretched (see :func:`~.grey.stretched`),
    palettes looked up, transparency dropped, CMYK converted. Raises :class:`DataError`, which calls the picture by its
    ``name``, where Pillow cannot."""
    if is_deep(picture):
        return np.repeat(stretched(grey_values(picture))[..., None], 3, axis=2)
    if picture.mode == "P" and "transparency" in picture.info:
        picture = converted(picture, "RGBA", name)
    return np.array(picture if picture.mode == "RGB" else converted(picture, "RGB", name))


def converted(picture: Image.Image, mode: str, name: str | Path) -> Image.Image:
    """In another of Pillow's modes. Raises :class:`DataError` where there is no way, or where the file's palette or
    its transparency, which are looked at now only, hold what Pillow cannot use."""
    try:
        return picture.convert(mode)
    except ValueError as error:
        raise DataError(f"{name} of the mode {picture.mode!r} cannot be used ({error}): save it as RGB") from None


def read_image(path: str | Path) -> np.ndarray:
    """A picture as uint8 [H, W, 3], RGB, the right way up: turned as its EXIF orientation says.

    Raises :class:`DataError` as :func:`open_image` does.
    """
    return to_rgb(upright(open_image(path)), path)


def read_annotated(path: str | Path, size: tuple[int, int] | None, annotation: str | Path) -> np.ndarray:
    """A picture as uint8 [H, W, 3], RGB, in the frame in which its annotation was drawn.

    ``size`` is the annotation's height and width (None: it does not tell), ``annotation`` what errors call it. Where
    the picture has an EXIF orientation, :func:`~.orientation.as_annotated` has the rule. Raises :class:`DataError` as
    :func:`open_image` does, and where the picture has another size either way.
    """
    stored = open_image(path)
    picture = as_annotated(stored, size, path)
    if size is not None and (picture.height, picture.width) != tuple(size):
        raise DataError(
            f"{annotation} has (height, width) {tuple(size)}, but its picture {path} has "
            f"{(stored.height, stored.width)}: use pictures and annotations of the same release, neither resized nor "
            "turned"
        )
    return to_rgb(picture, path)


def write_image(path: str | Path, pixels: np.ndarray) -> None:
    """Write uint8 [H, W, 3] or a label map [H, W], whole or not at all, in the format of the suffix:
    ``.png`` exactly, ``.jpg`` at quality 95.

    Not waited for (see :func:`~..files.replacing`): data sets and results have thousands of them.
    Raises :class:`DataError` if the disk is full, the folder not writable, or the suffix no picture's.
    """
    path = path_of(path, "the picture to write")
    picture_format = Image.registered_extensions().get(path.suffix.lower())
    if picture_format is None:
        raise DataError(f"{path} does not end like a picture's name: choose .png or .jpg")
    # Pillow, given a path, does not notice when a full disk takes only a part of its last block.
    content = io.BytesIO()
    try:
        Image.fromarray(pixels).save(content, picture_format, quality=95)
    except (OSError, ValueError, KeyError) as error:  # formats that Pillow can name but not write
        raise DataError(f"{path} cannot be written as {picture_format} ({error}): choose .png or .jpg") from error
    with replacing(path, durable=False) as draft:
        draft.write_bytes(content.getbuffer())
