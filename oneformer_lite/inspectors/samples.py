"""The samples that inspectors are given: annotated pictures, alone or each with a task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from ..data.sample import TASKS, Sample, check_task
from ..errors import ConfigError

MOST_SAMPLES = 8
_EXPECTED = "expected a list of samples, [dataset[0], dataset[1], ...], or of (sample, task) pairs"


def sample_pairs(samples: Iterable[Sample | tuple[Sample, str]]) -> list[tuple[Sample, str | None]]:
    """(sample, its task or None) of the first MOST_SAMPLES. Raises :class:`ConfigError` where there are none, where one
    is no annotated picture, and where its annotation cannot supply the task."""
    if isinstance(samples, Sample) or not (hasattr(samples, "__iter__") or hasattr(samples, "__getitem__")):
        raise ConfigError(f"{_EXPECTED}; got one {type(samples).__name__}")
    pairs = [_pair(item) for item in islice(_items(samples), MOST_SAMPLES)]
    if not pairs:
        raise ConfigError(f"{_EXPECTED}; got none")
    return pairs


def _items(samples: Iterable) -> Iterator:
    """One after the other; a data set says how many there are, not where they end."""
    if hasattr(samples, "__len__") and hasattr(samples, "__getitem__"):
        return (samples[index] for index in range(len(samples)))
    return iter(samples)


def _pair(item: Sample | tuple[Sample, str]) -> tuple[Sample, str | None]:
    sample, task = item if isinstance(item, tuple) and len(item) == 2 else (item, None)
    if not isinstance(sample, Sample):
        raise ConfigError(f"{_EXPECTED}; one of them is a {type(sample).__name__}, which has no annotation")
    if task is not None and check_task(task) not in sample.tasks:
        raise ConfigError(f"{sample.file_name or 'a sample'} cannot supply the {task} task")
    return sample, task


def task_choices(pairs: Sequence[tuple[Sample, str | None]]) -> dict[str, list[str]]:
    """Name -> one task for each image, the first being where to begin. Without given tasks: one after the other, much
    as training draws them."""
    mixed = [task or sample.tasks[place % len(sample.tasks)] for place, (sample, task) in enumerate(pairs)]
    choices = {"given" if any(task for _, task in pairs) else "mixed": mixed}
    return choices | {t: [t] * len(pairs) for t in TASKS if all(t in sample.tasks for sample, _ in pairs)}
