"""The doctor: all checks that fit what it is given."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from numbers import Integral
from pathlib import Path

import numpy as np
import torch

from ..checks import only_known_names
from ..config import BaseConfig
from ..data.augment import augmentation
from ..data.batch import DIVISOR, Batch, collate
from ..data.dataset import SegmentationDataset
from ..data.sample import Sample
from ..data.views import Given, as_dataset, paths_of, require_samples
from ..dataset_checks.alignment import check_alignment
from ..dataset_checks.amount import check_amount
from ..dataset_checks.annotation import (
    check_class_ids,
    check_contrast,
    check_query_count,
    check_range,
    check_segments,
    check_shapes,
    check_tasks,
)
from ..dataset_checks.findings import Diagnosis, Finding, not_examined, ordered
from ..dataset_checks.splits import check_categories, check_files, check_repeated, check_seen_classes, missing_files
from ..dataset_checks.texts import check_texts
from ..errors import ConfigError, OneFormerLiteError
from ..inference import check_model
from ..losses import Criterion
from ..model import MaskModel
from ..spread import spread_over
from ..training.log import examine_log
from ..training.run import Run
from .behaviour import (
    check_classes,
    check_input,
    check_predicted_classes,
    check_queries,
    check_task_token,
    check_temperature,
)
from .examination import examine_batch
from .fit import check_fit
from .folder import examine_run, went_on_from_a_model
from .learning import check_gradients, check_labels, check_losses, check_numbers, check_parameters
from .pictures import with_predictions, with_samples

LARGEST = 512  # pixels a side of the pictures that the model is examined with
SMALLEST = 2 * DIVISOR  # attention over the single token of a smaller picture has nothing to weigh: no gradient
SHOWN_PICTURES = "losses, gradients, normalisation, queries, task token and predicted classes"


@only_known_names
def doctor(
    model: MaskModel | None = None,
    dataset: Given | None = None,
    *,
    run: str | Path | None = None,
    criterion: Callable | None = None,
    images: int = 16,
) -> Diagnosis:
    """Examine a model, a data set (:mod:`oneformer_lite.data`), both together, or a run's folder. Lesson 14. Lesson 20.

    ``images`` samples of the data set are looked at; some of them go through the model, forward and
    backward, under all tasks. The model is left as it was. A list of samples will do for a data set.
    ``criterion(output, targets)`` is asked for the losses (default: :class:`~oneformer_lite.losses.Criterion`).
    A ``run`` brings its log, recipe, data and weights, as far as they are there and not given. Checks that could
    not run are named with the reason.

    Raises :class:`ConfigError` if there is nothing to examine, or nothing that is a data set.
    """
    if not isinstance(images, Integral) or images < 1:
        raise ConfigError(f"images={images!r} leaves nothing to look at: a whole number, at least 1")
    if run is None and model is None and dataset is None:
        raise ConfigError(
            "nothing to examine: ofl.doctor(model, dataset), ofl.doctor(dataset=...) or ofl.doctor(run=...)"
        )
    if model is not None:
        check_model(model)
    dataset = None if dataset is None else as_dataset(dataset)
    with torch.inference_mode(False):  # the caller's would keep all gradients away
        return _examine(model, dataset, run, criterion, images)


def _examine(
    model: MaskModel | None, dataset: SegmentationDataset | None, run, criterion: Callable | None, images: int
) -> Diagnosis:
    findings: list[Finding] = []
    own = run is not None and model is None  # the run's own weights
    if run is not None:
        model, dataset = examine_run(run, model, dataset, findings)
    started = run is not None and went_on_from_a_model(run)
    sound: list[Sample] = []
    if dataset is not None:
        sound = _examine_data(dataset, images, findings, started)
    if model is not None:
        if "text_mapper" in model.training_only:
            findings.append(check_temperature(model))
        if dataset is not None:
            findings.append(check_classes(model, dataset))
            learned = [task for task in model.config.learned_tasks if task in dataset.tasks]
            if run is None and (texts := check_texts(model.config, learned)).verdict != "fine":
                findings.append(texts)
        if obstacle := _obstacle(model, dataset, sound):
            findings += [check_parameters(model), not_examined(SHOWN_PICTURES, *obstacle)]
        else:
            _examine_model(model, sound, criterion or Criterion(model.config), findings)
            if own:
                findings += _examine_fit(model, sound, Run(run), started)
    return ordered(findings)


def _examine_fit(model: MaskModel, samples: list[Sample], run: Run, started: bool) -> list[Finding]:
    """What a run's model makes of its training pictures."""
    try:
        return check_fit(model, samples, examine_log(run.folder)[0], started)
    except OneFormerLiteError as error:
        return [not_examined("its own pictures", str(error))]


