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
_TIMES = 2  # larger or smaller than told: areas may be those of outlines


def warn_of_boxes(maps: Iterable[tuple[str, np.ndarray, list[dict]]], file: Path) -> None:
    """``maps``: of each PNG that is looked at its name, its segment map int32 [H, W], and the segments of the file."""
    off, total, pixels, example = 0, 0, 0, ""
    for name, segment_map, rows in maps:
        judged = [verdict for row in rows if (verdict := _fits(segment_map, row)) is not None]
        off, total, pixels = off + judged.count(False), total + len(judged), pixels + segment_map.size
        example = example or name * (False in judged)
        if pixels > PIXELS:
            break
    if off > max(1, _SOME * total):
        warn_user(
            f"{file}: the boxes or areas (bbox, area) of {off} of {total} segments looked at do not fit their pixels "
            f"in the PNGs, such as in {example}: were PNGs mirrored, turned, resized or exchanged (file_name), or ids "
            "of segments? Look at some samples before you train"
        )


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
    return place != "none" and not (has_area and not count / _TIMES <= area <= count * _TIMES)
