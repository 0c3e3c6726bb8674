"""Do outlines lie in their pictures? Relative coordinates, those of another picture or size, and absurd ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..notices import warn_user
from .outlines import Outlines

_FAR = 10  # sides of the picture: nothing that is drawn on it begins so far away
_FARTHEST = 1e6  # pixels, where the file does not tell the size of the picture
_LONGEST = 1e6  # pixels along an outline: pycocotools takes about 100 bytes for each
_MOST = 10_000  # outlines of one object, which are joined one by one
_ENOUGH = 8  # outlines from which it is no chance that all lie at the upper left of their pictures
_BEYOND = 0.1  # of a side, by which many outlines reach over the edge only if something is wrong


def outside(outlines: Outlines, sizes: np.ndarray, file: Path, place: Callable[[int], str]) -> np.ndarray:
    """Bool [n]: which objects lie wholly outside their pictures.

    ``sizes`` int64 [n, 2] are the pictures' heights and widths, 0 where they are not known. Raises
    :class:`DataError` for relative coordinates (0 to 1), for outlines that no picture of the size can have, and for
    run-length codes of another size; warns of outlines that look like those of a larger picture.
    """
    _compare_codes(outlines, sizes, file, place)
    owners = np.repeat(np.arange(len(sizes)), np.diff(outlines.polygons))
    boxes, frames = outlines.boxes(), sizes[owners][:, ::-1].astype(np.float64)  # frames: width, height
    known = frames.all(1)
    _refuse_absurd(boxes, outlines.lengths(), frames, known, file, lambda i: place(owners[i]))
    for i in np.flatnonzero(np.diff(outlines.polygons) > _MOST)[:1]:
        raise DataError(f"{file}: {place(i)}: segmentation has more than {_MOST} outlines: expected one object")
    _refuse_relative(boxes, frames, known, file)
    low, high = boxes[:, :2], boxes[:, 2:]
    off = known & ((high <= 0) | (low >= frames)).any(1)
    over = known & ~off & _far_over(boxes, frames)
    if over.sum() > len(over) / 10:
        warn_user(_cut(file, int(over.sum()), f"{len(over)} outlines", "their pictures"))
    _warn_of_percent(boxes, frames, file)
    inside = np.bincount(owners[~off], minlength=len(sizes)) > 0
    return (np.diff(outlines.polygons) > 0) & ~inside & (np.diff(outlines.codes) == 0)


def reach_over(outlines: Outlines, places: np.ndarray, size: tuple[int, int], name: str, file: Path) -> bool:
    """Whether outlines of the objects at ``places`` reach far over the edge of their picture, ``size`` (height, width),
    or lie wholly beyond; then a warning has said so."""
    extents = [outlines.extent(place) for place in places.tolist() if outlines.counts(place)[0]]
    boxes = np.array(extents).reshape(-1, 4)
    over = int(_far_over(boxes, np.array([size[::-1]], np.float64)).sum())
    if over > len(boxes) / 10:
        warn_user(_cut(file, over, f"{len(boxes)} objects", f"the picture {name}, whose size the file does not tell,"))
    return over > len(boxes) / 10


def _far_over(boxes: np.ndarray, frames: np.ndarray) -> np.ndarray:
    return ((boxes[:, :2] < -_BEYOND * frames) | (boxes[:, 2:] > (1 + _BEYOND) * frames)).any(1)


def _cut(file: Path, over: int, objects: str, where: str) -> str:
    return (
        f"{file}: {over} of {objects} reach far over the edge of {where} and are cut there: were the pictures made "
        "smaller, and the outlines not?"
    )


def _warn_of_percent(boxes: np.ndarray, frames: np.ndarray, file: Path) -> None:
    """Outlines that fill 0 to 100 and nothing beyond, in pictures that are much larger."""
    if len(boxes) >= _ENOUGH and (frames >= 3 * 100).all() and boxes.min() >= 0 and boxes.max() <= 100:
        if boxes[:, 2:].max(0).min() > 80:
            warn_user(
                f"{file}: all {len(boxes)} outlines lie within 0 to 100 and reach up to there, in pictures of 300 "
                "pixels and more: are they percent? Then multiply each x by the picture's width / 100 and each y by "
                "its height / 100"
            )


def _compare_codes(outlines: Outlines, sizes: np.ndarray, file: Path, place: Callable[[int], str]) -> None:
    owners = np.repeat(np.arange(len(sizes)), np.diff(outlines.codes))
    expected = sizes[owners]
    for i in np.flatnonzero(expected.all(1) & (outlines.sizes != expected).any(1))[:1]:
        came, size = tuple(outlines.sizes[i].tolist()), tuple(expected[i].tolist())
        hint = " (width and height exchanged?)" if came == size[::-1] else ""
        raise DataError(
            f"{file}: {place(owners[i])}: segmentation is a run-length code of (height, width) {came}, but its picture "
            f"is {size} in 'images'{hint}: correct the one that is wrong"
        )


def _refuse_absurd(
    boxes: np.ndarray, lengths: np.ndarray, frames: np.ndarray, known: np.ndarray, file: Path,
    place: Callable[[int], str],
) -> None:  # fmt: skip
    limits = np.where(known, _FAR * frames.max(1, initial=0), _FARTHEST)
    for i in np.flatnonzero(np.abs(boxes).max(1, initial=0) > limits)[:1]:
        left, top, right, bottom = boxes[i].tolist()
        raise DataError(
            f"{file}: {place(i)}: segmentation reaches from x {left:g} to {right:g} and from y {top:g} to {bottom:g}, "
            f"far outside {_of(frames[i])}: expected pixels of that picture"
        )
    for i in np.flatnonzero(lengths > _LONGEST)[:1]:
        raise DataError(
            f"{file}: {place(i)}: segmentation has an outline that is {lengths[i]:.0f} pixels long, more than the "
            f"{_LONGEST:.0f} that are read: expected the edge of one object"
        )


def _refuse_relative(boxes: np.ndarray, frames: np.ndarray, known: np.ndarray, file: Path) -> None:
    relative = (boxes >= 0).all(1) & (boxes <= 1).all(1) & ~(known & (frames <= 2).any(1))
    if not relative.any():
        return
    words = f"{relative.sum()} of {len(relative)} outlines lie within 0 to 1, so they are shares of width and height"
    if relative.sum() > len(relative) / 2:
        raise DataError(f"{file}: {words}, not pixels: multiply each x by the picture's width and each y by its height")
    warn_user(f"{file}: {words}? As pixels they cover one at most")


def _of(frame: np.ndarray) -> str:
    return "its picture of {:.0f} x {:.0f} pixels".format(*frame) if frame.all() else "any picture"
