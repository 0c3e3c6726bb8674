"""The doctor: all checks that fit what it is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..config import ModelConfig
from ..data.augment import augmentation
from ..data.batch import Batch, collate
from ..data.sample import Sample
from ..errors import ConfigError, OneFormerLiteError
from ..losses import Criterion
from ..model.oneformer import OneFormer
from ..training.checkpoint import saved_model
from ..training.loader import open_split
from ..training.run import Run
from ..training.state import read_recipe
from .alignment import check_alignment
from .annotation import check_class_ids, check_range, check_segments, check_shapes
from .behaviour import (
    check_classes,
    check_input,
    check_predicted_classes,
    check_queries,
    check_task_token,
    check_temperature,
)
from .examination import examine_batch
from .findings import Diagnosis, Finding, ordered
from .history import check_crops, check_log, check_recipe
from .learning import check_gradients, check_labels, check_losses, check_numbers

LARGEST = 512  # pixels a side of the pictures that the model is examined with


def doctor(
    model: OneFormer | None = None,
    dataset=None,
    *,
    run: str | Path | None = None,
    criterion: Callable | None = None,
    images: int = 16,
) -> Diagnosis:
    """Examine a model, a data set (:mod:`oneformer_lite.data`), both together, or a run's folder. Lesson 14.

    ``images`` samples of the data set are looked at; some of them go through the model, forward and
    backward, under all tasks. The model is left as it was. ``criterion(output, targets)`` is asked for the losses
    (default: :class:`~oneformer_lite.losses.Criterion`). A ``run`` brings its log, recipe, data and weights, as far
    as they are there and not given.

    Raises :class:`ConfigError` if there is nothing to examine.
    """
    findings: list[Finding] = []
    if run is not None:
        model, dataset = _examine_run(run, model, dataset, findings)
    elif model is None and dataset is None:
        raise ConfigError(
            "nothing to examine: ofl.doctor(model, dataset), ofl.doctor(dataset=...) or ofl.doctor(run=...)"
        )
    sound: list[Sample] = []
    if dataset is not None:
        sound = _examine_data(dataset, images, findings)
    if model is not None:
        findings.append(check_temperature(model))
    if model is not None and dataset is not None:
        findings.append(check_classes(model, dataset))
        if sound and model.text_mapper is not None and len(dataset.categories) == model.config.num_classes:
            _examine_model(model, sound, criterion or Criterion(model.config), findings)
    return ordered(findings)


def _examine_data(dataset, images: int, findings: list[Finding]) -> list[Sample]:
    """Adds findings; the samples, if a model can be shown them."""
    if not len(dataset):
        findings.append(Finding("samples", "fault", "the data set is empty", "look at its paths and its split"))
        return []
    chosen = np.unique(np.linspace(0, len(dataset) - 1, images).astype(int))
    try:
        samples = [dataset[int(index)] for index in chosen]
    except OneFormerLiteError as error:
        findings.append(Finding("samples", "fault", str(error), "repair or remove the file"))
        return []
    findings.append(shapes := check_shapes(samples))
    if shapes.verdict == "fault":
        return []
    ids = check_class_ids(samples, dataset.categories)
    findings += [check_range(samples), check_segments(samples), ids, check_alignment(samples)]
    return samples if ids.verdict != "fault" else []


def _examine_model(model: OneFormer, samples: list[Sample], criterion: Callable, findings: list[Finding]) -> None:
    config = model.config
    batch = _batch(samples, config).to(next(model.parameters()).device)
    findings.append(labels := check_labels(batch, config.num_classes))
    if most := max(max(len(target) for target in batch.targets) - config.num_queries, 0):
        evidence = f"a picture has {most} more masks than the model has queries ({config.num_queries})"
        findings.append(Finding("number of queries", "warning", evidence, "raise num_queries"))
    if labels.verdict == "fault" and any(len(target) for target in batch.targets):
        return  # the criterion would fail
    examination = examine_batch(model, batch, criterion)
    findings.append(numbers := check_numbers(examination))
    findings += check_losses(examination)
    if numbers.verdict == "fault":
        return
    findings += [
        check_gradients(examination, criterion),
        check_input(examination),
        check_queries(examination),
        check_task_token(examination),
        check_predicted_classes(examination),
    ]


def _batch(samples: list[Sample], config: ModelConfig) -> Batch:
    """The pictures richest in segments, scaled to fit, each under another task."""
    size = min(config.image_size, LARGEST)
    rich = sorted(samples, key=lambda sample: -len(sample.segments))[: 4 if size <= LARGEST // 2 else 2]
    fit, rng = augmentation("fit", size, config.equalize), np.random.default_rng(0)
    return collate([(fit(sample, rng), sample.tasks[i % len(sample.tasks)]) for i, sample in enumerate(rich)])


def _examine_run(
    folder: str | Path, model: OneFormer | None, dataset, findings: list[Finding]
) -> tuple[OneFormer | None, object]:
    """Adds findings on log and recipe; the model and the data set to go on with."""
    run = Run.attach(folder)
    config, train_config, _ = read_recipe(run.folder)
    findings += [check_recipe(train_config), *check_log(run)]
    try:
        dataset = dataset or open_split(train_config.data, train_config.train_split)
        findings.append(check_crops(dataset, train_config, config.image_size, config.equalize))
    except OneFormerLiteError as error:
        findings.append(
            Finding("data of the run", "warning", str(error), "ofl.doctor(dataset=..., run=...) takes another")
        )
    if model is None and (saved := saved_model(run.folder, config)):
        model, _ = saved
    return model, dataset
