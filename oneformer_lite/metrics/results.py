"""Predictions in COCO's results formats, for the official evaluators and the test servers.

Both functions handle one image; category ids are those of the annotation file. Collected over the
data set, panoptic entries go into a JSON as ``{"annotations": [...]}`` beside the folder of PNGs,
instance entries as a plain list. Format: https://cocodataset.org/#format-results
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ..data.sample import Category
from ..data.segment_ids import encode_ids
from ..errors import DataError
from .instance import encode_mask
from .matching import PredictedSegment


def panoptic_result(
    folder: str | Path,
    image_id: int,
    segment_map: np.ndarray,
    segments: Sequence[PredictedSegment],
    categories: Sequence[Category],
) -> dict:
    """Write a segment map int [H, W] as PNG into the existing ``folder`` and return its entry.

    The file is named after the image id in twelve digits, as COCO's are. Raises
    :class:`DataError` for ids that do not fit into a PNG or an unknown class.
    """
    file_name = f"{image_id:012d}.png"
    segments_info = [
        {"id": int(s.id), "category_id": _category_id(s.class_id, categories)} for s in segments
    ]
    Image.fromarray(encode_ids(segment_map)).save(Path(folder) / file_name)
    return {"image_id": image_id, "file_name": file_name, "segments_info": segments_info}


def instance_results(
    image_id: int,
    masks: np.ndarray,
    class_ids: Sequence[int],
    scores: Sequence[float],
    categories: Sequence[Category],
) -> list[dict]:
    """The entries of n masks bool [n, H, W] with class ids and scores [n], ready for JSON."""
    return [
        {
            "image_id": image_id,
            "category_id": _category_id(class_id, categories),
            "segmentation": encode_mask(mask),
            "score": float(score),
        }
        for mask, class_id, score in zip(masks, class_ids, scores, strict=True)
    ]


def _category_id(class_id: int, categories: Sequence[Category]) -> int:
    if not 0 <= class_id < len(categories):
        raise DataError(
            f"unknown class id {class_id}, expected an index into the {len(categories)} categories"
        )
    return categories[int(class_id)].id
