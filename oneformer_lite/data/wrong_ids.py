"""Why a panoptic PNG holds other ids than its list: what its values look like, in words, and what to do about it."""

from __future__ import annotations

from collections.abc import Collection
from itertools import permutations

import numpy as np

from .segment_ids import decode_ids, encode_ids

CHANNELS = ("red", "green", "blue")
_MANY = 12  # different ids that are not listed: more than a list forgets
_NEAR = 16  # of 255, by which a lossy picture misses a colour
_LOOKED_AT = 2048  # of the colours that are not listed, the most frequent
_RIGHT = 0.4  # share of the pixels with listed ids: smoothing leaves 0.44 to 0.97 of Toytown's, a JPEG 0 to 0.19
_MOST = 0.6  # of the others, the share near to a listed colour: 0.74 to 0.95 after a JPEG


def likely_cause(segment_map: np.ndarray, listed: Collection[int], categories: Collection[int]) -> str:
    """For a map int32 [H, W] with ids that are not ``listed``; ``categories``: the ids of the listed segments' own.
    Empty where its values tell nothing."""
    ids, counts = np.unique(segment_map, return_counts=True)
    ids, counts = ids[ids > 0], counts[ids > 0]
    if order := _order(ids, listed):
        said = "its red and blue are" if order == (2, 1, 0) else "its channels are"
        hint = ": OpenCV writes blue first, so write ids[..., ::-1] with cv2.imwrite" if order == (2, 1, 0) else ""
        words = ", ".join(CHANNELS[channel] for channel in order)
        return f"{said} exchanged (all ids are listed if read as {words}){hint}"
    if set(ids.tolist()) <= set(categories):
        return (
            "its values are ids of categories, not of segments: a map of classes is read by SemanticDataset, and here "
            "each segment needs an id of its own"
        )
    return _blurred(ids, counts, listed)


def _order(ids: np.ndarray, listed: Collection[int]) -> tuple[int, ...]:
    """In which order its channels make listed ids of all of them; empty if in none."""
    colours = encode_ids(ids[None])
    orders = sorted(permutations(range(3)), key=lambda order: order != (2, 1, 0))
    fitting = (order for order in orders if set(decode_ids(colours[..., order]).ravel().tolist()) <= set(listed))
    return next(fitting, ())


def _blurred(ids: np.ndarray, counts: np.ndarray, listed: Collection[int]) -> str:
    known = np.isin(ids, list(listed))
    most = np.argsort(-counts[~known])
    others, weights = ids[~known][most], counts[~known][most][:_LOOKED_AT]
    if len(others) < max(_MANY, len(listed)):
        return ""
    if counts[known].sum() > _RIGHT * counts.sum():
        return (
            f"{len(others)} different ids on few pixels, beside segments that are right otherwise: it was resized "
            "with smoothing; resize maps of ids with nearest-neighbour"
        )
    own = encode_ids(np.array([[0, *listed]])).astype(np.int16)[0]
    seen = encode_ids(others[None, :_LOOKED_AT]).astype(np.int16)[0]
    near = np.abs(seen[:, None] - own[None]).max(-1).min(1) <= _NEAR
    if weights[near].sum() > _MOST * weights.sum():
        return (
            f"{len(others)} different ids whose colours are near to listed ones, but not the same: it was once saved "
            "as a JPEG or another lossy format, so its ids are lost; write it again as PNG from the source"
        )
    return ""
