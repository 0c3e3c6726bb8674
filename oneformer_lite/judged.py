"""What is judged: which data set and tasks, under which classes, in which batches, and by which predictions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from .config import BaseConfig
from .data.batch import padded_size
from .data.by_name import class_places
from .data.dataset import SegmentationDataset
from .data.sample import TASKS, Category, Sample, check_tasks
from .data.unreadable import Unreadable, read_checked
from .data.views import Given, as_dataset
from .errors import ConfigError, DataError
from .inference import (
    AveragedScores,
    Ensemble,
    Prediction,
    RawPrediction,
    WindowedPrediction,
    answers_of,
    check_model,
    grid_for,
    in_windows,
    read_prediction,
)
from .model import MaskModel


def judgeable(
    model: MaskModel | Ensemble, dataset: Given, tasks: Sequence[str] = TASKS
) -> tuple[SegmentationDataset, list[str]]:
    """The data set (a list of samples becomes one) and the tasks, in their usual order. Raises :class:`ConfigError` or
    :class:`DataError` where the model cannot be judged on them."""
    dataset, tasks = supplied(model, dataset, tasks)
    judged_classes(model.config, dataset)
    return dataset, tasks


def supplied(
    model: MaskModel | Ensemble, dataset: Given, tasks: Sequence[str]
) -> tuple[SegmentationDataset, list[str]]:
    """:func:`judgeable`, but for the classes."""
    check_model(model)
    chosen = check_tasks(tasks, "to judge")
    for task in chosen:
        model.config.check_answers(task)
    dataset = as_dataset(dataset)
    if unsupported := [task for task in chosen if task not in dataset.tasks]:
        raise ConfigError(
            f"the data set's annotation supports {', '.join(dataset.tasks)}, not {', '.join(unsupported)}"
        )
    if not len(dataset):
        raise DataError("the data set has no pictures, so there is nothing to judge: check its folders and files")
    return dataset, chosen


def batches(
    dataset: SegmentationDataset, config: BaseConfig, batch_size: int, unreadable: Unreadable
) -> Iterator[list[Sample]]:
    """All samples that can be read, in groups whose pictures have one size after padding.

    The published model does not mask padding, so a picture padded to its neighbour's size would be
    segmented otherwise than alone. Few samples wait for others of their size: then the largest group goes.
    """
    waiting: dict[tuple[int, int], list[Sample]] = defaultdict(list)
    for index in range(len(dataset)):
        try:
            sample = read_checked(dataset, index)
        except DataError as error:
            unreadable.note({index: str(error)})
            continue
        group = waiting[padded_size([config.inference_size(*sample.size)], config.padding_multiple)]
        group.append(sample)
        if len(group) == batch_size or sum(map(len, waiting.values())) >= 8 * batch_size:
            yield waiting.pop(max(waiting, key=lambda size: len(waiting[size])))
    yield from waiting.values()


def judged_classes(config: BaseConfig, dataset: SegmentationDataset) -> tuple[tuple[Category, ...], list[int]]:
    """The model's classes as the data set has them, found by name, and the places of the data set's among them."""
    only_instances = tuple(dataset.tasks) == ("instance",)
    places = class_places(config.class_names, dataset.categories, some=only_instances)
    # a class that an instance file does not list is no thing here: the instance task leaves it out
    known = [replace(c, is_thing=False) for c in config.categories]
    for place, category in zip(places, dataset.categories):
        known[place] = category
    return tuple(known), places


def predictions_of(
    model: MaskModel | Ensemble, samples: list[Sample], tasks: list[str], token: str, windows: bool | int
) -> Iterator[list[Prediction]]:
    """Of each sample one for each task, all read from one answer under ``token``."""
    grids = [grid_for(model, sample.image, windows) for sample in samples]
    whole = iter(
        raw_answers_of(model, [s for s, grid in zip(samples, grids) if not grid], token, masks=tasks != ["semantic"])
    )
    for sample, grid in zip(samples, grids):
        if grid:
            yield [in_windows(model, sample.image, task, grid, sample.categories) for task in tasks]
        else:
            raw = next(whole)
            yield [read_prediction(raw, task, sample.image, model.config, sample.categories) for task in tasks]


def raw_answers_of(
    model: MaskModel | Ensemble, samples: list[Sample], task: str, masks: bool = True
) -> Sequence[RawPrediction | WindowedPrediction | AveragedScores]:
    """Of pictures that have one size once they are padded."""
    return answers_of(model, [sample.image for sample in samples], task, masks=masks) if samples else []
