"""The training loop: one model, one loss, tasks drawn at random, stopped and taken up at any step."""

from __future__ import annotations

import signal
import sys
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.data import Subset
from tqdm.auto import tqdm

from ..config import ModelConfig
from ..data.batch import Batch
from ..data.sample import TASKS
from ..errors import ConfigError, OneFormerLiteError
from ..evaluation import evaluate
from ..files import make_folder
from ..losses import LOSSES, Criterion
from ..model import OneFormer
from .checkpoint import load_checkpoint, save_checkpoint
from .config import TrainConfig
from .loader import open_split, training_batches
from .log import Log
from .optim import AveragedWeights, build_optimizer, lr_factor, set_lr

MAX_BAD_STEPS = 10  # in a row


@dataclass
class TrainingResult:
    """A finished (or interrupted) run: the model with its final weights, and everything logged."""

    folder: Path
    model: OneFormer
    steps: int
    seconds: float  # of training, without evaluations
    history: list[dict]
    finished: bool


def train(config: ModelConfig, train_config: TrainConfig, train_data=None, val_data=None) -> TrainingResult:
    """Train a model in this process and leave it in ``{out}/model``.

    Data sets come from ``train_config.data`` unless given. A run that was stopped goes on where it
    stood when called again with the same ``out``. Ctrl-C (or SIGTERM) saves and returns.
    """
    if train_data is None:
        train_data = open_split(train_config.data, train_config.train_split)
    if val_data is None and train_config.evaluations:
        val_data = open_split(train_config.data, train_config.val_split)
    return Trainer(config, train_config, train_data, val_data).run()


