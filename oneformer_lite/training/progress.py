"""What a running training shows, and what it listens to: the bar, the log, signals, the request to stop."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from contextlib import contextmanager

from torch import Tensor
from tqdm.auto import tqdm

from ..dataset_checks.amount import handful
from .config import TrainConfig
from .log import Log
from .meter import Meter

SHOWN = ("PQ", "AP", "mIoU")


class Progress:
    """A bar over the steps or the seconds of the budget, with the newest losses; all of it also in the log.

    ``visible=False`` for all processes but the first.
    """

    def __init__(self, config: TrainConfig, log: Log, step: int, seconds: float, visible: bool = True) -> None:
        self.config, self.log = config, log
        self.meter = Meter(config.batch_size, step, seconds)
        self.last_score = ""  # of the newest quick evaluation
        total = config.steps or round(60 * config.minutes)
        self.bar = tqdm(
            total=total, initial=min(total, step if config.steps else round(seconds)), desc="training",
            dynamic_ncols=True, bar_format="{desc} {percentage:3.0f}%|{bar:24}| {remaining} left{postfix}",
            disable=not visible,
        )  # fmt: skip

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception) -> None:
        self.bar.close()

    def say(self, text: str) -> None:
        """A line of words above the bar, of the first process alone."""
        if not self.bar.disable:
            self.bar.write(f"  {text}", file=sys.stderr)

    def step(
        self,
        step: int,
        seconds: float,
        losses: dict[str, Tensor],
        lr: float,
        layer_losses: Callable[[], dict[str, Tensor]],
        skipped: int,
    ) -> None:
        """A step is done, so many were ``skipped`` so far; its losses are read only where they are logged."""
        c, bar = self.config, self.bar
        bar.update(min(bar.total, step if c.steps else int(seconds)) - bar.n)
        if step % c.log_steps == 0 or step in (1, c.steps):
            values = {name: float(loss) for name, loss in losses.items()}
            by_layer = {name: layers.tolist() for name, layers in layer_losses().items()}
            measured = self.meter.read(step, seconds)
            self.log.write("train", step, seconds, lr=lr, **values, by_layer=by_layer, skipped=skipped, **measured)
            shown = "  ".join(f"{name} {value:.2f}" for name, value in values.items() if name != "total")
            bar.set_postfix_str(f"step {step}  {shown}{self.last_score}")

    def evaluation(self, step: int, seconds: float, images: int, metrics: dict[str, float]) -> None:
        record = self.log.write("eval", step, seconds, images=images, **metrics)
        shown = {name: record[name] for name in SHOWN if record.get(name) is not None}
        text = "  ".join(f"{name} {value:.1f}" for name, value in shown.items())
        self.last_score = f"  PQ {shown['PQ']:.1f}" if "PQ" in shown else ""
        self.say(f"step {step}, {seconds / 60:.1f} min: {text}  ({images} images)")


def opening(pictures: int, left_out: int, classes: int, where: str, step: int, started: bool = False) -> str:
    """What is trained on what, and what becomes of a handful of pictures; ``started``: from a trained model."""
    kept = f" ({left_out:,} without a thing are left out)" if left_out else ""
    start = f", from step {step} on" if step else ""
    words = f"{pictures:,} pictures{kept}, {classes} classes, on the {where}{start}"
    return f"{words}\n  {few}" if (few := handful(pictures, started)) else words


@contextmanager
def signals(trainer):
    """Ctrl-C and SIGTERM ask the loop to stop after the current step; a second Ctrl-C is obeyed at once.

    A second SIGTERM is not: who shuts a machine down sends it to all processes, and the supervisor passes its own on.
    """
    seen = []

    def stop(number, frame) -> None:
        if number == signal.SIGINT and number in seen:
            raise KeyboardInterrupt
        seen.append(number)
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
