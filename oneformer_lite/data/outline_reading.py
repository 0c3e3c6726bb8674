"""The field ``segmentation`` of a COCO instance file, judged and packed as :class:`~.outlines.Outlines`.

What it may be: polygons ``[[x, y, x, y, ...], ...]`` or one of them, a run-length code
``{"size": [height, width], "counts": ...}`` (compressed or not), or a list of codes. Several pieces make one object.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, compress
from pathlib import Path

import numpy as np

from ..errors import DataError
from .json_fields import LIST, SIZE, WHOLE, Entries, Kind, shown
from .outlines import Outlines
from .run_lengths import pixels

_EXPECTED = "expected polygons [[x, y, x, y, ...], ...] or a run-length code {'size': [height, width], 'counts': ...}"
_NUMBER = Kind(
    "a finite number of pixels", frozenset((int, float)), lambda values: bool(np.isfinite(_floats(values)).all())
)
_PIECE = Kind("a polygon or a run-length code", frozenset((list, dict)))
_RUNS = Kind("whole numbers of pixels", WHOLE.types, lambda values: WHOLE.fits(values) and min(values) >= 0)
_COUNTS = Kind("a compressed code or a list of run lengths", frozenset((str, list)))


def read_outlines(segmentations: list, file: Path, place: Callable[[int], str]) -> Outlines:
    """Judge and pack the field ``segmentation`` of all objects; ``place(i)`` says where the i-th object stands.

    Polygons of fewer than three points enclose nothing and are left out, as in detectron2; COCO has some. (Left in,
    pycocotools would take a list of four numbers for a box.) An object without any piece is not drawn.
    """
    pieces = [_pieces(value, i, file, place) for i, value in enumerate(segmentations)]
    flat = list(chain.from_iterable(pieces))
    owners = np.repeat(np.arange(len(pieces)), np.fromiter(map(len, pieces), np.int64, len(pieces)))
    if not _PIECE.holds(flat):
        i = next(i for i, piece in enumerate(flat) if not _PIECE.holds([piece]))
        raise DataError(f"{file}: {place(owners[i])}: segmentation holds {shown(flat[i])}: {_EXPECTED}")
    full = np.fromiter(map(bool, flat), bool, len(flat))
    is_code = np.fromiter((type(piece) is dict for piece in flat), bool, len(flat)) & full
    of_polygons, of_codes = owners[full & ~is_code], owners[is_code]
    polygons = [piece for piece in flat if piece and type(piece) is list]
    coordinates, ends, kept = _pack_polygons(polygons, of_polygons, file, place)
    codes = Entries(file, list(compress(flat, is_code)), lambda i: f"{place(of_codes[i])}: segmentation")
    packed, sizes = _pack_codes(codes)
    count = len(pieces)
    return Outlines(
        *_packed(coordinates), ends, _ends(of_polygons[kept], count), b"".join(packed),
        np.cumsum([0, *map(len, packed)]), sizes, _ends(of_codes, count),
        np.bincount(owners[full], minlength=count).astype(np.int32),
    )  # fmt: skip


def _pieces(value: object, index: int, file: Path, place: Callable[[int], str]) -> list:
    """The polygons and codes that a ``segmentation`` consists of; none if it is absent or empty."""
    if type(value) is list and value:
        if type(value[0]) is dict and {"x", "y"} <= value[0].keys():
            raise DataError(f"{file}: {place(index)}: segmentation holds points as {{'x': ..., 'y': ...}}: {_EXPECTED}")
        return value if type(value[0]) in _PIECE.types else [value]
    if type(value) is dict and value:
        return [value]
    if value in (None, [], {}, ""):
        return []
    raise DataError(f"{file}: {place(index)}: segmentation is {shown(value)}: {_EXPECTED}")


def _pack_polygons(
    polygons: list[list], owners: np.ndarray, file: Path, place: Callable[[int], str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coordinates and ends of the polygons that have three points, and bool [P] which these are."""
    numbers = list(chain.from_iterable(polygons))
    lengths = np.fromiter(map(len, polygons), np.int64, len(polygons))
    if not _NUMBER.holds(numbers):
        i = next(i for i, polygon in enumerate(polygons) if not _NUMBER.holds(polygon))
        value = next(value for value in polygons[i] if not _NUMBER.holds([value]))
        raise DataError(
            f"{file}: {place(owners[i])}: segmentation holds {shown(value)} instead of {_NUMBER.text}: {_EXPECTED}"
        )
    for i in np.flatnonzero(lengths % 2)[:1]:
        raise DataError(f"{file}: {place(owners[i])}: segmentation has a polygon of {lengths[i]} numbers: {_EXPECTED}")
    _refuse_pairs(lengths, owners, file, place)
    kept = lengths >= 6
    coordinates = _floats(numbers)[np.repeat(kept, lengths)]
    return coordinates, np.concatenate([[0], np.cumsum(lengths[kept])]), kept


