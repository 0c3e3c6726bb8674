"""Segment ids as colours, and which ids a map holds.

A pixel of a panoptic PNG belongs to the segment with id R + 256 G + 65536 B (``rgb2id`` of COCO's
panopticapi); 0 is void.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import DataError
from ..listing import few

MAX_ID = 256**3 - 1


def encode_ids(segment_map: np.ndarray) -> np.ndarray:
    """Segment ids int [H, W] as the colours uint8 [H, W, 3] of a panoptic PNG. Lesson 01."""
    if segment_map.size and not 0 <= segment_map.min() <= segment_map.max() <= MAX_ID:
        raise DataError(
            f"segment ids must lie in 0..{MAX_ID} to fit into a PNG, got "
            f"{segment_map.min()}..{segment_map.max()}: number the segments from 1"
        )
    return np.stack([segment_map & 255, segment_map >> 8 & 255, segment_map >> 16], -1).astype(
        np.uint8
    )


def decode_ids(rgb: np.ndarray) -> np.ndarray:
    """Colours uint8 [H, W, 3] of a panoptic PNG as segment ids int32 [H, W]. Lesson 01."""
    red, green, blue = (rgb[..., channel].astype(np.int32) for channel in range(3))
    return red + (green << 8) + (blue << 16)


def present_ids(segment_map: np.ndarray) -> np.ndarray:
    """The sorted ids that have at least one pixel, without void (0)."""
    flat = segment_map.ravel()
    # Every value starts a run somewhere, and there are far fewer runs than pixels to sort.
    starts = flat[1:][flat[1:] != flat[:-1]]
    ids = np.unique(np.concatenate([flat[:1], starts]))
    return ids[ids != 0]


def present_areas(segment_map: np.ndarray) -> dict[int, int]:
    """The ids that have at least one pixel, without void (0), and how many each has."""
    flat = segment_map.ravel()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])  # of runs of one id
    ids, places = np.unique(flat[starts], return_inverse=True)
    areas = np.bincount(places, np.diff(starts, append=flat.size)).astype(np.int64)
    return {i: area for i, area in zip(ids.tolist(), areas.tolist()) if i}


def check_ids(segment_map: np.ndarray, listed: Sequence[int], where: str) -> None:
    """Raise :class:`DataError` unless the map's ids are exactly the listed ones."""
    compare_ids(set(present_ids(segment_map).tolist()), set(listed), where)


def compare_ids(drawn: set[int], listed: set[int], where: str, cause: str = "") -> None:
    """Raise :class:`DataError` unless the ids that have pixels are exactly the listed ones. ``cause``: what is to be
    said and done where they are not, if that is known."""
    if drawn == listed:
        return
    problems = []
    if drawn - listed:
        problems.append(f"ids {few(drawn - listed)} have pixels but are not listed")
    if listed - drawn:
        problems.append(f"ids {few(listed - drawn)} are listed but have no pixel")
    cause = cause or "use the PNG and the JSON of the same release, or write both again"
    raise DataError(f"{where}: the PNG and segments_info disagree: {' and '.join(problems)}; {cause}")
