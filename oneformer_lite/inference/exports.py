"""Predictions on their way out: as records for JSON, as COCO's results, as files of masks.

A box is COCO's [x, y, width, height] in pixels, a run-length code COCO's compressed one.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Sequence
from numbers import Integral
from pathlib import Path
from typing import Protocol

import numpy as np

from ..data.image import write_image
from ..data.sample import Category
from ..data.segment_ids import encode_ids
from ..errors import ConfigError
from ..files import make_folder
from ..metrics.overlaps import PredictedSegment
from ..metrics.results import Predicted, category_map


class ExportedSegment(PredictedSegment, Protocol):
    """What is read of a :class:`~.prediction.Segment`."""

    class_name: str
    is_thing: bool
    score: float
    predicted_box: tuple[float, ...] | None

    @property
    def area(self) -> int: ...
    @property
    def mask(self) -> np.ndarray: ...
    @property
    def box(self) -> list[int]: ...
    @property
    def rle(self) -> dict: ...


class Exported(Predicted, Protocol):
    """What is read of a :class:`~.prediction.Prediction`."""

    image: np.ndarray

    @property
    def segments(self) -> Sequence[ExportedSegment]: ...



def as_record(prediction: Exported, masks: bool = True) -> dict:
    """What a prediction says, for JSON: task, size, and of each segment class, score, area, box, ``predicted_box``
    where the model says one, and (``masks``) run-length code. ``category_id`` is the id of the data set's annotation
    file, ``class_id`` the model's index."""
    height, width = prediction.image.shape[:2]
    segments = [segment_record(s, prediction.categories, masks) for s in prediction.segments]
    return {"task": prediction.task, "height": height, "width": width, "segments": segments}


def segment_record(segment: ExportedSegment, categories: tuple[Category, ...], mask: bool = True) -> dict:
    """One segment of :func:`as_record`."""
    record = {
        "id": segment.id,
        "class_id": segment.class_id,
        "category_id": categories[segment.class_id].id,
        "class_name": segment.class_name,
        "is_thing": segment.is_thing,
        "score": segment.score,
        "area": segment.area,
        "box": segment.box,
    }
    if segment.predicted_box is not None:
        record["predicted_box"] = list(segment.predicted_box)
    return record | ({"rle": segment.rle} if mask else {})


def coco_results(prediction: Exported, image_id: int | str) -> list[dict]:
    """The segments as entries of COCO's results format for instances, whatever the task, best scores first.

    ``image_id`` is the picture's in the annotation file: a whole number, or text where the file numbers so (COCO's does
    not: 42 and "42" are two pictures). Each entry has a box and an area besides. For the PNGs of panoptic results, see
    :class:`~..metrics.ResultFiles`. Raises :class:`ConfigError` for an id that no file can have.
    """
    if isinstance(image_id, bool) or not isinstance(image_id, (Integral, str)) or not str(image_id).strip():
        raise ConfigError(
            "image_id must be the picture's id in the annotation file, a whole number or text, got "
            f"{reprlib.repr(image_id)}"
        )
    image_id = image_id if isinstance(image_id, str) else int(image_id)  # of numpy too, which JSON does not know
    return [
        {
            "image_id": image_id,
            "category_id": prediction.categories[segment.class_id].id,
            "segmentation": segment.rle,
            "bbox": segment.box,
            "area": segment.area,
            "score": segment.score,
        }
        for segment in sorted(prediction.segments, key=lambda s: -s.score)
    ]


def write_masks(prediction: Exported, folder: str | Path, name: str) -> list[Path]:
    """Write the masks of a prediction into ``folder``, and return the files.

    panoptic: ``NAME_panoptic.png``, segment ids as COCO's colours (R + 256 G + 65536 B). semantic:
    ``NAME_semantic.png``, category ids as grey values. instance: ``NAME_instance_1.png``, ..., one for each segment id,
    255 inside. Raises :class:`DataError` if they cannot be written.
    """
    folder = make_folder(folder)
    paths = []
    for ending, pixels in _mask_pictures(prediction):
        paths.append(folder / f"{name}_{prediction.task}{ending}.png")
        write_image(paths[-1], pixels)
    return paths


def _mask_pictures(prediction: Exported) -> Iterator[tuple[str, np.ndarray]]:
    if prediction.task == "panoptic":
        yield "", encode_ids(prediction.segment_map)
    elif prediction.task == "semantic":
        yield "", category_map(prediction.label_map, prediction.categories)
    else:
        for segment in prediction.segments:
            yield f"_{segment.id}", segment.mask * np.uint8(255)
