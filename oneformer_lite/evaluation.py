"""One model, one data set, the metrics of all three tasks.

Each task is judged under its own token, as in the paper: PQ under "panoptic", AP under "instance",
mIoU under "semantic". ``token`` forces another one, which shows how much the token matters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from .data.batch import pad_to, padded_size
from .data.sample import TASKS, Sample, check_task
from .errors import ConfigError
from .inference import prepare, raw_predictions, read_prediction
from .metrics import InstanceMetric, PanopticMetric, SemanticMetric, semantic_labels
from .model import OneFormer

Progress = Callable[[int, int], None]


@torch.inference_mode()
def evaluate(
    model: OneFormer,
    dataset,
    tasks: Sequence[str] = TASKS,
    *,
    token: str | None = None,
    batch_size: int = 8,
    progress: Progress | None = None,
) -> dict[str, float]:
    """Percentages over ``dataset`` (any of :mod:`oneformer_lite.data`).

    panoptic: PQ, SQ, RQ, also for things (``_th``) and stuff (``_st``) apart; instance: AP, AP50,
    AP75; semantic: mIoU, pixel_accuracy. Tasks the annotation cannot supply are an error.
    ``progress(done, total)`` counts images.
    """
    tasks = [check_task(task) for task in tasks]
    categories = tuple(dataset.categories)
    if len(categories) != model.config.num_classes:
        raise ConfigError(
            f"the model knows {model.config.num_classes} classes, the data set has {len(categories)}: "
            "evaluate it on the data set it was trained for"
        )
    if unsupported := [task for task in tasks if task not in dataset.tasks]:
        raise ConfigError(
            f"the data set's annotation supports {', '.join(dataset.tasks)}, not {', '.join(unsupported)}"
        )
    judges = {
        "panoptic": PanopticMetric(categories),
        "instance": InstanceMetric(categories),
        "semantic": SemanticMetric(len(categories)),
    }
    was_training = model.training
    model.eval()
    try:
        for start in range(0, len(dataset), batch_size):
            samples = [dataset[i] for i in range(start, min(start + batch_size, len(dataset)))]
            for task_group in [[task] for task in tasks] if token is None else [tasks]:
                _judge_batch(model, samples, task_group, token or task_group[0], judges, categories)
            if progress:
                progress(start + len(samples), len(dataset))
    finally:
        model.train(was_training)
    return {name: value for task in tasks for name, value in _report(task, judges[task]).items()}


def _judge_batch(model, samples: list[Sample], tasks: list[str], token: str, judges: dict, categories) -> None:
    device = next(model.parameters()).device
    images = [prepare(sample.image, model.config) for sample in samples]
    sizes = [tuple(image.shape[-2:]) for image in images]
    batch = torch.stack([pad_to(image, padded_size(sizes)) for image in images])
    output = model(batch.to(device), token)
    for raw, sample in zip(raw_predictions(output, sizes, [s.size for s in samples]), samples):
        for task in tasks:
            prediction = read_prediction(raw, task, sample.image, model.config, categories)
            _judge(task, judges[task], prediction, sample)


def _judge(task: str, judge, prediction, sample: Sample) -> None:
    if task == "panoptic":
        judge.update(prediction.segment_map, prediction.segments, sample.segment_map, sample.segments)
    elif task == "instance":
        truth = sample.segment_map if sample.masks is None else sample.masks
        judge.update(
            sample.image_id, prediction.masks, prediction.class_ids, prediction.scores, truth, sample.segments
        )
    else:
        judge.update(prediction.label_map, semantic_labels(sample.segment_map, sample.segments))


def _report(task: str, judge) -> dict[str, float]:
    result = judge.compute()
    if task == "panoptic":
        return {
            "PQ": result.pq, "SQ": result.sq, "RQ": result.rq,
            "PQ_th": result.pq_things, "SQ_th": result.sq_things, "RQ_th": result.rq_things,
            "PQ_st": result.pq_stuff, "SQ_st": result.sq_stuff, "RQ_st": result.rq_stuff,
        }
    if task == "instance":
        return {"AP": result.ap, "AP50": result.ap50, "AP75": result.ap75}
    return {"mIoU": result.miou, "pixel_accuracy": result.pixel_accuracy}

