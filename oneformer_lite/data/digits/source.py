"""Handwritten digits, split before any scene is made of them: those of scikit-learn, or a file of MNIST's."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from ...errors import DataError

SIDE = 28  # pixels of a digit's frame, as in MNIST
INK = 127  # brighter pixels are the digit
HELD_OUT = 8  # one digit in so many is never trained on: the last of the source
_INNER = 20  # of the frame, which small digits are enlarged to
_MOST = 2**18  # digits in a file; MNIST has 70,000
_HEADER = 2**13  # bytes, at most


@dataclass(frozen=True)
class Source:
    """Digits with their labels: ``images`` uint8 [N, 28, 28], white on black; ``labels`` int64 [N], 0 to 9."""

    name: str
    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def split(self, split: str) -> Source:
        """The last eighth for "val", the others for "train"."""
        first = len(self) - len(self) // HELD_OUT
        chosen = slice(first, None) if split == "val" else slice(first)
        return Source(self.name, self.images[chosen], self.labels[chosen])

    @cached_property
    def checksum(self) -> str:
        """Eight hexadecimal digits that change with any pixel or label."""
        return f"{zlib.crc32(self.labels.tobytes(), zlib.crc32(self.images.tobytes())):08x}"


@lru_cache(maxsize=1)
def bundled() -> Source:
    """The 1797 digits that come with scikit-learn, 8 x 8 in 17 greys, as large and as crisp as MNIST's.

    Their order is by writer, so those who wrote the held-out ones wrote hardly any of the others.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError(
            "scikit-learn, which has the digits, is not installed: pip install scikit-learn, or give a file of digits"
        ) from error
    digits = load_digits()
    images = np.stack([_enlarged(small) for small in digits.images.astype(np.float32)])
    return Source("scikit-learn", images, digits.target.astype(np.int64))


def _enlarged(small: np.ndarray) -> np.ndarray:
    """A frame uint8 [28, 28] of a digit float [8, 8] from 0 to 16; contrast undoes the blur."""
    large = Image.fromarray(small * (255 / 16)).resize((_INNER, _INNER), Image.Resampling.BICUBIC)
    crisp = np.clip(2.2 * (np.asarray(large) - 110) + 128, 0, 255)
    return np.pad(crisp.astype(np.uint8), (SIDE - _INNER) // 2)


def from_file(path: str | Path) -> Source:
    """The digits of a numpy archive with ``images`` uint8 [N, 28, 28] and ``labels`` [N], whole numbers from 0 to 9.

    Nothing is unpickled, and no array is read before its header was found to be true. Raises :class:`DataError` with
    the file and what was expected.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise FileNotFoundError("it does not exist")
        with zipfile.ZipFile(path) as archive:
            images = _array(archive, "images", (SIDE, SIDE), path)
            labels = _array(archive, "labels", (), path)
    except DataError:
        raise
    except Exception as error:  # BadZipFile, zlib.error, TokenError, OSError, ValueError ...: by the damage
        raise DataError(
            f"{path} cannot be read ({error or type(error).__name__}): expected digits as "
            "np.savez_compressed(path, images=..., labels=...) writes them"
        ) from error
    _check(images, labels, path)
    return Source(path.name, images, labels.astype(np.int64))


def _array(archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], path: Path) -> np.ndarray:
    """The array ``name`` [N, *shape] of an archive: bytes if N has further sides, else whole numbers."""
    members = {entry.filename: entry for entry in archive.infolist()}
    if f"{name}.npy" not in members:
        found = ", ".join(member.removesuffix(".npy") for member in list(members)[:5]) or "nothing"
        raise DataError(f"{path} holds {found}: expected images and labels")
    entry = members[f"{name}.npy"]
    with archive.open(entry) as file:
        found, fortran, dtype = _header(file)
        fits = dtype == np.uint8 if shape else dtype.kind in "iu"
        if not fits or len(found) != 1 + len(shape) or found[1:] != shape:
            wanted = f"[N, {SIDE}, {SIDE}] of uint8" if shape else "[N] of whole numbers"
            raise DataError(f"{path}: {name} are {list(found)} of {dtype}, expected {wanted}")
        if not HELD_OUT <= found[0] <= _MOST:
            raise DataError(f"{path} has {found[0]} digits: expected {HELD_OUT} to {_MOST}")
        size = math.prod(found) * dtype.itemsize
        if entry.file_size != file.tell() + size:
            raise DataError(f"{path}: {name} have other bytes than their header says: the file is damaged")
        values = np.frombuffer(file.read(size), dtype)
    return values.reshape(found, order="F" if fortran else "C")


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether it is in Fortran's order, and type of an array in numpy's format."""
    if np.lib.format.read_magic(file) == (1, 0):
        return np.lib.format.read_array_header_1_0(file, max_header_size=_HEADER)
    return np.lib.format.read_array_header_2_0(file, max_header_size=_HEADER)


def _check(images: np.ndarray, labels: np.ndarray, path: Path) -> None:
    """What the arrays hold."""
    if len(images) != len(labels):
        raise DataError(f"{path} has {len(images)} images and {len(labels)} labels: expected one label an image")
    if labels.min() < 0 or labels.max() > 9:
        raise DataError(f"{path}: labels run from {labels.min()} to {labels.max()}, expected digits from 0 to 9")
    if not (inked := (images > INK).any((1, 2))).all():
        raise DataError(
            f"{path}: {(~inked).sum()} of {len(images)} images have no pixel above {INK}, such as images"
            f"[{np.argmin(inked)}]: expected white digits on black, 0 to 255"
        )
    held_out = labels[len(labels) - len(labels) // HELD_OUT :]
    if missing := _names(sorted(set(labels.tolist()) ^ set(held_out.tolist()))):
        raise DataError(
            f"{path}: the last eighth of the digits is held out, and there is no {missing} in it: shuffle them"
        )


def _names(labels: Sequence[int]) -> str:
    return ", ".join(map(str, labels))
