"""Predictions on their way out: as records for JSON, as COCO's results, as files of masks.

A box is COCO's [x, y, width, height] in pixels, a run-length code COCO's compressed one.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from ..data.image import write_image
from ..data.sample import Category
from ..data.segment_ids import encode_ids
from ..errors import ConfigError
from ..files import make_folder
from ..listing import few
from ..metrics.overlaps import PredictedSegment
from ..metrics.results import Predicted, category_map, check_image_id
from ..notices import warn_user

_OF_MASKS = re.compile(r"(.+)_(?:panoptic|semantic|instance_\d+)\.png")  # what write_masks calls its files


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
    image_id = check_image_id(image_id)
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
    255 inside. Masks of further instances under this name, of an earlier call, stay, with a warning: they look like
    this prediction's. Raises :class:`DataError` if masks cannot be written, :class:`ConfigError` for a name that is
    none.
    """
    if not isinstance(name, str) or not name.strip() or Path(name).name != name:
        raise ConfigError(f"name must be what the files' names begin with, without a folder, got {reprlib.repr(name)}")
    folder = make_folder(folder)
    paths = []
    for ending, pixels in _mask_pictures(prediction):
        paths.append(folder / f"{name}_{prediction.task}{ending}.png")
        write_image(paths[-1], pixels)
    if prediction.task == "instance":
        _warn_of_others(folder, name, paths)
    return paths


def masks_in(folder: Path) -> dict[str, list[Path]]:
    """The files in ``folder`` that :func:`write_masks` may have written: name -> those of it."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.png")) if folder.is_dir() else ():
        if its := _OF_MASKS.fullmatch(path.name):
            found.setdefault(its[1], []).append(path)
    return found


def _warn_of_others(folder: Path, name: str, written: Sequence[Path]) -> None:
    """Of an earlier prediction of the same picture, which had more instances."""
    before = [path for path in masks_in(folder).get(name, []) if "_instance_" in path.name[len(name) :]]
    if others := [path.name for path in before if path not in written]:
        warn_user(
            f"{folder} holds instances of {name!r} that are not of this prediction, but of an earlier one: "
            f"{few(others, 4)}; remove them, or take a new folder"
        )


def _mask_pictures(prediction: Exported) -> Iterator[tuple[str, np.ndarray]]:
    if prediction.task == "panoptic":
        yield "", encode_ids(prediction.segment_map)
    elif prediction.task == "semantic":
        yield "", category_map(prediction.label_map, prediction.categories)
    else:
        for segment in prediction.segments:
            yield f"_{segment.id}", segment.mask * np.uint8(255)
