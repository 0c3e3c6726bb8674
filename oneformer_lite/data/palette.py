"""Label maps with a palette: are the numbers of classes its indices, or its greys? One answer for all maps of a set.

VOC's maps and those of most tools count by index, and the palette is to look at. But some programs turn a grey picture
of few values into one with a palette, to save space: then the greys count. The palette alone tells, never which of its
entries a map happens to hold, so that equal palettes are read alike.

Indices mean nothing where each map was saved with a palette of its own colours, as GIFs and small PNGs of coloured maps
are: then one colour stands at different indices.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import DataError
from ..notices import warn_user
from .image import open_image

HAS_PALETTE = ("P", "PA")
_AT_LEAST, _PIXELS = 8, 2**25  # maps whose colours are compared, and of how many pixels further ones may be


def greys_count(picture: Image.Image, classes: Collection[int], void: int | None) -> bool | None:
    """Whether the greys of a picture's palette are the numbers of classes, or (False) its indices. None where it makes
    no difference or the palette does not tell: black, white and nothing else may be either.

    Greys count where the palette has nothing else, each once, all of them ``classes`` or ``void``, and a class above 0
    among them. (VOC's has a grey at 7 among its colours.)
    """
    if picture.mode not in HAS_PALETTE:
        return None
    palette = np.array(picture.getpalette("RGB"), np.int32).reshape(-1, 3)
    filled = np.flatnonzero(palette.any(1))  # the rest was not used: savers fill up with black
    palette = palette[: filled[-1] + 1 if len(filled) else 0]
    if (palette != palette[:, :1]).any():
        return False
    greys = palette[:, 0].tolist()
    if greys == list(range(len(greys))):
        return None
    if len(set(greys)) < len(greys) or not set(greys) <= {*classes, void}:
        return False
    return True if max(set(greys).intersection(classes), default=0) > 0 else None


def greys_of_all(maps: Iterable[Path], classes: Collection[int], void: int | None) -> bool:
    """:func:`greys_count` of the ``maps`` of one set; raises :class:`DataError` where they do not agree."""
    first: dict[bool, Path] = {}
    for path in maps:
        with suppress(DataError):  # said when this map is read
            first.setdefault(greys_count(open_image(path), classes, void), path)
    if True in first and False in first:
        raise DataError(_two_rules(first[True], first[False]))
    return True in first


def values_of(
    picture: Image.Image, classes: Collection[int], void: int | None, greys: bool | None, path: str | Path
) -> np.ndarray:
    """The values int32 [H, W] of a picture with a palette; ``greys``: what counts in its set, None for it alone.

    Raises :class:`DataError` for a palette of the other kind.
    """
    indices = np.asarray(picture if picture.mode == "P" else picture.getchannel("P")).astype(np.int32)
    own = greys_count(picture, classes, void)
    if None not in (own, greys) and own != greys:
        raise DataError(_two_rules(path, None) if own else _two_rules(None, path))
    palette = np.array(picture.getpalette("RGB"), np.int32).reshape(-1, 3)
    counted = own if greys is None else greys
    return palette[indices, 0] if counted and indices.max() < len(palette) else indices


def compare_colours(maps: Iterable[Path]) -> None:
    """Raise :class:`DataError` where a colour has one index in a map, and another in a second one, in whose palette the
    first means something else; a warning, where an index has two colours and no colour two indices."""
    indices: dict[tuple[int, ...], tuple[int, Path]] = {}  # of each colour, and where it has this one
    colours: dict[int, tuple[tuple[int, ...], Path]] = {}  # of each index
    odd, pixels = "", 0
    for number, path in enumerate(maps):
        if number >= _AT_LEAST and pixels > _PIXELS:
            break
        size, palette, used = _entries(path)
        pixels += size
        for index in used:
            first, where = indices.setdefault(palette[index], (index, path))
            if palette[first : first + 1] != [palette[index]]:
                raise DataError(
                    f"the label maps have different palettes: the colour {palette[index]} has the index {first} in "
                    f"{where} and {index} in {path}, so that indices are no numbers of classes (programs that save "
                    "few colours make a palette for each file): convert the colours to class ids, and save grey PNGs"
                )
            before, where = colours.setdefault(index, (palette[index], path))
            if before != palette[index]:
                odd = odd or f"the index {index} is {before} in {where} and {palette[index]} in {path}"
    if odd:
        warn_user(
            f"the label maps have different palettes ({odd}): their indices are read as numbers of classes. If the "
            "colours are what is meant, convert them to class ids, and save grey PNGs"
        )


def _entries(path: Path) -> tuple[int, list[tuple[int, ...]], list[int]]:
    """How many pixels a map with a palette has, its colours, and which of them it holds; nothing of other maps."""
    with suppress(DataError):  # said when this map is read
        picture = open_image(path)
        if picture.mode in HAS_PALETTE:
            values = np.asarray(picture if picture.mode == "P" else picture.getchannel("P"))
            palette = np.array(picture.getpalette("RGB")).reshape(-1, 3).tolist()
            used = np.flatnonzero(np.bincount(values.ravel())).tolist()
            return values.size, [tuple(color) for color in palette], [i for i in used if i < len(palette)]
    return 0, [], []


def _two_rules(by_grey: str | Path | None, by_index: str | Path | None) -> str:
    return (
        f"the palettes of the label maps are of two kinds: {by_grey or 'others'} seems to have the numbers of classes "
        f"as the greys of its palette, {by_index or 'others'} as indices into it: save all maps as grey PNGs without a "
        "palette, from the values that are meant"
    )
