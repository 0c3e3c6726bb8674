"""One model, one data set, the metrics of all three tasks.

Each task is judged under its own token, as in the paper: PQ under "panoptic", AP under "instance",
mIoU under "semantic". ``token`` forces another one, which shows how much the token matters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from .checks import check_count, check_progress, check_share, only_known_names
from .data.by_name import warn_of_other_kinds
from .data.sample import TASKS, Sample, check_task
from .data.targets import targets_for
from .data.unreadable import Unreadable
from .data.views import Given, renumbered
from .errors import ConfigError, DataError
from .evaluating import evaluating
from .inference import Ensemble, Prediction, RawPrediction
from .judged import batches, judged_classes, predictions_of, raw_answers_of, supplied
from .metrics import (
    Evaluation,
    InstanceMetric,
    MatchedMasksMetric,
    MatchedMasksResult,
    PanopticMetric,
    ResultFiles,
    SemanticMetric,
    semantic_labels,
    summarise,
)
from .model import MaskModel
from .model.output import class_distribution
from .notices import warn_user

Progress = Callable[[int, int], None]
Look = Callable[[Prediction, Sample], None]


@only_known_names
@torch.inference_mode()
def evaluate(
    model: MaskModel | Ensemble,
    dataset: Given,
    tasks: Sequence[str] = TASKS,
    *,
    token: str | None = None,
    batch_size: int = 8,
    results: str | Path | None = None,
    progress: Progress | None = None,
    unreadable: float | Unreadable = 0.01,
    look: Look | None = None,
    windows: bool | int = False,
) -> Evaluation:
    """Percentages over ``dataset`` (any of :mod:`oneformer_lite.data`, or a list of samples), by name.

    panoptic: PQ, SQ, RQ, also for things (``_th``) and stuff (``_st``) apart; instance: AP, AP50, AP75; semantic:
    mIoU, mDice (F1, the mean over classes), pixel_accuracy. The result also holds all of it class by class, AP by
    size, and the confusion matrix (:class:`~oneformer_lite.metrics.Evaluation`). Tasks the annotation cannot supply are
    an error. An instance file may list fewer classes than the model knows: found by name, only they are judged.

    ``batch_size`` has no influence on the result (see :func:`batches`). ``results`` is a folder for the
    predictions in COCO's formats (:class:`~oneformer_lite.metrics.ResultFiles`). ``progress(done, total)``
    counts images. Pictures that cannot be read are left out with a warning: at most the share ``unreadable``, but one
    in any case; 0 makes the first one an error. ``look`` is shown every prediction with its sample. ``windows``: how
    large pictures are looked at, as in :func:`~oneformer_lite.inference.predict`; the model may be an
    :class:`~oneformer_lite.inference.Ensemble`.
    """
    check_count("batch_size", batch_size)
    check_progress(progress)
    if token is not None:
        check_task(token)
        if windows:
            raise ConfigError("in windows each task is judged under its own token: leave out token, or windows")
    dataset, tasks = supplied(model, dataset, tasks)
    categories, class_ids = judged_classes(model.config, dataset)
    if "panoptic" in dataset.tasks and tasks != ["semantic"]:
        warn_of_other_kinds(model.config.categories, dataset.categories, class_ids)
    judges = {
        "panoptic": PanopticMetric(categories),
        "instance": InstanceMetric(categories),
        "semantic": SemanticMetric(len(categories)),
    }
    if not isinstance(unreadable, Unreadable):
        check_share("unreadable", unreadable)
        unreadable = Unreadable(len(dataset), unreadable, "evaluated")
    files = ResultFiles(results, tasks) if results is not None else None
    lookers = [one for one in (files and files.look, look) if one]
    done = segments = 0
    with evaluating(model):
        for samples in batches(dataset, model.config, batch_size, unreadable):
            segments += sum(not segment.is_crowd for sample in samples for segment in sample.segments)
            samples = [renumbered(sample, class_ids, categories) for sample in samples]
            for task_group in [[task] for task in tasks] if token is None else [tasks]:
                _judge_batch(model, samples, task_group, token or task_group[0], judges, lookers, windows)
            done += len(samples)
            if progress:
                progress(done, len(dataset))
    if files:
        files.finish()
    if not segments:
        warn_user(
            f"none of the {done} evaluated pictures has a segment (crowds do not count): there is nothing to find, so "
            "scores are NaN. Look at the annotation, and at which split this is"
        )
    confusion = judges["semantic"].confusion_matrix if "semantic" in tasks else None
    return summarise(categories, {task: judges[task].compute() for task in tasks}, confusion)


@only_known_names
@torch.inference_mode()
def evaluate_masks(
    model: MaskModel | Ensemble,
    dataset: Given,
    task: str = "instance",
    *,
    batch_size: int = 8,
    progress: Progress | None = None,
) -> MatchedMasksResult:
    """How well each object of ``task`` is drawn and named by the query whose mask is nearest to it, and how many
    detections there are beside (:mod:`.metrics.matched_masks`). A picture that cannot be read is an error.

    PQ and AP count what is found; this tells masks from classes where a model finds little yet.
    """
    check_count("batch_size", batch_size)
    check_progress(progress)
    if check_task(task) == "semantic":
        raise ConfigError("a class's mask is no object: expected the task panoptic or instance")
    dataset, (task,) = supplied(model, dataset, [task])
    categories, class_ids = judged_classes(model.config, dataset)
    metric, done = MatchedMasksMetric(), 0
    with evaluating(model):
        for samples in batches(dataset, model.config, batch_size, Unreadable(len(dataset), 0, "evaluated")):
            for raw, sample in zip(raw_answers_of(model, samples, task), samples):
                _match(metric, raw, renumbered(sample, class_ids, categories), task)
            done += len(samples)
            if progress:
                progress(done, len(dataset))
    return metric.compute()


def _match(metric: MatchedMasksMetric, raw: RawPrediction, sample: Sample, task: str) -> None:
    targets = targets_for(sample, task)
    said = class_distribution(raw.class_logits, raw.no_object).argmax(-1)
    said[said == raw.num_classes] = -1
    sides = zip(raw.mask_logits.shape[-2:], raw.unpadded, raw.padded)
    height, width = (max(1, round(cells * part / whole)) for cells, part, whole in sides)
    probabilities = raw.mask_logits[:, :height, :width].float().sigmoid()
    found = (said, probabilities, raw.masks() > 0)
    metric.update(*(t.cpu().numpy() for t in (*found, targets.labels, targets.masks)))


def _judge_batch(
    model: MaskModel | Ensemble,
    samples: list[Sample],
    tasks: list[str],
    token: str,
    judges: dict,
    lookers: Sequence[Look],
    windows: bool | int,
) -> None:
    for sample, predictions in zip(samples, predictions_of(model, samples, tasks, token, windows)):
        for task, prediction in zip(tasks, predictions):
            _judge(task, judges[task], prediction, sample)
            for look in lookers:
                look(prediction, sample)


def _judge(task: str, judge, prediction, sample: Sample) -> None:
    if task == "panoptic":
        judge.update(prediction.segment_map, prediction.segments, sample.segment_map, sample.segments)
    elif task == "instance":
        truth = sample.segment_map if sample.masks is None else sample.masks
        if prediction.masks is None:
            raise DataError(
                f"{sample.file_name or sample.image_id}: the masks of {len(prediction.segments)} instances at its size "
                f"of {sample.size[1]} x {sample.size[0]} pixels are too many to be judged: cut the picture and its "
                "annotation into parts"
            )
        judge.update(
            sample.image_id, prediction.masks, prediction.class_ids, prediction.scores, truth, sample.segments
        )
    else:
        judge.update(prediction.label_map, semantic_labels(sample.segment_map, sample.segments))

