"""Label maps with a palette: are the numbers of classes its indices, or its greys? One answer for all maps of a set.

VOC's maps and those of most tools count by index, and the palette is to look at. But some programs turn a grey picture
of few values into one with a palette, to save space: then the greys count. The palette alone tells, never which of its
entries a map happens to hold, so that equal palettes are read alike.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import DataError
from .image import open_image

HAS_PALETTE = ("P", "PA")


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


def _two_rules(by_grey: str | Path | None, by_index: str | Path | None) -> str:
    return (
        f"the palettes of the label maps are of two kinds: {by_grey or 'others'} seems to have the numbers of classes "
        f"as the greys of its palette, {by_index or 'others'} as indices into it: save all maps as grey PNGs without a "
        "palette, from the values that are meant"
    )
