"""Maps and masks painted over pictures: arrays in, uint8 RGB out.

Everything is a function of its arguments: no state, no files, no display. The pictures of a small
data set are enlarged first (:func:`enlarge`, :func:`enlarge_map`) and painted afterwards, so that
outlines and labels stay crisp.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from ..data.sample import Category, SegmentInfo
from ..errors import DataError
from .colors import RGB, label_colors, segment_colors

VOID = 0  # id of the pixels that belong to no segment
_OUTLINE = np.array([255, 255, 255])
_OUTLINE_ALPHA = 0.85
_VOID_LIGHT = 0.55  # void keeps a little of its colour and this much of its light
_VOID_COLOR = 0.3
_CENTRE = 0.74  # weight of the middle of the blur that smooths enlarged maps
_REACH = 5  # pixels around a mask that blur (1) and bicubic kernel (2 to either side) can reach


def overlay(
    image: np.ndarray,
    segment_map: np.ndarray,
    colors: Mapping[int, RGB],
    alpha: float = 0.55,
    outline: bool = True,
) -> np.ndarray:
    """Paint each segment in its colour over the image; uint8 [H, W, 3].

    ``image`` uint8 [H, W, 3]; ``segment_map`` int [H, W] of segment ids, 0 = void; a painted
    pixel is ``(1 - alpha) * image + alpha * color``. Void stays as a dark, pale picture; thin
    light outlines part the segments. Raises :class:`DataError` if sizes differ or an id has no colour.
    """
    _check(image, segment_map)
    ids, place = np.unique(segment_map, return_inverse=True)
    missing = [int(i) for i in ids if i != VOID and int(i) not in colors]
    if missing:
        raise DataError(f"no colour for segments {missing}: colour every id of the map")
    table = np.array([colors.get(int(i), (0, 0, 0)) for i in ids], dtype=np.float64)
    painted = (1 - alpha) * image + alpha * table[place.reshape(segment_map.shape)]
    painted = np.where((segment_map == VOID)[..., None], _fade(image), painted)
    if outline:
        edge = boundaries(segment_map, outline_width(image.shape[:2]))
        painted[edge] = (1 - _OUTLINE_ALPHA) * painted[edge] + _OUTLINE_ALPHA * _OUTLINE
    return painted.round().astype(np.uint8)


def overlay_labels(
    image: np.ndarray, label_map: np.ndarray, categories: Sequence[Category], alpha: float = 0.7
) -> np.ndarray:
    """Paint a label map (int [H, W] of class ids) in the classes' colours; uint8 [H, W, 3].

    Ids that are no class (negative, 255, ...) are void.
    """
    is_class = (label_map >= 0) & (label_map < len(categories))
    shifted = np.where(is_class, label_map + 1, VOID)  # class 0 must not read as void
    colors = {class_id + 1: rgb for class_id, rgb in label_colors(categories).items()}
    return overlay(image, shifted, colors, alpha)


def overlay_masks(
    image: np.ndarray,
    masks: np.ndarray,
    class_ids: Sequence[int],
    categories: Sequence[Category],
    scores: Sequence[float] | None = None,
    alpha: float = 0.65,
) -> np.ndarray:
    """Paint instance masks (bool [n, H, W]), large ones first, small ones on top; uint8 [H, W, 3].

    ``scores`` decide who keeps the plain class colour where a class has several instances.
    """
    n = len(masks)
    order = range(n) if scores is None else np.argsort(-np.asarray(scores, float), kind="stable")
    instances = [SegmentInfo(int(i) + 1, int(class_ids[int(i)])) for i in order]
    colors = segment_colors(instances, categories)
    return overlay(image, stack_masks(masks), colors, alpha)


def stack_masks(masks: np.ndarray) -> np.ndarray:
    """One int32 map [H, W] from masks [n, H, W]: mask ``i`` as id ``i + 1``, small ones on top."""
    stacked = np.zeros(masks.shape[1:], dtype=np.int32)
    areas = masks.sum(axis=(1, 2))
    for i in np.argsort(-areas, kind="stable"):
        stacked[masks[i]] = i + 1
    return stacked


def boundaries(segment_map: np.ndarray, width: int = 1) -> np.ndarray:
    """Bool [H, W]: the pixels within ``width`` of another id to their right or below.

    Width 1 marks one of the two pixels that meet at a boundary, width 2 both.
    """
    edge = np.zeros(segment_map.shape, dtype=bool)
    right = segment_map[:, 1:] != segment_map[:, :-1]
    below = segment_map[1:] != segment_map[:-1]
    edge[:, :-1] |= right
    edge[:-1] |= below
    if width >= 2:
        edge[:, 1:] |= right
        edge[1:] |= below
    return edge


def outline_width(size: tuple[int, int]) -> int:
    """1 pixel for pictures up to 480 pixels on the shorter side, 2 above."""
    return 1 if min(size) <= 480 else 2


def enlarge(image: np.ndarray, factor: int) -> np.ndarray:
    """A photograph ``factor`` times as large, bicubic: uint8 [H, W, 3] to [f H, f W, 3]."""
    height, width = image.shape[:2]
    resized = Image.fromarray(image).resize((width * factor, height * factor), Image.BICUBIC)
    return np.asarray(resized)


def enlarge_map(ids: np.ndarray, factor: int) -> np.ndarray:
    """A map of ids ``factor`` times as large, [H, W] to [f H, f W]: smooth edges, no mixed ids.

    Each pixel takes the id whose slightly blurred, bicubically resized mask is greatest there. The
    blur is so narrow that even a single pixel keeps its own id in its middle. Each mask is looked at where it is.
    """
    from scipy.ndimage import find_objects

    if factor == 1:
        return ids
    values, places = np.unique(ids, return_inverse=True)
    places = places.reshape(ids.shape)
    best = np.zeros((ids.shape[0] * factor, ids.shape[1] * factor), dtype=np.float32)
    result = np.zeros(best.shape, dtype=ids.dtype)
    for number, box in enumerate(find_objects(places + 1)):
        near = tuple(slice(max(side.start - _REACH, 0), side.stop + _REACH) for side in box)
        mask = Image.fromarray(_soften((places[near] == number).astype(np.float32)))
        share = np.asarray(mask.resize((mask.width * factor, mask.height * factor), Image.BICUBIC))
        top, left = (factor * side.start for side in near)
        block = slice(top, top + share.shape[0]), slice(left, left + share.shape[1])
        wins = share > best[block]
        best[block][wins] = share[wins]
        result[block][wins] = values[number]
    return result


def _soften(mask: np.ndarray) -> np.ndarray:
    """Blur with (1-c)/2, c, (1-c)/2 along both axes; c^2 > 1/2 saves lone pixels."""
    from scipy.ndimage import convolve1d

    kernel = [(1 - _CENTRE) / 2, _CENTRE, (1 - _CENTRE) / 2]
    return convolve1d(convolve1d(mask, kernel, 0, mode="nearest"), kernel, 1, mode="nearest")


def _fade(image: np.ndarray) -> np.ndarray:
    """Float [H, W, 3]: the picture darkened and nearly grey."""
    grey = image @ np.array([0.299, 0.587, 0.114])
    return _VOID_LIGHT * (_VOID_COLOR * image + (1 - _VOID_COLOR) * grey[..., None])


def _check(image: np.ndarray, segment_map: np.ndarray) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise DataError(f"expected an image uint8 [H, W, 3], got {image.dtype} {list(image.shape)}")
    if segment_map.shape != image.shape[:2]:
        raise DataError(f"the map is {list(segment_map.shape)}, the image {list(image.shape[:2])}: "
                        "resize one of them first")  # fmt: skip
