"""Has a run learned its own training pictures? And which of their classes does it never predict?

A model that fails on the pictures it has seen has not learned; one that fails on others alone has seen too few.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..data.sample import Sample
from ..dataset_checks.findings import Finding
from ..evaluation import evaluate
from ..metrics import Evaluation
from ..model import MaskModel
from .history import FEW_STEPS, NO_SCORE

LOOKED_AT = 6  # training pictures that are predicted
SCORES = {"panoptic": "PQ", "instance": "AP", "semantic": "mIoU"}
WORTH = 10.0  # percent
BY_HEART = 4.0  # times the score of validation
NAMED = 8  # classes


def check_fit(
    model: MaskModel, samples: Sequence[Sample], history: Sequence[dict], started: bool = False
) -> list[Finding]:
    """Predict some of the training pictures of a run, and compare with its last validation. ``started``: the run went
    on from a trained model."""
    chosen, task = list(samples[:LOOKED_AT]), model.config.answers(samples[0].tasks)[0]
    metrics = evaluate(model, chosen, task)
    steps = max((record["step"] for record in history if record["kind"] == "train"), default=0)
    fit = _fit(SCORES[task], metrics[SCORES[task]], len(chosen), steps, history, started)
    return [fit, *_never_predicted(metrics, steps)]


def _fit(name: str, score: float, count: int, steps: int, history: Sequence[dict], started: bool) -> Finding:
    check, evidence = "its own pictures", f"{name} {score:.1f} on {count} of those that it was trained on"
    if math.isnan(score):
        return Finding(check, "too little", f"{count} training pictures have nothing to score")
    if score < NO_SCORE and steps < FEW_STEPS:
        return Finding(check, "too little", f"{evidence}, after {steps} steps", "train longer")
    if score < NO_SCORE:
        return Finding(
            check, "fault", f"{evidence}, after {steps} steps: next to nothing was learned",
            "look at the findings on recipe, losses and data; then train on a few pictures alone, which must succeed",
        )  # fmt: skip
    others = [r[name] for r in history if r["kind"] in ("eval", "final") and isinstance(r.get(name), (int, float))]
    if others and score > WORTH and score > BY_HEART * others[-1]:
        start = "" if started else ", a trained start (start_from)"
        return Finding(
            check, "warning", f"{evidence}, {others[-1]:.1f} in validation: they were learned by heart",
            f'more pictures, a stronger augmentation ("coco"){start}; or validation has another kind of pictures',
        )  # fmt: skip
    if others and others[-1] > WORTH and score < others[-1] / BY_HEART:
        return Finding(
            check, "fault", f"{evidence}, but {others[-1]:.1f} in its own validation: what it is shown now is not what "
            "it was shown then",
            "compare a batch of its training, in numbers, with what goes in now: normalisation, size, order of colours",
        )  # fmt: skip
    return Finding(check, "fine", evidence)


def _never_predicted(metrics: Evaluation, steps: int) -> list[Finding]:
    """Of metrics that know what was predicted; nothing of instance files, whose AP does not."""
    check, predicted = "classes never predicted", _predicted(metrics)
    never = [name for name, times in predicted.items() if not times]
    if not predicted:
        return []
    if not never:
        return [Finding(check, "fine", f"none: all {len(predicted)} in these pictures are predicted")]
    named = ", ".join(never[:NAMED]) + " ..." * (len(never) > NAMED)
    return [
        Finding(
            check, "too little" if steps < FEW_STEPS else "warning",
            f"{len(never)} of the {len(predicted)} in these pictures: {named}",
            "train longer; look how often they occur, and whether they are named alike everywhere",
        )
    ]  # fmt: skip


def _predicted(metrics: Evaluation) -> dict[str, int]:
    """How often each annotated class was predicted, in segments or pixels."""
    if metrics.confusion is not None:
        columns, rows = metrics.confusion.sum(0), metrics.confusion.sum(1)
        return {row["name"]: int(columns[i]) for i, row in enumerate(metrics.per_class) if rows[i]}
    rows = [row for row in metrics.per_class if row.get("TP", 0) + row.get("FN", 0)]
    return {row["name"]: row["TP"] + row["FP"] for row in rows}
