"""Do the boxes and areas of a panoptic file's segments fit its PNGs? Nothing else tells that a PNG was mirrored or
belongs to another picture, or that the ids of two segments were exchanged."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..notices import warn_user
from .boxes import fitting, mask_extent
from .outlines import box_of

LOOKED_AT = 64  # pictures of a file, evenly spread
PIXELS = 2**24  # of all PNGs that are looked at, after which no more are
_SOME = 0.05  # share of the segments from which a warning is given, two of them at least
_TIMES = 1.5  # larger or smaller than told: areas may be those of outlines
_LEAST_AREA = 16  # pixels from which areas are compared


def warn_of_boxes(maps: Iterable[tuple[str, np.ndarray, list[dict]]], file: Path) -> bool:
    """Whether it warns. ``maps``: of each PNG that is looked at its name, its segment map int32 [H, W], and the
    segments of the file."""
    off, total, pixels, example = 0, 0, 0, ""
    for name, segment_map, rows in maps:
        judged = [verdict for row in rows if (verdict := _fits(segment_map, row)) is not None]
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


def other_areas(areas: Iterable[int], told: np.ndarray) -> bool:
    """Whether segments of these ``areas`` have others than those ``told`` [n]; two of them at least."""
    counted = np.fromiter(areas, np.float64, len(told))
    tells = (told > 0) & (counted > 0) & (np.maximum(told, counted) >= _LEAST_AREA)
    return int((tells & ((told > _TIMES * counted) | (counted > _TIMES * told))).sum()) > 1


def _fits(segment_map: np.ndarray, row: dict) -> bool | None:
    """None where the file does not tell, or the segment has no pixel, which is said elsewhere."""
    box, area = box_of(row.get("bbox")), row.get("area")
    has_area = type(area) in (int, float) and 0 < area < float("inf")
    mask = segment_map == row["id"]
    count = int(mask.sum())
    if not count or not (box or has_area):
        return None
    place = fitting({"as read": mask_extent(mask)}, box, list(mask.shape)) if box else ""
    if not place and not has_area:
        return None
    other = has_area and max(area, count) >= _LEAST_AREA and not count / _TIMES <= area <= count * _TIMES
    return place != "none" and not other
