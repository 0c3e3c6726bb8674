"""A finished run's model on the validation pictures: its line of the results."""

from __future__ import annotations

import math
import time
from pathlib import Path

from ..data.dataset import SegmentationDataset
from ..data.views import Chosen
from ..device import choose_device
from ..evaluation import evaluate
from ..training.checkpoint import CHECKPOINT, PREVIOUS
from ..training.run import Run
from ..weights import from_pretrained
from .definition import Definition
from .measures import METRICS, judged_under
from .results import Result, curves_of
from .variants import Variant


def judge(definition: Definition, variant: Variant, seed: int, run: Run, val: SegmentationDataset) -> Result:
    """What the run in ``run.folder`` has come to."""
    begun = time.monotonic()
    token, tasks = judged_under(variant, val.tasks)
    model = from_pretrained(run.folder / "model").to(choose_device())
    pictures = val if definition.judged is None else Chosen(val, range(min(definition.judged, len(val))))
    scores = evaluate(model, pictures, tasks, token=token)
    history = run.history
    trained = [r for r in history if r["kind"] == "train"]
    own = [token] if token else tasks  # a task that was never drawn has no curve under its own token
    return Result(
        variant.name, seed,
        steps=max((r["step"] for r in history), default=0), parameters=model.inference_parameters,
        scores={name: round(value, 4) for name, value in scores.items() if math.isfinite(value)},
        curves=curves_of(history, [n for n in definition.metrics if any(n in METRICS[task] for task in own)]),
        skipped=int(trained[-1].get("skipped") or 0) if trained else 0, trouble=run.reason,
        seconds=max((float(r.get("seconds") or 0) for r in history), default=0.0),
        judging_seconds=round(time.monotonic() - begun, 2),
    )  # fmt: skip


def tidy(folder: Path) -> None:
    """A run whose result is kept is never resumed: its checkpoints, two or three times its model's size, can go."""
    for name in (CHECKPOINT, PREVIOUS):
        (folder / name).unlink(missing_ok=True)
