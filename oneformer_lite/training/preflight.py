"""What ``ofl.train`` looks at before its first step: data that nothing can be learned from are refused, odd ones told.

The checks are the doctor's (``dataset_checks/``). What a training needs at its first evaluation is tried here too:
validation pictures are read and painted, as far as that goes without a model. A resumed run has seen its pictures: only
files, classes and tasks are looked at again. Nothing is drawn from the random generators.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..config import BaseConfig
from ..data.augment import augmentation
from ..data.by_name import class_places, warn_of_other_kinds
from ..data.dataset import SegmentationDataset
from ..data.sample import TASKS, Sample
from ..data.sample_fields import check_fields
from ..data.unreadable import Unreadable, read
from ..data.views import Given, as_dataset, require_samples
from ..dataset_checks.alignment import check_alignment
from ..dataset_checks.annotation import (
    check_class_ids,
    check_contrast,
    check_image_ids,
    check_query_count,
    check_range,
    check_segment_ids,
    check_segments,
    check_shapes,
    check_tasks,
)
from ..dataset_checks.findings import Finding
from ..dataset_checks.splits import (
    check_apart,
    check_categories,
    check_files,
    check_repeated,
    check_seen_classes,
    missing_files,
)
from ..dataset_checks.texts import check_texts
from ..errors import ConfigError, DataError, OneFormerLiteError
from ..notices import warn_user
from ..spread import spread_over
from .config import TrainConfig
from .crops import check_crops
from .distributed import Processes
from .pictures import try_pictures
from .prepared import in_model_order, prepared
from .randomness import undisturbed
from .rates import check_rates

SAMPLES = 16  # of the training split, evenly spread
MORE = 256  # further ones where nothing to learn was found in these
ALIGNED = 8  # of them whose outlines are compared with edges, which takes longest
VALIDATION = 64  # validation pictures read at most


def ready(
    config: BaseConfig, c: TrainConfig, train_data: Given, val_data: Given | None, processes: Processes, fresh: bool
) -> tuple[SegmentationDataset, SegmentationDataset | None]:
    """The data sets as the model numbers its classes, looked at by the first process.

    Raises the same :class:`ConfigError` or :class:`DataError` in all processes where nothing can be learned.
    """
    train_data = as_dataset(train_data)
    val_data = None if val_data is None else as_dataset(val_data)
    if val_data is None and c.evaluations:
        raise ConfigError("there are no validation data for the evaluations: give val_data, or set evaluations=0")
    if c.evaluations:
        check_evaluations(config)
    ordered = in_model_order(config, train_data)  # the classes first: it takes no time
    fault = None
    if c.look_first and processes.is_first:
        try:
            with undisturbed():
                _compare_kinds(config, ordered, range(config.num_classes), "the training data")
                tell(look(config, c, train_data, val_data, fresh))
        except OneFormerLiteError as error:
            fault = error
    processes.raise_together(fault)
    return prepared(config, c, train_data), val_data


def check_evaluations(config: BaseConfig) -> None:
    """Raise :class:`ConfigError` if what is trained answers nothing that could be judged."""
    try:
        config.check_answers(config.learned_tasks[0])
    except ConfigError as error:
        raise ConfigError(f"{error}. Until then there is nothing to evaluate: set evaluations=0") from error


def look(
    config: BaseConfig, c: TrainConfig, train_data: SegmentationDataset, val_data: SegmentationDataset | None,
    fresh: bool = True,
) -> list[Finding]:  # fmt: skip
    """The findings, faults of single pictures among them; raises where nothing that is looked at can be learned from.
    ``fresh``: pictures are read too."""
    if not len(train_data):
        raise DataError("the training data set is empty: look at its paths, its split, and what was filtered")
    _refuse(check_categories(train_data.categories))
    missing = missing_files(train_data)
    findings = [odd] if (odd := check_rates(c)) else []
    findings += _look_at_files(train_data, missing, c, "training")
    if seen := check_seen_classes(train_data):
        findings.append(seen)
    if c.evaluations:
        findings += _look_at_validation(config, c, val_data, fresh)
        findings += _odd(check_apart(train_data, val_data))
    if fresh:
        findings += _look_at_samples(config, c, train_data, missing)
    return findings


def tell(findings: Sequence[Finding]) -> None:
    """A warning for each finding that is not fine."""
    for finding in findings:
        if finding.verdict != "fine":
            cure = f". {finding.cure[0].upper()}{finding.cure[1:]}" if finding.cure else ""
            warn_user(f"{finding.check}: {finding.evidence}{cure}")


def _look_at_files(
    dataset: SegmentationDataset, missing: Mapping[int, Path], c: TrainConfig, split: str
) -> list[Finding]:
    if not missing:
        return []
    limit = Unreadable(len(dataset), c.unreadable_share, split).limit
    finding = check_files(dataset, missing)
    if len(missing) > limit or len(missing) == len(dataset):
        raise DataError(f"{split} data: {finding.evidence}; {limit} may be left out. {_sentence(finding.cure)}")
    return [Finding(f"files of {split}", "warning", f"{finding.evidence}; they will be left out", finding.cure)]


def _look_at_samples(
    config: BaseConfig, c: TrainConfig, dataset: SegmentationDataset, missing: Mapping[int, Path]
) -> list[Finding]:
    """A few training samples: refuses what cannot be learned from."""
    chosen = [index for index in spread_over(len(dataset), SAMPLES) if index not in missing]
    samples = _read(dataset, chosen, c, "training")
    shares = dict(zip(TASKS, c.task_probabilities))
    _refuse(check_shapes(samples), check_range(samples), _class_ids(dataset, samples))
    tasks, contrast = check_tasks(samples, shares), check_contrast(samples)
    nothing = tasks.verdict == "fault" and "never draw" not in tasks.evidence
    if nothing or contrast.verdict == "fault":  # rare things may be elsewhere
        others = set(spread_over(len(dataset), MORE)).difference(chosen, missing)
        samples += _read(dataset, sorted(others), c, "training") if others else []
        tasks, contrast = check_tasks(samples, shares), check_contrast(samples)
    segments = check_segments(samples)
    if tasks.verdict == "fault" and segments.verdict == "fault":
        _refuse(segments)
    _refuse(tasks, contrast)
    crops = _crops_with_targets(config, c, dataset)
    queries = _enough_queries(config, c, samples)
    drawn = c.drawn({*config.learned_tasks} & {*dataset.tasks})
    texts = check_texts(config, drawn, c.images_at_once, samples)
    repeated = check_repeated(dataset, samples)
    return _odd(segments, repeated, tasks, contrast, queries, texts, check_alignment(samples[:ALIGNED]), crops)


def _crops_with_targets(config: BaseConfig, c: TrainConfig, dataset: SegmentationDataset) -> Finding:
    """What augmentation leaves; refused where it is nothing in a few pictures, and in many more."""
    crops = check_crops(dataset, c, config, drawn=ALIGNED)
    if crops.verdict == "fault":  # rare things may be elsewhere
        crops = check_crops(dataset, c, config, drawn=MORE)
        _refuse(crops)
    return crops


def _enough_queries(config: BaseConfig, c: TrainConfig, samples: Sequence[Sample]) -> Finding:
    """For pictures as training sees them: a crop has fewer segments than the whole picture."""
    limits = config.num_queries, config.learned_tasks, config.fixed_queries
    whole = check_query_count(samples, *limits)
    if whole.verdict == "fine":
        return whole
    augment = augmentation(c.augmentation, config.image_size, config.equalize, config.stretch)
    rng = np.random.default_rng(c.seed)
    return check_query_count([augment(sample, rng) for sample in samples], *limits)


def _look_at_validation(config: BaseConfig, c: TrainConfig, dataset: SegmentationDataset, fresh: bool) -> list[Finding]:
    if not len(dataset):
        raise DataError("the validation data set is empty: look at its paths and its split, or set evaluations=0")
    only_instances = tuple(dataset.tasks) == ("instance",)
    places = class_places(config.class_names, dataset.categories, only_instances, "the validation data set")
    _compare_kinds(config, dataset, places, "the validation data set")
    tasks = config.answers(dataset.tasks)
    if not tasks:
        asked = ", ".join(config.answered_tasks)
        raise ConfigError(f"the validation data set supplies none of the tasks {asked}, but {dataset.tasks}")
    _refuse(check_categories(dataset.categories))
    missing = missing_files(dataset)
    findings = _look_at_files(dataset, missing, c, "validation")
    first = [i for i in range(min(c.eval_images, len(dataset), VALIDATION)) if i not in missing]
    if fresh and first:
        samples = _read(dataset, first, c, "validation")
        _refuse(check_shapes(samples), _class_ids(dataset, samples))
        findings += _odd(replace(check_repeated(dataset, samples), check="objects of validation"))
        if "panoptic" in tasks:
            _refuse(check_segment_ids(samples))
        if "instance" in tasks:
            _refuse(check_image_ids(samples))
        if not any(segment for sample in samples for segment in sample.segments if not segment.is_crowd):
            findings.append(Finding(
                "validation", "warning", f"its first {len(samples)} pictures have no segment: scores will be empty",
                "raise eval_images, or take other pictures",
            ))  # fmt: skip
        try_pictures(samples, tasks, Path(c.out))
    return findings


def _compare_kinds(config: BaseConfig, dataset: SegmentationDataset, places: Sequence[int], data: str) -> None:
    """A warning where things of the data are stuff for the model, as far as the data know both."""
    if "panoptic" in dataset.tasks and "panoptic" in config.learned_tasks:
        warn_of_other_kinds(config.categories, dataset.categories, places, data)


def _odd(*findings: Finding) -> list[Finding]:
    return [finding for finding in findings if finding.verdict != "fine"]


def _class_ids(dataset: SegmentationDataset, samples: Sequence[Sample]) -> Finding:
    return check_class_ids(samples, dataset.categories)


def _read(dataset: SegmentationDataset, indices: Sequence[int], c: TrainConfig, split: str) -> list[Sample]:
    """The samples at ``indices``, as far as they can be read; raises if too many cannot."""
    bad, samples = Unreadable(len(dataset), c.unreadable_share, split), []
    for index in indices:
        try:
            sample = read(dataset, index)
            require_samples([sample])
            check_fields(sample)
            samples.append(sample)
        except DataError as error:
            bad.note({index: str(error)})
    if not samples:
        raise DataError(f"none of the {split} pictures looked at can be read: {next(iter(bad.found.values()))}")
    return samples


def _refuse(*findings: Finding) -> None:
    for finding in findings:
        if finding.verdict == "fault":
            raise DataError(f"these data cannot be trained with: {finding.evidence}. {_sentence(finding.cure)}")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
