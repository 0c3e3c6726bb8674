"""The quick evaluations of a run: when they are due, and what each leaves: scores, pictures, the best model."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path

from ..data.dataset import SegmentationDataset
from ..data.unreadable import Unreadable
from ..data.views import Chosen
from ..errors import OneFormerLiteError
from ..evaluation import evaluate
from ..model import MaskModel
from ..notices import warn_user
from .config import TrainConfig
from .pictures import write_pictures


class Evaluations:
    """Evenly spread over the budget, the last at its end, so that the log knows the finished model. Lesson 13.

    ``progress``: the share of the budget that a resumed run has used.
    """

    def __init__(self, config: TrainConfig, dataset: SegmentationDataset, folder: Path, progress: float) -> None:
        self.config, self.dataset, self.folder = config, dataset, folder
        self.done = int(progress * config.evaluations)
        self.best = -1.0  # score of the model in {folder}/best
        self.unreadable = Unreadable(0 if dataset is None else len(dataset), config.unreadable_share, "validation")

    def due(self, progress: float) -> bool:
        """Whether it is time for one; the last is for :meth:`missing`, when nothing else is left to do."""
        slot = int(progress * self.config.evaluations)
        due = slot > self.done and progress < 1
        self.done = max(slot, self.done)
        return due

    def missing(self, history: Sequence[dict], step: int) -> bool:
        """Whether a finished run has yet to be evaluated at its last step."""
        done = any(record["kind"] == "eval" and record["step"] == step for record in history)
        return self.config.evaluations > 0 and not done

    def run(self, model: MaskModel, step: int) -> tuple[int, dict[str, float]]:
        """Evaluate ``model``, keep it if it is the best, and leave pictures: how many images, and the metrics."""
        count = min(self.config.eval_images, len(self.dataset))
        tasks = model.config.answers(self.dataset.tasks)
        metrics = evaluate(model, Chosen(self.dataset, range(count)), tasks, unreadable=self.unreadable)
        if self.config.keep_best:
            self._keep_best(model, metrics, step)
        self._write_pictures(model, step)
        return count, metrics

    def _keep_best(self, model: MaskModel, metrics: dict[str, float], step: int) -> None:
        """By PQ, else AP, else mIoU. Without a score the newest model is kept, until one has a score."""
        name = next(name for name in ("PQ", "AP", "mIoU") if name in metrics)
        score, scored = metrics[name], math.isfinite(metrics[name])
        if not scored:
            kept = "the model of this evaluation" if self.best < 0 else f"the one with {name} {self.best:.1f}"
            warn_user(
                f"step {step}: {name} is not a number, as no evaluated picture has anything to score; keep_best "
                f"keeps {kept}. Raise eval_images, or take other validation pictures."
            )
        if score > self.best or (not scored and self.best < 0):
            self.best = score if scored else self.best
            model.save_pretrained(self.folder / "best")

    def _write_pictures(self, model: MaskModel, step: int) -> None:
        try:
            write_pictures(model, self.dataset, self.folder, step)
        except OneFormerLiteError as error:
            warnings.warn(f"training goes on without new pictures: {error}", stacklevel=2)