class Trainer:
    """State of a run and its loop."""

    def __init__(self, config: ModelConfig, train_config: TrainConfig, train_data, val_data) -> None:
        if len(train_data.categories) != config.num_classes:
            raise ConfigError(
                f"the configuration has {config.num_classes} classes, the data {len(train_data.categories)}: "
                "use config.for_classes(config, dataset.categories)"
            )
        self.config, self.train_config = config, train_config
        self.train_data, self.val_data = train_data, val_data
        self.folder = make_folder(train_config.out)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(train_config.seed)
        self.model = OneFormer(config).to(self.device)
        self.criterion = Criterion(config).to(self.device)
        saved = load_checkpoint(self.folder, config)
        if saved is None and config.pretrained:
            self.model.backbone.load_imagenet_weights()
        self.model.backbone.to(memory_format=torch.channels_last)
        self.optimizer = build_optimizer(self.model, train_config)
        decay = train_config.ema_decay
        self.average = AveragedWeights(self.model, decay) if decay else None
        self.step, self.seconds, self.bad_steps, self.stopping = 0, 0.0, 0, False
        self.last_score = ""  # of the newest quick evaluation, for the progress bar
        if saved is not None:
            self._restore(saved)
        self.log = Log(self.folder, self.step)
        self.evaluated = int(self.progress * (train_config.evaluations + 1))

    @property
    def progress(self) -> float:
        """Used share of the budget, 0 to 1."""
        c = self.train_config
        used = self.step / c.steps if c.steps else self.seconds / (60 * c.minutes)
        return min(1.0, used)

    def run(self) -> TrainingResult:
        """Train to the end of the budget, or until stopped; whatever ends the loop, its state is saved."""
        with _signals(self), self._bar() as bar:
            try:
                self._loop(bar)
            except Exception:
                self._save_or_warn()
                raise
        self.save()
        finished = self.progress >= 1
        model = self.averaged_model()
        if finished:
            model.save_pretrained(self.folder / "model")
        return TrainingResult(self.folder, model, self.step, self.seconds, self.log.records, finished)

    def _loop(self, bar: tqdm) -> None:
        c = self.train_config
        self.model.train()
        batches = training_batches(self.train_data, c, self.config.image_size, self.step)
        saved_at = resumed_at = time.monotonic()
        while self.progress < 1 and not self.stopping:
            losses, lr = self.train_step(next(batches).to(self.device))
            self.step += 1
            self.seconds += time.monotonic() - resumed_at  # waiting for data is training time too
            self._report(bar, losses, lr)
            if self._evaluation_due():
                self._quick_evaluation(bar)
            if time.monotonic() - saved_at > 60 * c.save_minutes:
                self._save_or_warn()
                saved_at = time.monotonic()
            resumed_at = time.monotonic()

    def train_step(self, batch: Batch) -> tuple[dict[str, torch.Tensor], float]:
        """One optimiser step; a step whose loss is not finite is skipped aloud."""
        c = self.train_config
        lr = set_lr(self.optimizer, lr_factor(self.step, self.progress, c))
        images = batch.images.to(memory_format=torch.channels_last)
        losses = self.criterion(self.model(images, batch.tasks, texts=batch.texts), batch.targets)
        if not torch.isfinite(losses["total"]):
            self._skip(losses, batch)
            return losses, lr
        self.bad_steps = 0
        self.optimizer.zero_grad(set_to_none=True)
        losses["total"].backward()
        if c.clip_norm:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), c.clip_norm)
        self.optimizer.step()
        if self.average:
            self.average.update(self.model)
        return losses, lr

    def averaged_model(self) -> OneFormer:
        """The model to judge and to keep: with averaged weights where they are collected."""
        if not self.average:
            return self.model.eval()
        model = OneFormer(self.config).to(self.device)
        model.load_state_dict(self.average.state)
        model.backbone.has_imagenet_weights = self.model.backbone.has_imagenet_weights
        return model.eval()

    def save(self) -> None:
        save_checkpoint(
            self.folder,
            self.config,
            step=self.step,
            seconds=self.seconds,
            model=self.model.state_dict(),
            optimizer=self.optimizer.state_dict(),
            average=self.average.state_dict() if self.average else None,
            random=torch.get_rng_state(),
        )

    def _restore(self, saved: dict) -> None:
        self.model.load_state_dict(saved["model"])
        self.model.backbone.has_imagenet_weights = self.config.pretrained
        self.optimizer.load_state_dict(saved["optimizer"])
        if self.average and saved["average"]:
            self.average.load_state_dict(saved["average"])
        self.step, self.seconds = saved["step"], saved["seconds"]
        torch.set_rng_state(saved["random"])

    def _save_or_warn(self) -> None:
        try:
            self.save()
        except OneFormerLiteError as error:  # a full disk must not end a run that may yet be saved
            warnings.warn(f"training goes on without saving: {error}", stacklevel=2)

    def _skip(self, losses: dict[str, torch.Tensor], batch: Batch) -> None:
        self.bad_steps += 1
        culprits = [name for name in LOSSES if not torch.isfinite(losses[name])]
        message = f"step {self.step}: the {', '.join(culprits)} loss is not finite (images {batch.image_ids})"
        if self.bad_steps >= MAX_BAD_STEPS:
            raise OneFormerLiteError(
                f"{message}, for the {self.bad_steps}th step in a row. Lower lr, or set clip_norm=1.0; the "
                f"last good state is in {self.folder}."
            )
        warnings.warn(f"{message}; the step is skipped", stacklevel=3)

    def _evaluation_due(self) -> bool:
        slot = int(self.progress * (self.train_config.evaluations + 1))
        due = slot > self.evaluated and self.progress < 1 and self.train_config.evaluations > 0
        self.evaluated = max(slot, self.evaluated)
        return due

    def _quick_evaluation(self, bar: tqdm) -> None:
        count = min(self.train_config.eval_images, len(self.val_data))
        tasks = [task for task in TASKS if task in self.val_data.tasks]
        metrics = evaluate(self.averaged_model(), Part(self.val_data, count), tasks)
        record = self.log.write("eval", self.step, self.seconds, images=count, **metrics)
        shown = {name: record[name] for name in ("PQ", "AP", "mIoU") if record.get(name) is not None}
        text = "  ".join(f"{name} {value:.1f}" for name, value in shown.items())
        self.last_score = f"  PQ {shown['PQ']:.1f}" if "PQ" in shown else ""
        bar.write(f"  step {self.step}, {self.seconds / 60:.1f} min: {text}  ({count} scenes)", file=sys.stderr)

    def _bar(self) -> tqdm:
        """A bar over the steps or the seconds of the budget; either way it shows the time left."""
        c = self.train_config
        total = c.steps or round(60 * c.minutes)
        done = min(total, self.step if c.steps else round(self.seconds))
        layout = "{desc} {percentage:3.0f}%|{bar:24}| {remaining} left{postfix}"
        return tqdm(total=total, initial=done, desc="training", dynamic_ncols=True, bar_format=layout)

    def _report(self, bar: tqdm, losses: dict[str, torch.Tensor], lr: float) -> None:
        c = self.train_config
        bar.update(min(bar.total, self.step if c.steps else int(self.seconds)) - bar.n)
        if self.step % c.log_steps == 0 or self.step == 1:
            values = {name: float(losses[name].detach()) for name in (*LOSSES, "total")}
            self.log.write("train", self.step, self.seconds, lr=lr, **values)
            shown = "  ".join(f"{name} {values[name]:.2f}" for name in LOSSES)
            bar.set_postfix_str(f"step {self.step}  {shown}{self.last_score}")


class Part(Subset):
    """The first images of a data set, with the attributes that evaluation reads."""

    def __init__(self, dataset, count: int) -> None:
        super().__init__(dataset, range(count))
        self.categories, self.tasks = dataset.categories, dataset.tasks


@contextmanager
def _signals(trainer: Trainer):
    """Ctrl-C and SIGTERM ask the loop to stop after the current step; a second Ctrl-C is obeyed at once."""

    def stop(number, frame) -> None:
        if trainer.stopping:
            raise KeyboardInterrupt
        trainer.stopping = True

    names = (signal.SIGINT, signal.SIGTERM)
    try:
        before = [signal.signal(name, stop) for name in names]
    except ValueError:  # only the main thread receives signals
        yield
        return
    try:
        yield
    finally:
        for name, handler in zip(names, before):
            signal.signal(name, handler)
