"""Label maps: for each picture a PNG whose pixel values are class ids (semantic segmentation)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import DataError
from .coco_json import distinct_color, require_folder
from .image import open_image
from .map_dataset import MapDataset
from .sample import Category, SegmentInfo
from .segment_ids import present_ids


class SemanticDataset(MapDataset):
    """Pictures and PNG label maps that share their file name up to the suffix.

    Pixel values are class ids, 0..K-1 in the order of ``class_names``, or ``ignore_index`` (void).
    Each class present becomes one segment, with id = class id + 1. ``is_thing`` says for each class
    whether it is countable; label maps do not tell instances apart, so only the semantic task can
    be trained and by default every class counts as stuff. Pictures without a label map are skipped.

    Whatever contradicts the format raises a :class:`DataError` that names the file.
    """

    tasks = ("semantic",)

    def __init__(
        self,
        image_dir: str | Path,
        label_dir: str | Path,
        class_names: Sequence[str],
        ignore_index: int = 255,
        is_thing: Sequence[bool] | None = None,
    ) -> None:
        things = [False] * len(class_names) if is_thing is None else list(is_thing)
        if len(things) != len(class_names):
            raise DataError(
                f"is_thing has {len(things)} entries for {len(class_names)} class names: pass one "
                "for each class"
            )
        self.categories = tuple(
            Category(id=index, name=name, is_thing=bool(thing), color=distinct_color(index))
            for index, (name, thing) in enumerate(zip(class_names, things, strict=True))
        )
        self.ignore_index = ignore_index
        self.image_dir = require_folder(image_dir, "the pictures")
        self.label_dir = require_folder(label_dir, "the label maps")
        self._pairs = self._pair_files()
        self.image_ids = list(range(len(self._pairs)))

    def _pair_files(self) -> list[tuple[Path, Path]]:
        known = Image.registered_extensions()
        pictures: dict[str, Path] = {}
        for path in sorted(self.image_dir.iterdir()):
            if path.suffix.lower() not in known:
                continue
            if path.stem in pictures:
                raise DataError(
                    f"{path} and {pictures[path.stem]} have the same name up to the suffix, so "
                    "their label maps cannot be told apart: remove or rename one"
                )
            pictures[path.stem] = path
        labels = sorted(self.label_dir.glob("*.png"))
        orphans = [path.name for path in labels if path.stem not in pictures]
        if orphans or not labels:
            came = f"{orphans[0]} and {len(orphans) - 1} more have none" if orphans else "got none"
            raise DataError(
                f"{self.label_dir}: expected PNG label maps, each named like a picture in "
                f"{self.image_dir} up to the suffix, but {came}: check both folders"
            )
        return [(pictures[path.stem], path) for path in labels]

    def _files(self, index: int) -> tuple[Path, Path, str]:
        image_path, label_path = self._pairs[index]
        return image_path, label_path, image_path.name

    def annotation(self, index: int) -> tuple[np.ndarray, tuple[SegmentInfo, ...]]:
        """The segment map int32 [H, W] and its segments, without decoding the picture."""
        path = self._pairs[index][1]
        picture = open_image(path)
        if len(picture.getbands()) != 1:
            raise DataError(
                f"{path} has the {len(picture.getbands())} channels {picture.mode}, but a label "
                "map has one, of class ids: convert its colours to class ids first"
            )
        labels = np.asarray(picture).astype(np.int32)  # a palette picture gives its indices
        void = labels == self.ignore_index
        unknown = ~void & ((labels < 0) | (labels >= len(self.categories)))
        if unknown.any():
            raise DataError(
                f"{path} holds the values {np.unique(labels[unknown])[:8].tolist()}, which are "
                f"neither a class id (0..{len(self.categories) - 1}) nor ignore_index="
                f"{self.ignore_index}: correct the map, class_names or ignore_index"
            )
        segment_map = np.where(void, 0, labels + 1).astype(np.int32)
        ids = present_ids(segment_map).tolist()
        return segment_map, tuple(SegmentInfo(id=i, class_id=i - 1) for i in ids)
