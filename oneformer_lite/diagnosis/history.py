"""What a run's log and recipe tell: losses at zero, no progress, scores that stay at nothing."""

from __future__ import annotations

import numpy as np

from ..data.sample import TASKS
from ..errors import OneFormerLiteError
from ..losses import LOSSES
from ..training.config import TrainConfig
from ..training.loader import EndlessSampler, TaskSamples, augmentation
from ..training.run import Run
from .findings import Finding

ZERO = 1e-6
ENOUGH_RECORDS = 20
LATE = 0.3  # share of the run after which a score must be above nothing
NOTHING = 1.0  # percent
DRAWN = 32  # augmented samples looked at


def check_log(run: Run) -> list[Finding]:
    """The losses over the run, and its scores."""
    try:
        history = run.history
    except OneFormerLiteError as error:
        return [Finding("log", "fault", str(error), "delete the line")]
    records = [r for r in history if r["kind"] == "train"]
    if not records:
        return [Finding("log", "warning", "the run has not logged a step yet")]
    findings = [_check_course(records, name) for name in LOSSES]
    findings.append(_check_progress(records))
    findings.append(_check_scores(history, records[-1]["step"]))
    if run.status == "failed":
        findings.append(
            Finding("state", "fault", run.reason.split("\n")[0], "run.resume() goes on from the checkpoint")
        )
    return findings


def check_recipe(train_config: TrainConfig) -> Finding:
    """Settings that are known to spoil a run."""
    c = train_config
    if c.batch_size // c.accumulate == 1:
        return Finding(
            "recipe", "fault", f"batch_size {c.batch_size} in {c.accumulate} micro-batches: one picture at a time, so "
            "the contrastive loss is exactly 0", "micro-batches of two or more",
        )  # fmt: skip
    if unused := [task for task, share in zip(TASKS, c.task_probabilities) if not share]:
        return Finding("recipe", "warning", f"never trains {', '.join(unused)}", "task_probabilities above 0")
    return Finding("recipe", "fine", f"batches of {c.batch_size}, learning rate {c.lr:g}, {c.schedule}")


def check_crops(dataset, train_config: TrainConfig, image_size: int, equalize: bool) -> Finding:
    """The recipe's augmentation leaves something to learn."""
    from ..data.targets import targets_for

    augment = augmentation(train_config.augmentation, image_size, equalize)
    samples = TaskSamples(dataset, augment, train_config.seed, train_config.task_probabilities)
    addresses = list(zip(EndlessSampler(len(dataset), train_config.seed), range(DRAWN)))
    counts = []
    for address, _ in addresses:
        drawn = samples[address]
        if isinstance(drawn, OneFormerLiteError):
            return Finding("augmented targets", "fault", str(drawn), "repair or remove the file")
        counts.append(len(targets_for(*drawn)))
    empty = sum(count == 0 for count in counts)
    evidence = f"{np.mean(counts):.1f} masks a picture after {train_config.augmentation!r} at {image_size}"
    if empty == len(counts):
        return Finding(
            "augmented targets", "fault", f"no ground truth is left after cropping, in all {empty} drawn pictures",
            "cross-entropy then falls to 0 with nothing learned: a larger image_size, or another augmentation",
        )  # fmt: skip
    if empty > len(counts) / 2:
        return Finding("augmented targets", "warning", f"{evidence}; {empty} of {len(counts)} are empty")
    return Finding("augmented targets", "fine", evidence)


def _check_course(records: list[dict], loss: str) -> Finding:
    name = f"{loss} loss over the run"
    values = [r.get(loss) for r in records]
    broken = sum(v is None for v in values)
    if broken > len(values) / 2 or values[-1] is None:
        evidence = f"{broken} of {len(values)} records are not finite"
        return Finding(name, "fault", evidence, "lower lr, set clip_norm=1.0")
    late = [v for v in values if v is not None][-max(ENOUGH_RECORDS, len(values) // 5) :]
    evidence = f"{np.mean(late):.3g} at the end, {next(v for v in values if v is not None):.3g} at the start"
    if len(late) >= ENOUGH_RECORDS and max(late) < ZERO:
        return Finding(
            name, "fault", f"{evidence}: zero for the last {len(late)} records",
            "ofl.doctor(model, dataset) looks at a batch and says why",
        )  # fmt: skip
    if broken:
        return Finding(name, "warning", f"{evidence}; {broken} records are not finite")
    return Finding(name, "fine", evidence)


def _check_progress(records: list[dict]) -> Finding:
    values = np.array([r["total"] for r in records if r.get("total") is not None])
    if len(values) < 2 * ENOUGH_RECORDS:
        return Finding("progress", "fine", f"only {len(values)} records yet")
    tenth = max(ENOUGH_RECORDS // 2, len(values) // 10)
    start, end = float(values[:tenth].mean()), float(values[-tenth:].mean())
    evidence = f"the total loss went from {start:.3g} to {end:.3g}"
    if end < 0.98 * start:
        return Finding("progress", "fine", evidence)
    cure = "overfit a handful of pictures first; then raise or lower lr"
    return Finding("progress", "fault", f"{evidence}: it does not fall", cure)


def _check_scores(history: list[dict], step: int) -> Finding:
    scores = [r for r in history if r["kind"] in ("eval", "final")]
    if not scores:
        return Finding("scores", "fine", "none yet")
    last = {name: scores[-1][name] for name in ("PQ", "AP", "mIoU") if scores[-1].get(name) is not None}
    evidence = ", ".join(f"{name} {value:.2f}" for name, value in last.items()) + f" at step {scores[-1]['step']}"
    if last and max(last.values()) < NOTHING and scores[-1]["step"] > LATE * step:
        return Finding(
            "scores", "fault", f"{evidence}: next to nothing",
            "look at the classes of model and data set, at the task in evaluation, and at the losses",
        )  # fmt: skip
    return Finding("scores", "fine", evidence)