def _refuse_pairs(lengths: np.ndarray, owners: np.ndarray, file: Path, place: Callable[[int], str]) -> None:
    """[[x, y], [x, y], [x, y]] would be three outlines of a point each."""
    count = int(owners.max(initial=0)) + 1
    points, pieces = np.bincount(owners[lengths == 2], minlength=count), np.bincount(owners, minlength=count)
    for i in np.flatnonzero((points > 2) & (points == pieces))[:1]:
        raise DataError(f"{file}: {place(i)}: segmentation holds points as pairs [x, y]: {_EXPECTED}")


def _pack_codes(codes: Entries) -> tuple[list[bytes], np.ndarray]:
    """The codes, all compressed, and their sizes int64 [R, 2]; refused if they do not add up to their sizes."""
    pairs = codes.column("size", LIST)
    for i, pair in enumerate(pairs):
        if len(pair) != 2 or not SIZE.holds(pair) or pair[0] * pair[1] >= 2**32:
            raise DataError(f"{codes.file}: {codes.place(i)}.size is {shown(pair)}, expected [height, width] in pixels")
    packed = [
        counts.encode("utf-8", "surrogatepass") if type(counts) is str else _compressed(counts, pairs[i], codes, i)
        for i, counts in enumerate(codes.column("counts", _COUNTS))
    ]
    sizes = np.array(pairs, np.int64).reshape(-1, 2)
    found = pixels(packed)
    for i in np.flatnonzero(found != sizes.prod(1))[:1]:
        height, width = sizes[i]
        if found[i] < 0:
            raise DataError(
                f"{codes.file}: {codes.place(i)}.counts is no run-length code: expected the text that pycocotools' "
                f"encode writes, whole ({_why_no_code(packed[i])}), or a list of run lengths (numbers, without quotes)"
            )
        raise DataError(
            f"{codes.file}: {codes.place(i)}.counts is for {found[i]} pixels, expected {height * width} (height "
            f"{height} x width {width}): its last run is probably missing, or it was cut short; write it again"
        )
    return packed, sizes


def _why_no_code(code: bytes) -> str:
    if code.startswith((b"b'", b'b"')):
        return "it is bytes as Python prints them: write counts.decode()"
    return "is it cut short?"


def _compressed(counts: list, size: list[int], codes: Entries, index: int) -> bytes:
    """A list of run lengths as a compressed code."""
    from pycocotools import mask as coco_mask

    if not counts or not _RUNS.holds(counts):
        came = f"{codes.file}: {codes.place(index)}.counts is {shown(counts)}"
        raise DataError(f"{came}, expected whole numbers of pixels, 0 or more")
    (height, width), counts = map(int, size), list(map(int, counts))
    if sum(counts) != height * width:
        raise DataError(
            f"{codes.file}: {codes.place(index)}.counts is for {sum(counts)} pixels, expected {height * width} (height "
            f"{height} x width {width}): its last run is probably missing; write it again"
        )
    return coco_mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)["counts"]


def _packed(coordinates: np.ndarray) -> tuple[np.ndarray, int]:
    """Half the memory where it loses nothing: COCO has two decimals, and n / 100 is the very float of its digits."""
    hundredths = np.rint(coordinates * 100)
    if len(hundredths) and np.abs(hundredths).max() < 2**31 and (hundredths / 100 == coordinates).all():
        return hundredths.astype(np.int32), 100
    return coordinates, 1


def _floats(numbers: list) -> np.ndarray:
    try:
        return np.fromiter(numbers, np.float64, len(numbers))
    except OverflowError:  # a whole number beyond what a float holds
        return np.array([np.inf])


def _ends(owners: np.ndarray, count: int) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=count))]).astype(np.int32)
