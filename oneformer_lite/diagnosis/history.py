"""What a run's log and recipe tell: losses at zero, no progress, scores that stay at nothing."""

from __future__ import annotations

import numpy as np

from ..config import BaseConfig
from ..data.sample import TASKS
from ..dataset_checks.findings import Finding
from ..dataset_checks.texts import learns_from_texts, told_nothing
from ..losses.terms import TERMS
from ..render.curves import loss_terms
from ..training.config import TrainConfig
from ..training.log import LOG, examine_log
from ..training.rates import advice, check_rates
from ..training.run import Run
from ..training.trend import EXPLODED, MOST, SMALL, SOME
from .pictures import with_curves, with_newest
from .sense import BELOW_CURE, BELOW_ZERO, asked_for_names

ZERO = 1e-6
ENOUGH_RECORDS = 20
LATE = 0.3  # share of the run after which a score must be above nothing
NO_SCORE = 1.0  # percent: below it nothing was found
FEW_STEPS = 100  # before them a low score means nothing
SCORES = ("PQ", "AP", "mIoU")
WORTH = 10.0  # percent a score must have reached before its loss means something
FLAT = 0.98  # share of its start above which a loss counts as not fallen
LEARNED = 0.8  # share of its start below which it has
FEW_IMAGES = 10  # of an evaluation that says little
MOST_SHOWN = 6  # scores over a run
SPIKE = 3  # records in a row that tell a rise from one odd batch
CURE = "lower lr, set clip_norm=1.0"  # where the recipe is not known
ENOUGH_IMAGES = 48
CONTRASTIVE = "contrastive loss over the run"
LARGEST = 1e300  # whole numbers of a log can be larger than any float


def check_log(
    run: Run, train_config: TrainConfig | None = None, config: BaseConfig | None = None
) -> list[Finding]:  # fmt: skip
    """The losses over the run, its skipped steps and its scores. Lines that are no records are a fault; the others are
    read. The cure of what diverged depends on the recipe, what the contrastive loss says on recipe and configuration.
    """
    history, damaged = examine_log(run.folder)
    findings, cure = [], CURE if train_config is None else advice(train_config)
    if damaged:
        number, line = damaged[0]
        findings.append(
            Finding(
                "log", "fault", f"line {number} of {LOG} is no record: {line!r} ({len(damaged)} such lines in all)",
                "delete them; run.history and run.resume() leave them out",
            )
        )  # fmt: skip
    asked = (train_config or TrainConfig).eval_images  # of an unknown recipe the field's default
    records = [r for r in history if r["kind"] == "train"]
    if not records:
        return [*findings, Finding("log", "warning", "the run has not logged a step yet")]
    findings += _check_skipped(records[-1], cure)
    findings += [asked_for_names(_check_course(records, name, cure), history) for name in loss_terms(records)]
    if train_config is not None and config is not None:
        findings = [_told_apart(f, records, train_config, config) for f in findings]
    findings.append(with_curves(_check_progress(records, cure), history))
    findings.append(with_newest(_check_scores(history, records[-1]["step"], asked), run.folder))
    return findings


def check_recipe(train_config: TrainConfig, config: BaseConfig) -> Finding:
    """Settings that are known to spoil a run."""
    c = train_config
    if c.images_at_once == 1 and hasattr(config, "contrastive_weight"):
        return Finding(
            "recipe", "fault", f"batch_size {c.batch_size} in {c.accumulate} micro-batches: one picture at a time, so "
            "the contrastive loss is exactly 0", "micro-batches of two or more",
        )  # fmt: skip
    if odd := check_rates(c):
        return odd
    if unused := [t for t, share in zip(TASKS, c.task_probabilities) if not share and t in config.learned_tasks]:
        return Finding("recipe", "warning", f"never trains {', '.join(unused)}", "task_probabilities above 0")
    return Finding("recipe", "fine", f"batches of {c.batch_size}, learning rate {c.lr:g}, {c.schedule}")


