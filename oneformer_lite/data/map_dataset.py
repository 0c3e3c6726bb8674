"""What the data sets with one map of segments per picture have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np

from .image import read_annotated
from .sample import Category, Sample, SegmentInfo


class MapDataset(ABC):
    """Pictures and maps as :class:`Sample`; the subclasses know where the files are and how to read a map.

    They set ``categories``, ``tasks`` and ``image_ids``, and define ``annotation`` and ``_files``.
    """

    tasks: tuple[str, ...]
    categories: tuple[Category, ...]
    image_ids: list[int]

    def __len__(self) -> int:
        return len(self.image_ids)

    @property
    def picture_names(self) -> list[str]:
        """The pictures' names in the data set, in its order."""
        return [self._files(index)[2] for index in range(len(self))]

    def __getitem__(self, index: int) -> Sample:
        segment_map, segments = self.annotation(index)
        image_path, map_path, file_name = self._files(index)
        image = read_annotated(image_path, segment_map.shape, map_path)
        return Sample(
            image=image,
            segment_map=segment_map,
            segments=segments,
            categories=self.categories,
            image_id=self.image_ids[index],
            file_name=file_name,
            tasks=self.tasks,
        )

    def paths(self, index: int) -> tuple[Path, Path]:
        """The files that a sample is read from."""
        return self._files(index)[:2]

    @abstractmethod
    def annotation(self, index: int) -> tuple[np.ndarray, tuple[SegmentInfo, ...]]:
        """The segment map int32 [H, W] and its segments, without decoding the picture."""

    @abstractmethod
    def _files(self, index: int) -> tuple[Path, Path, str]:
        """The picture's path, the map's path, and the picture's name in the data set."""
