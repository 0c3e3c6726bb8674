"""The training loop: one model, one loss, tasks drawn at random, stopped and resumed at any step."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ..config import BaseConfig
from ..data.batch import Batch
from ..data.unreadable import Unreadable
from ..data.views import Given, as_dataset
from ..errors import ConfigError, DivergedError, OneFormerLiteError
from ..losses import Criterion
from ..model import MaskModel, build
from ..notices import warn_user
from ..weights.load import first_bad_weight
from .checkpoint import CHECKPOINT, fitting, load_newest, save_checkpoint, tidy
from .config import TrainConfig, for_learned_tasks
from .distributed import join_processes
from .evaluations import Evaluations
from .finetune import chosen_start, set_initial_weights
from .fingerprint import check_data, fingerprint
from .loader import Batches, training_batches
from .log import Log
from .own_folder import run_folder
from .pictures import cut_pictures
from .precision import precision_words
from .preflight import ready
from .progress import Progress, opening, signals
from .rates import advice
from .state import STOP, UNFINISHED
from .step import Optimization
from .trend import Trend


@dataclass
class TrainingResult:
    """A finished (or interrupted) run: the model with its final weights, and everything logged."""

    folder: Path
    model: MaskModel = field(repr=False)
    steps: int
    seconds: float  # of training, without evaluations
    history: list[dict] = field(repr=False)
    finished: bool
    trouble: str = ""  # that it was stopped, and how to resume it; or what is odd about what it has learned


class Trainer:
    """State of a run and its loop. Lesson 13."""

    def __init__(
        self, config: BaseConfig, train_config: TrainConfig, train_data: Given, val_data: Given | None
    ) -> None:
        train_config = chosen_start(config, for_learned_tasks(config, train_config))
        self.config, self.train_config = config, train_config
        self.folder = run_folder(train_config.out)
        self.processes = join_processes()
        self.processes.share(train_config.batch_size, train_config.accumulate)  # raises if it is not even
        fresh = not (self.folder / CHECKPOINT).exists()
        self.train_data, self.val_data = ready(config, train_config, train_data, val_data, self.processes, fresh)
        self.device = self.processes.device
        torch.manual_seed(train_config.seed)
        model = build(config).to(self.device)
        saved, resumed_from = load_newest(self.folder, config)
        if saved is None:
            set_initial_weights(model, train_config)
        model.backbone.to(memory_format=torch.channels_last)
        if not train_config.backbone_lr_multiplier:
            model.backbone.requires_grad_(False)  # what does not learn needs no gradients: half of a small model's time
        if config.backbone_norm == "batch":
            model = self.processes.synchronise_norms(model)
        self.model = model
        self.optimization = Optimization(model, Criterion(config).to(self.device), train_config, self.processes)
        self.step, self.seconds, self.stopping = 0, 0.0, False
        self.trend, self.trouble = Trend(train_config), ""
        self.fingerprint = fingerprint(as_dataset(train_data))
        self.unreadable = Unreadable(len(self.train_data), train_config.unreadable_share, "training")
        if saved is not None:
            self._restore(saved)
        self.evaluations = Evaluations(train_config, self.val_data, self.folder, self.progress)
        self.evaluations.best = (saved or {}).get("best", self.evaluations.best)
        if len(steps := set(self.processes.gather(self.step))) > 1:
            raise ConfigError(f"the processes start from different steps {sorted(steps)}: {self.folder} must be shared")
        if self.processes.is_first:
            tidy(self.folder, resumed_from)
            cut_pictures(self.folder, self.step)
        self.log = Log(self.folder, self.step, self.processes.is_first, train_config.log_tensorboard)

    @property
    def progress(self) -> float:
        """Used share of the budget, 0 to 1."""
        c = self.train_config
        used = self.step / c.steps if c.steps else self.seconds / (60 * c.minutes)
        return min(1.0, used)

    def run(self) -> TrainingResult:
        """Train to the end of the budget, or until stopped; whatever ends the loop between two steps, its state is
        saved."""
        progress = Progress(self.train_config, self.log, self.step, self.seconds, self.processes.is_first)
        with signals(self), progress:
            progress.say(self._words())
            try:
                with closing(self._batches()) as batches, batches.deaths_named():
                    self._loop(progress, batches)
                if self.progress >= 1:
                    self._conclude(progress)
            except Exception as error:
                # within a step a part of the state may be new: then the last checkpoint is what resumes bit-equal, and
                # one of before a divergence is worth more
                good = self.optimization.between_steps and not isinstance(error, DivergedError)
                saved = good and self._save_or_warn()
                if not (saved and self.stopping):
                    raise
                warn_user(f"training stops where it was asked to, not without trouble: {error}")
            return self._finish()  # before signals end a process again

    def _conclude(self, progress: Progress) -> None:
        """The budget is used up: what is to be said of the course of the losses, and the last evaluation."""
        self.trouble = self.trend.end()
        if self.evaluations.missing(self.log.records, self.step):
            self._save_or_warn()  # an evaluation can be interrupted
            self._evaluate(progress)

    def _finish(self) -> TrainingResult:
        self.save()
        self.log.close()
        if not (finished := self.progress >= 1):
            self.trouble = self._stopped_words()
            warn_user(self.trouble)
        model = self.averaged_model()
        if broken := first_bad_weight(model.state_dict()):
            words = f"the model's weights are no longer finite, first {broken}"
            self.trouble = f"{words}; {self.trouble}" if self.trouble else f"{words}. {advice(self.train_config)}"
            warn_user(f"the training has ended, but {words}")
        if finished and self.processes.is_first:
            model.save_pretrained(self.folder / "model")
        return TrainingResult(self.folder, model, self.step, self.seconds, self.log.records, finished, self.trouble)

    def _stopped_words(self) -> str:
        """Where a stopped run stands, what it has not left behind, and how to resume it."""
        c = self.train_config
        of = f" of {c.steps}" if c.steps else f", after {self.seconds / 60:.1f} of {c.minutes:g} minutes"
        return f"the training was stopped at step {self.step}{of}: {UNFINISHED}"

    def _batches(self) -> Batches:
        c = self.config
        place = self.step, self.processes
        return training_batches(self.train_data, self.train_config, c.image_size, *place, c.equalize, c.stretch)

    def _words(self) -> str:
        """What is trained on what, for the first line."""
        device, pictures = self.processes.device, len(self.train_data)
        where = f"{device.type.upper()} in {precision_words(self.train_config, self.optimization.config, device)}"
        left_out = self.fingerprint["count"] - pictures
        started = bool(self.train_config.start_from)
        return opening(pictures, left_out, self.config.num_classes, where, self.step, started)

    def _loop(self, progress: Progress, batches: Batches) -> None:
        c = self.train_config
        self.model.train()
        begun, saved_at = self.step, time.monotonic()
        while not self._ends(batches):
            by_step = c.save_steps and self.step % c.save_steps == 0 and self.step > begun
            if by_step or time.monotonic() - saved_at > 60 * c.save_minutes:
                self._save_or_warn()
                saved_at = time.monotonic()
            resumed_at = time.monotonic()
            parts = [next(batches).to(self.device) for _ in range(c.accumulate)]
            losses, lr = self.train_step(parts)
            self.step += 1
            self.seconds += time.monotonic() - resumed_at  # waiting for data is training time too
            skipped = self.optimization.skipped
            progress.step(self.step, self.seconds, losses, lr, self.optimization.layer_losses, skipped)
            self.trend.note(self.step, float(losses["total"]), skipped)
            if self.evaluations.due(self.progress):
                self._evaluate(progress)
            # what belongs to a step ends here: saved before, the step's record or evaluation would be missing for good
            self.optimization.between_steps = True

    def _ends(self, batches: Batches) -> bool:
        """All processes find the same answer, whatever their clocks, signals and files say."""
        if self.processes.is_first and (self.folder / STOP).exists():  # what Run.stop() leaves
            self.stopping = True
        met, batches.unreadable = batches.unreadable, {}
        self.seconds, self.stopping, some = self.processes.agree(self.seconds, self.stopping, bool(met))
        if some:  # all know all pictures that could not be read; too many end the run
            for pictures in self.processes.gather(list(met.items())):  # JSON's keys are texts
                self.unreadable.note(dict(pictures))
        return self.progress >= 1 or self.stopping

    def train_step(self, batches: list[Batch]) -> tuple[dict[str, torch.Tensor], float]:
        """One optimiser step on this process's micro-batches: losses and learning rate."""
        return self.optimization.step(self.step, self.progress, batches)

    def averaged_model(self) -> MaskModel:
        """The model to judge and to keep: with averaged weights where they are collected."""
        average, c = self.optimization.average, self.train_config
        if not (average or c.checkpoint_activations or c.compile):
            return self.model.eval()
        model = build(self.config).to(self.device)  # plain, for pictures of any size
        model.load_state_dict(average.state if average else self.model.state_dict())
        model.backbone.has_imagenet_weights = self.model.backbone.has_imagenet_weights
        return model.eval()

    def save(self) -> None:
        """The first process writes the checkpoint; all the others have the same state."""
        if self.processes.is_first:
            state = self.optimization.state_dict()
            numbers = {"step": self.step, "seconds": self.seconds, "best": self.evaluations.best}
            numbers |= {"recipe": self.optimization.config.recipe(), "data": self.fingerprint}
            numbers |= {"unreadable": self.unreadable.found, "trend": self.trend.state_dict()}
            save_checkpoint(self.folder, self.config, **numbers, **state)

    def _restore(self, saved: dict) -> None:
        check_data(saved, self.fingerprint, self.folder, self.train_config.data_may_change)
        recipe, before = self.optimization.config.recipe(), saved.get("recipe", {})
        changed = [f"{name} {before[name]} -> {recipe[name]}" for name in before if before[name] != recipe.get(name)]
        with fitting(self.folder):
            self.optimization.load_state_dict(saved)
            self.trend.load_state_dict(saved.get("trend"), bool(changed))
        self.model.backbone.has_imagenet_weights = self.config.pretrained
        self.step, self.seconds = saved["step"], saved["seconds"]
        self.unreadable.found.update(saved.get("unreadable", {}))
        if changed and self.processes.is_first:
            warn_user(
                f"the run in {self.folder} resumes after {self.step} steps with other settings than before: "
                f"{', '.join(changed)}"
            )

    def _save_or_warn(self) -> bool:
        try:
            self.save()
            return True
        except OneFormerLiteError as error:  # a full disk must not end a run that may yet be saved
            warn_user(f"training goes on without saving: {error}")
            return False

    def _evaluate(self, progress: Progress) -> None:
        """The first process evaluates; the others wait for it at the next step."""
        if self.processes.is_first:
            count, metrics = self.evaluations.run(self.averaged_model(), self.step)
            self.model.train()  # without averaged weights it was judged itself
            progress.evaluation(self.step, self.seconds, count, metrics)
