"""Predictions in COCO's results formats, for the official evaluators and the test servers.

Category ids are those of the annotation file (``Category.id``). :class:`ResultFiles` writes a data set;
:func:`panoptic_result` and :func:`instance_results` are the entries of one image.
Format: https://cocodataset.org/#format-results
"""

from __future__ import annotations

import os
import reprlib
from collections.abc import Iterable, Sequence
from numbers import Integral
from pathlib import Path
from typing import Protocol

import numpy as np

from ..checks import only_known_names
from ..data.image import write_image
from ..data.instance import encode_mask
from ..data.sample import Category, Sample, check_tasks
from ..data.segment_ids import encode_ids
from ..errors import ConfigError, DataError
from ..files import all_to_disk, make_folder, path_of, write_json
from ..notices import warn_user
from .overlaps import PredictedSegment

JSON_NAMES = {"panoptic": "panoptic.json", "instance": "instances.json"}


class Predicted(Protocol):
    """What is read of a prediction (an :class:`oneformer_lite.Prediction` has it)."""

    task: str
    categories: Sequence[Category]
    class_ids: Sequence[int]
    scores: Sequence[float]

    @property
    def masks(self) -> np.ndarray: ...
    @property
    def label_map(self) -> np.ndarray: ...
    @property
    def segment_map(self) -> np.ndarray: ...
    @property
    def segments(self) -> Sequence[PredictedSegment]: ...


@only_known_names
class ResultFiles:
    """The predictions of a whole data set in one folder.

    panoptic: ``panoptic/NAME.png`` and ``panoptic.json``; instance: ``instances.json``, a run-length code
    and the unrounded score of every mask; semantic: ``semantic/NAME.png``, whose grey values are category
    ids. NAME is the picture's. The two JSON files appear in :meth:`finish`, each whole; those of an earlier
    run are removed at the start, so a stopped run leaves nothing that looks complete. PNGs that are not of this run
    stay, and :meth:`finish` warns of them. ``tasks``: some of the three, or one alone.

    >>> files = ResultFiles("results", ("panoptic",))
    >>> for image_id, path in pictures.items():  # of a test split, say, which has no annotation
    ...     files.add(ofl.predict(model, path, "panoptic"), image_id, path.name)
    >>> files.finish()

    For AP, predict instances with ``min_score=0``. Raises :class:`DataError` if ``folder`` cannot be written,
    :class:`ConfigError` for a task that is none.
    """

    def __init__(self, folder: str | Path, tasks: str | Sequence[str]) -> None:
        self.tasks = check_tasks(tasks, "to write")
        if path_of(folder, "the folder of the results") == Path():
            raise ConfigError(f"the results need a folder of their own, such as 'results', got {str(folder)!r}")
        self.folder = make_folder(folder)
        self._entries: dict[str, list[dict]] = {task: [] for task in self.tasks if task in JSON_NAMES}
        self._written: set[Path] = set()
        self._known: set[tuple[str, str, int | str]] = set()  # pictures of each task, by "id" and by "file"
        for task in self.tasks:
            if task != "instance":
                make_folder(self.folder / task)
            if task in JSON_NAMES:
                (self.folder / JSON_NAMES[task]).unlink(missing_ok=True)

    def add(self, prediction: Predicted, image_id: int | str, file_name: str) -> None:
        """Write or note the prediction of one picture, which is called ``file_name`` in its data set.

        Raises :class:`ConfigError` for the prediction of a task that is not written here, and for what is no id or
        name; :class:`DataError` for a picture that has been added before.
        """
        image_id = self._checked(prediction, image_id, file_name)
        categories = prediction.categories
        if prediction.task == "instance":
            whole = prediction.masks  # None where together they would be too large
            masks = whole if whole is not None else (segment.mask for segment in prediction.segments)
            entries = instance_results(image_id, masks, prediction.class_ids, prediction.scores, categories)
            self._entries["instance"] += entries
            return
        path = self.folder / prediction.task / f"{Path(file_name).stem}.png"
        if path in self._written:
            raise DataError(f"two pictures would be written to {path}: give each a file name of its own")
        self._written.add(path)
        if prediction.task == "semantic":
            write_image(path, category_map(prediction.label_map, categories))
        else:
            entry = panoptic_result(path, image_id, prediction.segment_map, prediction.segments, categories)
            self._entries["panoptic"].append(entry)

    def _checked(self, prediction: Predicted, image_id: int | str, file_name: str) -> int | str:
        """The id; raises as :meth:`add`. Label maps are known by their names alone."""
        task, image_id = getattr(prediction, "task", None), check_image_id(image_id)
        if task not in self.tasks:
            came = f"one for {task!r}" if isinstance(task, str) else f"a {type(prediction).__name__}"
            raise ConfigError(f"expected a prediction for {' or '.join(self.tasks)} (of ofl.predict), got {came}")
        if not isinstance(file_name, (str, os.PathLike)) or not Path(file_name).stem.strip():
            raise ConfigError(f"file_name must be the picture's in its data set, got {reprlib.repr(file_name)}")
        if task in self._entries:
            known = {(task, "id", image_id), (task, "file", str(file_name))}
            if known & self._known:
                raise DataError(
                    f"the picture {str(file_name)!r} (image_id {image_id!r}) has been added before: each picture once, "
                    "by an id and a file name of its own"
                )
            self._known |= known
        return image_id

    def look(self, prediction: Predicted, sample: Sample) -> None:
        """:meth:`add` what was predicted of a sample."""
        self.add(prediction, sample.image_id, sample.file_name or f"{sample.image_id:012d}")

    def finish(self) -> None:
        """Write the JSON files, once the pictures are on the disk. Warns of PNGs of another run among them."""
        all_to_disk()
        for task in set(self.tasks) - {"instance"}:
            if others := set((self.folder / task).glob("*.png")) - self._written:
                warn_user(
                    f"{self.folder / task} holds {len(others)} PNGs that are not of this run ({min(others).name} ...): "
                    "an evaluator that reads the whole folder would count them, so remove them or take a new folder"
                )
        for task, entries in self._entries.items():
            content = {"annotations": entries} if task == "panoptic" else entries
            write_json(self.folder / JSON_NAMES[task], content)


