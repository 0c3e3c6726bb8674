"""Data sets made of others: of a list of samples, of some of a data set's pictures, of its classes in another order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch.utils.data import Subset

from ..errors import ConfigError
from .dataset import SegmentationDataset
from .sample import TASKS, Category, Sample, check_tasks_of
from .sample_fields import check_fields

# what may be given where a data set is asked for
Given = SegmentationDataset | Sequence[Sample] | Subset


class Listed:
    """Samples by number, with the ``categories`` and ``tasks`` that a data set has."""

    def __init__(self, samples: Sequence[Sample], categories: tuple[Category, ...], tasks: tuple[str, ...]) -> None:
        self.samples, self.categories, self.tasks = samples, categories, tasks

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[index]


class Chosen(Subset):
    """The pictures of a data set at ``indices``, with the attributes that training and evaluation read."""

    def __init__(self, dataset: SegmentationDataset, indices: Sequence[int]) -> None:
        super().__init__(dataset, indices)
        self.categories, self.tasks = dataset.categories, tasks_of(dataset)

    def paths(self, index: int) -> tuple:
        return paths_of(self.dataset, self.indices[index])


class Renumbered:
    """A data set whose class ``i`` becomes class ``class_ids[i]`` of ``categories``."""

    def __init__(
        self, dataset: SegmentationDataset, class_ids: Sequence[int], categories: tuple[Category, ...]
    ) -> None:
        self.dataset, self.class_ids, self.categories, self.tasks = dataset, class_ids, categories, dataset.tasks

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Sample:
        return renumbered(self.dataset[index], self.class_ids, self.categories)

    def paths(self, index: int) -> tuple:
        return paths_of(self.dataset, index)


def paths_of(dataset: SegmentationDataset, index: int) -> tuple:
    """The files of a picture, empty where the data set does not tell them."""
    return dataset.paths(index) if hasattr(dataset, "paths") else ()


def renumbered(sample: Sample, class_ids: Sequence[int], categories: tuple[Category, ...]) -> Sample:
    """The sample with ``categories``, in which its classes have these ids.

    Raises :class:`DataError` for a class id that is none of the data set's.
    """
    check_fields(sample)
    if any(not 0 <= segment.class_id < len(class_ids) for segment in sample.segments):
        sample.check()
    segments = tuple(replace(s, class_id=class_ids[s.class_id]) for s in sample.segments)
    return sample.replace(segments=segments, categories=categories)


def tasks_of(dataset: SegmentationDataset) -> tuple[str, ...]:
    """The tasks that a data set supplies; of one that does not say, those of its first sample."""
    if hasattr(dataset, "tasks"):
        return dataset.tasks
    return dataset[0].tasks if len(dataset) else TASKS


def as_dataset(given: Given) -> SegmentationDataset:
    """``given`` itself if it is a data set; one made of it if it is a list of samples, a part of a data set, or lacks
    its ``tasks``.

    Raises :class:`ConfigError` for everything else.
    """
    if all(hasattr(given, name) for name in ("categories", "__len__", "__getitem__")):
        check_tasks_of(tasks_of(given), "the data set")
        return given if hasattr(given, "tasks") else Chosen(given, range(len(given)))
    if isinstance(given, Subset):
        chosen = Chosen(as_dataset(given.dataset), given.indices)
        reads_otherwise = type(given).__getitem__ is not Subset.__getitem__
        return Listed(given, chosen.categories, chosen.tasks) if reads_otherwise else chosen
    if isinstance(given, (list, tuple)) and given and all(isinstance(sample, Sample) for sample in given):
        if any(sample.categories != given[0].categories for sample in given):
            raise ConfigError("the samples have different categories: give those of one data set")
        if any(sample.tasks != given[0].tasks for sample in given):
            raise ConfigError("the samples have different tasks: give those that an annotation of one kind supplies")
        check_tasks_of(given[0].tasks, "the samples")
        return Listed(given, given[0].categories, given[0].tasks)
    raise ConfigError(
        f"{_what_came(given)} is no data set: expected one with 'categories' and 'tasks' whose items are Samples, as "
        "those of ofl.data, or a list of at least one Sample"
    )


def _what_came(given: object) -> str:
    if isinstance(given, (str, Path)):
        return f"the name {str(given)!r}, which ofl.data.open({str(given)!r}, split) opens,"
    if isinstance(given, Sample):
        return "a Sample alone"
    if isinstance(given, (list, tuple)):
        other = next((item for item in given if not isinstance(item, Sample)), None)
        return f"a {type(given).__name__} with a {type(other).__name__} in it" if given else "an empty list"
    return f"a {type(given).__name__}"


def require_samples(items: Sequence) -> None:
    """Raises :class:`ConfigError` if the data set yields something else than samples."""
    for item in items:
        if not isinstance(item, Sample):
            raise ConfigError(f"the data set yields a {type(item).__name__} for a picture: expected ofl.data.Sample")