def _check_skipped(last: dict, cure: str) -> list[Finding]:
    """Of logs that count them."""
    skipped, steps = last.get("skipped"), last["step"]
    if skipped is None or not steps:
        return []
    evidence = f"{skipped} of {steps}, as their loss or gradient was not finite"
    if skipped > SOME * steps:
        return [Finding("skipped steps", "fault" if skipped > MOST * steps else "warning", evidence, cure)]
    return [Finding("skipped steps", "fine", evidence if skipped else f"none of {steps}")]


def _check_course(records: list[dict], loss: str, cure: str) -> Finding:
    name = f"{loss} loss over the run"
    values = _values(records, loss)
    broken = sum(v is None for v in values)
    if broken > len(values) / 2 or values[-1] is None:
        evidence = f"{broken} of {len(values)} records are not finite"
        return Finding(name, "fault", evidence, cure)
    finite = [v for v in values if v is not None]
    late = finite[-max(ENOUGH_RECORDS, len(values) // 5) :]
    end = np.mean(late[-max(1, len(finite) // 2) :])
    evidence = f"{end:.3g} at the end, {finite[0]:.3g} at the start"
    if end < -ZERO and loss in TERMS:
        return Finding(name, "fault", f"{evidence}: {BELOW_ZERO}", BELOW_CURE)
    if explosion := _explosion(finite):
        return Finding(name, "fault", f"{evidence}{explosion}", cure)
    if len(late) >= ENOUGH_RECORDS and max(late) < ZERO:
        return Finding(
            name, "fault", f"{evidence}: zero for the last {len(late)} records",
            "ofl.doctor(model, dataset) looks at a batch and says why",
        )  # fmt: skip
    if broken:
        return Finding(name, "warning", f"{evidence}; {broken} records are not finite")
    start, end, _ = _ends(finite)
    if loss != "contrastive" and len(finite) >= 2 * ENOUGH_RECORDS and end > FLAT * start:
        return Finding(
            name, "warning", f"{evidence}: it does not fall",
            f"look at {loss}_weight, at the masks, and at the gradients: ofl.doctor(model, dataset)",
        )  # fmt: skip
    return Finding(name, "fine", evidence)


def _told_apart(finding: Finding, records: list[dict], c: TrainConfig, config: BaseConfig) -> Finding:
    """The ``finding`` itself, or if it is on a contrastive loss that stood where nothing is told apart, one that says
    so."""
    batch = c.images_at_once
    if finding.check != CONTRASTIVE or finding.verdict != "fine" or batch == 1 or not learns_from_texts(config):
        return finding
    values = [v for v in _values(records, "contrastive") if v is not None]
    if len(values) < 2 * ENOUGH_RECORDS or _ends(values)[2] < FLAT * told_nothing(batch):
        return finding
    return Finding(
        CONTRASTIVE, "warning", f"{finding.evidence}: never below 2 ln {batch} = {told_nothing(batch):.2f}, its value "
        "where no picture is told from another, so it teaches nothing",
        "under one task set contrastive_weight=0; under several look at the texts: ofl.widgets.ContrastInspector",
    )  # fmt: skip


def _explosion(values: list[float]) -> str:
    """In words, how far a loss has risen above its start, for more than a moment; empty if it has not."""
    few = min(SPIKE, max(1, len(values) - 1))
    peak = max(np.median(values[i : i + few]) for i in range(len(values) - few + 1))
    return f": it has exploded, to {peak:.3g}" if peak > EXPLODED * max(values[0], SMALL) else ""


def _check_progress(records: list[dict], cure: str) -> Finding:
    values = [v for v in _values(records, "total") if v is not None]
    if values and (explosion := _explosion(values)):
        evidence = f"the total loss went from {values[0]:.3g} to {values[-1]:.3g}{explosion}"
        return Finding("progress", "fault", evidence, cure)
    if len(values) < 2 * ENOUGH_RECORDS:
        return Finding("progress", "too little", f"only {len(values)} records yet")
    start, end, lowest = _ends(values)
    evidence = f"the total loss went from {start:.3g} to {end:.3g}"
    if end > FLAT * start:
        cure = "overfit a handful of pictures first; then raise or lower lr"
        return Finding("progress", "fault", f"{evidence}: it does not fall", cure)
    if lowest < LEARNED * start and end - lowest > (start - lowest) / 2:
        return Finding(
            "progress", "warning", f"{evidence}, but was down at {lowest:.3g} in between: more than half is lost again",
            "lower lr, set clip_norm=1.0, and resume from an earlier checkpoint",
        )  # fmt: skip
    return Finding("progress", "fine", evidence)


def _check_scores(history: list[dict], step: int, asked: int) -> Finding:
    rounds = [r for r in history if r["kind"] in ("eval", "final")]
    if not rounds:
        return Finding("scores", "too little", "no evaluation yet")
    courses = {name: [(v, r["step"]) for r, v in zip(rounds, _values(rounds, name))] for name in SCORES}
    last = {name: course[-1][0] for name, course in courses.items() if course[-1][0] is not None}
    at = f"at step {rounds[-1]['step']}"
    if not last:
        return Finding(
            "scores", "fault", f"{', '.join(SCORES)} are all empty {at}",
            "look at the validation data: without a segment of a known class there is nothing to score",
        )  # fmt: skip
    evidence = ", ".join(f"{name} {value:.2f}" for name, value in last.items()) + f" {at}"
    if max(last.values()) < NO_SCORE and rounds[-1]["step"] > LATE * step:
        if rounds[-1]["step"] < FEW_STEPS:
            return Finding("scores", "too little", f"{evidence}: next to nothing", "train longer")
        return Finding(
            "scores", "fault", f"{evidence}: next to nothing",
            "look at the classes of model and data set, at the task in evaluation, and at the losses",
        )  # fmt: skip
    for name, value in last.items():
        best, when = max((v, s) for v, s in courses[name] if v is not None)
        if best > WORTH and value < best / 2:
            return Finding(
                "scores", "fault", f"{evidence}: {name} was {best:.2f} at step {when}, and more than half is lost",
                "lower lr, set clip_norm=1.0, and resume from an earlier checkpoint",
            )  # fmt: skip
    evidence += _over_the_run(courses)
    empty = [name for name, value in last.items() if value < NO_SCORE]
    if empty and rounds[-1]["step"] > LATE * step:
        return Finding("scores", "warning", f"{evidence}: next to nothing in {', '.join(empty)}", "look at its task")
    images = rounds[-1].get("images")
    if images is not None and images < FEW_IMAGES:
        counted = f"{evidence} (of {images} picture{'s' * (images != 1)})"
        return Finding("scores", "too little", counted, _more_validation(images, asked))
    return Finding("scores", "fine", evidence)


def _more_validation(images: int, asked: int) -> str:
    """What helps: more of the pictures that there are, or more of them."""
    if images < asked:
        more = "is the one that there is" if images == 1 else "are all that there are"
        return f"annotate more pictures for validation: the {images} {more}"
    return f"more of the validation pictures: eval_images={ENOUGH_IMAGES}"


def _over_the_run(courses: dict[str, list[tuple[float | None, int]]]) -> str:
    """The first score that was measured of all evaluations, in words; empty for a single one."""
    name, course = next((n, c) for n, c in courses.items() if c[-1][0] is not None)
    values = [value for value, _ in course if value is not None]
    shown = values if len(values) <= MOST_SHOWN else [*values[: MOST_SHOWN - 2], None, values[-1]]
    words = ", ".join("..." if value is None else f"{value:.1f}" for value in shown)
    return f" ({name} over the run: {words})" if len(values) > 1 else ""


def _values(records: list[dict], name: str) -> list[float | None]:
    """The numbers under ``name``; None where there is none that is finite."""
    values = [r.get(name) for r in records]
    return [v if isinstance(v, (int, float)) and abs(v) < LARGEST else None for v in values]


def _ends(values: list[float]) -> tuple[float, float, float]:
    """Means of the first and of the last tenth, and the lowest mean of any as long."""
    tenth = max(ENOUGH_RECORDS // 2, len(values) // 10)
    means = np.convolve(values, np.full(tenth, 1 / tenth), mode="valid") if len(values) >= tenth else np.array(values)
    return float(means[0]), float(means[-1]), float(means.min())
