"""Do the boxes and areas of a panoptic file's segments fit its PNGs? Nothing else tells that a PNG was mirrored or
belongs to another picture, or that the ids of two segments were exchanged.

Box and area of stuff may be larger than what is seen of it: ADE20K's are those before things were painted over it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np

from ..notices import warn_user
from .boxes import fitting, mask_extent
from .outlines import Box, box_of

LOOKED_AT = 64  # pictures of a file, evenly spread
PIXELS = 2**24  # of all PNGs that are looked at, after which no more are
_SOME = 0.05  # share of the segments from which a warning is given, two of them at least
_TIMES = 1.5  # larger or smaller than told: areas may be those of outlines
_LEAST_AREA = 16  # pixels from which areas are compared


def warn_of_boxes(
    maps: Iterable[tuple[str, np.ndarray, list[dict]]], stuff: Collection[int], file: Path
) -> bool:  # fmt: skip
    """Whether it warns. ``maps``: of each PNG that is looked at its name, its segment map int32 [H, W], and the
    segments of the file; ``stuff``: the ids of its categories that are no things."""
    off, total, pixels, example = 0, 0, 0, ""
    for name, segment_map, rows in maps:
        judged = [verdict for row in rows if (verdict := _fits(segment_map, row, stuff)) is not None]
        off, total, pixels = off + judged.count(False), total + len(judged), pixels + segment_map.size
        example = example or name * (False in judged)
        if pixels > PIXELS:
            break
    told = off > max(1, _SOME * total)
    if told:
        warn_user(
            f"{file}: the boxes or areas (bbox, area) of {off} of {total} segments looked at do not fit their pixels "
            f"in the PNGs, such as in {example}: were PNGs mirrored, turned, resized or exchanged (file_name), or ids "
            "of segments? Look at some samples before you train"
        )
    return told


def told_areas(rows: list[dict]) -> np.ndarray:
    """The ``area`` of each segment of a file float32 [n], 0 where it does not tell."""
    given = (row.get("area") for row in rows)
    return np.array([area if type(area) in (int, float) and 0 < area < 2**31 else 0 for area in given], np.float32)


def other_areas(areas: Iterable[int], told: np.ndarray, is_stuff: np.ndarray) -> bool:
    """Whether segments of these ``areas`` have others than those ``told`` [n]: two of them at least, of which one is no
    stuff (bool [n]) that may be hidden in part."""
    counted = np.fromiter(areas, np.float64, len(told))
    tells = (told > 0) & (counted > 0) & (np.maximum(told, counted) >= _LEAST_AREA)
    less, more = tells & (told > _TIMES * counted), tells & (counted > _TIMES * told)
    return bool((less | more).sum() > 1 and (less & ~is_stuff | more).any())


def _fits(segment_map: np.ndarray, row: dict, stuff: Collection[int]) -> bool | None:
    """None where the file does not tell, or the segment has no pixel, which is said elsewhere."""
    box, area = box_of(row.get("bbox")), row.get("area")
    has_area = type(area) in (int, float) and 0 < area < float("inf")
    mask, hidden = segment_map == row["id"], row.get("category_id") in stuff
    count = int(mask.sum())
    if not count or not (box or has_area):
        return None
    extent = mask_extent(mask)
    place = fitting({"as read": extent}, box, list(mask.shape)) if box else ""
    if not place and not has_area:
        return None
    if place == "none" and not (hidden and _within(extent, box)):
        return False
    if not has_area or max(area, count) < _LEAST_AREA:
        return True
    return count / _TIMES <= area and (hidden or area <= count * _TIMES)


def _within(extent: Box, box: Box) -> bool:
    """Whether an extent lies in a box, but for a pixel."""
    return all(a + 1 >= b for a, b in zip(extent[:2], box[:2])) and all(a - 1 <= b for a, b in zip(extent[2:], box[2:]))