def check_image_id(image_id: int | str) -> int | str:
    """The id, as JSON knows it. Raises :class:`ConfigError` for what is no whole number and no text."""
    if isinstance(image_id, bool) or not isinstance(image_id, (Integral, str)) or not str(image_id).strip():
        raise ConfigError(
            "image_id must be the picture's id in the annotation file, a whole number or text, got "
            f"{reprlib.repr(image_id)}"
        )
    return image_id if isinstance(image_id, str) else int(image_id)  # of numpy too, which JSON does not know


def panoptic_result(
    path: str | Path,
    image_id: int | str,
    segment_map: np.ndarray,
    segments: Sequence[PredictedSegment],
    categories: Sequence[Category],
) -> dict:
    """Write a segment map int [H, W] as the PNG ``path`` and return its entry.

    Raises :class:`DataError` for ids that do not fit into a PNG or an unknown class.
    """
    segments_info = [
        {"id": int(s.id), "category_id": _category_id(s.class_id, categories)} for s in segments
    ]
    write_image(path, encode_ids(segment_map))
    return {"image_id": image_id, "file_name": Path(path).name, "segments_info": segments_info}


def instance_results(
    image_id: int | str,
    masks: Iterable[np.ndarray],
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


def category_map(label_map: np.ndarray, categories: Sequence[Category]) -> np.ndarray:
    """Class ids int [H, W] as category ids: uint8, or uint16 if one of them exceeds 255."""
    ids = np.array([category.id for category in categories])
    if not 0 <= ids.min() <= ids.max() <= np.iinfo(np.uint16).max:
        raise DataError(f"category ids must lie in 0..65535 to fit into a grey PNG, got {ids.min()}..{ids.max()}")
    return ids.astype(np.uint8 if ids.max() < 256 else np.uint16)[label_map]


def _category_id(class_id: int, categories: Sequence[Category]) -> int:
    if not 0 <= class_id < len(categories):
        raise DataError(
            f"unknown class id {class_id}, expected an index into the {len(categories)} categories"
        )
    return categories[int(class_id)].id
