"""What the doctor is given as a data set, made into one: samples by number, with their categories."""

from __future__ import annotations

from collections.abc import Sequence

from torch.utils.data import Subset

from ..data.sample import Category, Sample
from ..errors import ConfigError


class Listed:
    """Samples by number, with the ``categories`` and ``tasks`` that a data set has."""

    def __init__(self, samples: Sequence[Sample], categories: tuple[Category, ...], tasks: tuple[str, ...]) -> None:
        self.samples, self.categories, self.tasks = samples, categories, tasks

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[index]


def as_dataset(given):
    """``given`` itself if it is a data set; one made of it if it is a list of samples or a part of a data set.

    Raises :class:`ConfigError` for everything else.
    """
    if all(hasattr(given, name) for name in ("categories", "__len__", "__getitem__")):
        return given
    if isinstance(given, Subset):
        whole = as_dataset(given.dataset)
        return Listed(given, whole.categories, getattr(whole, "tasks", ()))
    if isinstance(given, (list, tuple)) and given and all(isinstance(sample, Sample) for sample in given):
        if any(sample.categories != given[0].categories for sample in given):
            raise ConfigError("the samples have different categories: examine those of one data set at a time")
        return Listed(given, given[0].categories, given[0].tasks)
    raise ConfigError(
        f"a {type(given).__name__} is no data set to examine: expected one with 'categories' and 'tasks' whose items "
        "are Samples, as those of ofl.data, or a list of at least one Sample"
    )


def require_samples(items: Sequence) -> None:
    """Raises :class:`ConfigError` if the data set yields something else than samples."""
    for item in items:
        if not isinstance(item, Sample):
            raise ConfigError(f"the data set yields a {type(item).__name__} for a picture: expected ofl.data.Sample")