def _obstacle(model: MaskModel, dataset: SegmentationDataset | None, sound: list[Sample]) -> tuple[str, str] | None:
    """Why the model cannot be shown pictures, and what helps."""
    if dataset is None:
        return "no data set was given", "ofl.doctor(model, dataset)"
    if not sound:
        return "there is no sample to show the model", "see the findings on the data set"
    if len(dataset.categories) != model.config.num_classes:
        return "the classes of the data set are not the model's", "see the finding on classes"
    if any(parameter.is_inference() for parameter in model.parameters()):
        return "the model was made under torch.inference_mode, so it can give no gradients", "make it outside"
    return None


def _examine_data(dataset: SegmentationDataset, images: int, findings: list[Finding], started: bool) -> list[Sample]:
    """Adds findings; the samples, if a model can be shown them."""
    if not len(dataset):
        findings.append(Finding("samples", "fault", "the data set is empty", "look at its paths and its split"))
        return []
    chosen = spread_over(len(dataset), images)
    try:
        samples = [dataset[index] for index in chosen]
    except OneFormerLiteError as error:
        findings.append(Finding("samples", "fault", str(error), "repair or remove the file"))
        findings.append(not_examined("all else about the samples", "one of them cannot be read"))
        return []
    require_samples(samples)
    findings += _look_at_whole(dataset, started)
    findings.append(shapes := with_samples(check_shapes, samples))
    if shapes.verdict == "fault":
        rest = "brightness, segments, class ids and place of the segments"
        findings.append(not_examined(rest, "see the fault in pictures and maps"))
        return []
    ids = with_samples(partial(check_class_ids, categories=dataset.categories), samples)
    segments = with_samples(check_segments, samples, always=True)
    findings += [with_samples(check_range, samples), segments, ids, check_alignment(samples)]
    findings += [f for f in (check_contrast(samples), check_repeated(dataset, samples)) if f.verdict != "fine"]
    if ids.verdict != "fault" and segments.verdict != "fault":
        findings.append(check_tasks(samples))
    return samples if ids.verdict != "fault" else []


def _look_at_whole(dataset: SegmentationDataset, started: bool) -> list[Finding]:
    """What can be said of all pictures without reading them; nothing of data sets that do not know."""
    findings = [check_files(dataset, missing_files(dataset))] if len(dataset) and paths_of(dataset, 0) else []
    categories, seen = check_categories(dataset.categories), check_seen_classes(dataset)
    amount = check_amount(dataset, started) if findings else None  # samples in memory may be a choice from many
    return findings + [categories] * (categories.verdict == "fault") + [f for f in (seen, amount) if f is not None]


def _examine_model(model: MaskModel, samples: list[Sample], criterion: Callable, findings: list[Finding]) -> None:
    config = model.config
    batch = _batch(samples, config).to(next(model.parameters()).device)
    findings.append(labels := check_labels(batch, config.num_classes))
    enough = check_query_count(samples, config.num_queries, config.learned_tasks, config.fixed_queries)
    if enough.verdict != "fine":
        findings.append(enough)
    if labels.verdict == "fault" and any(len(target) for target in batch.targets):
        findings += [check_parameters(model), not_examined(SHOWN_PICTURES, "the criterion would fail on these labels")]
        return
    examination = examine_batch(model, batch, criterion)
    findings.append(numbers := check_numbers(examination))
    findings += check_losses(examination, left_out={model.training_only[part] for part in model.missing_parts})
    if numbers.verdict == "fault":
        findings.append(not_examined(SHOWN_PICTURES.partition(", ")[2], "see the fault in the numbers"))
        return
    findings += [
        check_gradients(examination, criterion),
        check_input(examination),
        check_queries(examination),
        check_task_token(examination),
        with_predictions(check_predicted_classes(examination), model, samples),
    ]


def _batch(samples: list[Sample], config: BaseConfig) -> Batch:
    """The pictures richest in segments, scaled to fit, each under another task, of those that the model learns."""
    size = max(min(config.image_size, LARGEST), SMALLEST)
    rich = sorted(samples, key=lambda sample: -len(sample.segments))[: 4 if size <= LARGEST // 2 else 2]
    fit, rng = augmentation("fit", size, config.equalize, config.stretch), np.random.default_rng(0)
    pairs = []
    for i, sample in enumerate(rich):
        tasks = [task for task in sample.tasks if task in config.learned_tasks] or sample.tasks
        pairs.append((fit(sample, rng), tasks[i % len(tasks)]))
    return collate(pairs)
