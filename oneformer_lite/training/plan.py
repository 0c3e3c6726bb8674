"""What a run will cost, estimated from a few measured steps."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from numbers import Integral
from pathlib import Path

import torch

from .. import errors
from ..checks import only_known_names
from ..config import BaseConfig, stored
from ..errors import ConfigError, OneFormerLiteError
from .config import TrainConfig, check_recipes
from .distributed import Processes
from .launch import place
from .measure import Measurement
from .precision import with_precision

LOG_LINE = 1000  # bytes of a record in the log, at most about


@dataclass(frozen=True, repr=False)
class Plan:
    """The costs of ``train_config`` in ``processes`` processes; printed, it is a table with warnings.

    ``train_config`` is what was asked for, unless that does not fit into the memory: then it is what does, and
    ``changes`` say how it differs. Quick evaluations, which the budget does not count, come on top, and so do, with
    several GPUs, the seconds in which they exchange their gradients.
    """

    train_config: TrainConfig
    processes: int
    measured: Measurement
    changes: tuple[str, ...] = ()

    @property
    def model_images_per_second(self) -> float:
        """Images a second of all processes, if data lay ready."""
        return self.train_config.batch_size / self.measured.step_seconds

    @property
    def loader_images_per_second(self) -> float | None:
        """Images a second of all processes' loaders, as far as there are cores for their workers."""
        if self.measured.loaded_per_second is None:
            return None
        return self.measured.loaded_per_second * min(self.processes, os.cpu_count() / max(1, self.train_config.workers))

    @property
    def images_per_second(self) -> float:
        """Of both together: the slower one counts, but without workers, or where model and workers share the
        cores, an image takes the time of both."""
        model, loader = self.model_images_per_second, self.loader_images_per_second
        if loader is None:
            return model
        cores, workers = os.cpu_count(), self.train_config.workers * self.processes
        if workers == 0:
            return 1 / (1 / model + 1 / loader)
        if self.on_cpu:
            return min(loader, 1 / (1 / model + min(workers, cores) / cores / loader))
        return min(model, loader)

    @property
    def on_cpu(self) -> bool:
        return self.measured.device.startswith("CPU")

    @property
    def steps(self) -> int:
        """Optimiser steps in the budget."""
        c = self.train_config
        return c.steps or max(1, round(60 * c.minutes * self.images_per_second / c.batch_size))

    @property
    def hours(self) -> float:
        """Of training."""
        return self.steps * self.train_config.batch_size / self.images_per_second / 3600

    @property
    def epochs(self) -> float | None:
        """How often each image is seen."""
        return self.steps * self.train_config.batch_size / self.measured.images if self.measured.images else None

    @property
    def memory(self) -> int:
        """Peak bytes of the fullest device: one GPU, or main memory with all processes."""
        return self.measured.peak_memory * (self.processes if self.on_cpu else 1)

    @property
    def disk(self) -> int:
        """Bytes that the run's folder takes at most: two checkpoints and one being written, models, log."""
        models = 2 if self.train_config.keep_best else 1
        records = self.steps // self.train_config.log_steps + self.train_config.evaluations
        return 3 * self.measured.checkpoint_bytes + models * self.measured.weights_bytes + records * LOG_LINE

    @property
    def free_disk(self) -> int:
        folder = Path(self.train_config.out).resolve()
        while not folder.exists():
            folder = folder.parent
        return shutil.disk_usage(folder).free

    @property
    def warnings(self) -> tuple[str, ...]:
        """What should be changed before the start."""
        m, c, found = self.measured, self.train_config, [*self.changes, *self.measured.oddities]
        if self.memory > 0.9 * m.free_memory:
            found.append(f"{_gb(self.memory)} of {_gb(m.free_memory)} GB: {_LESS_MEMORY}")
        if self.disk > self.free_disk:
            found.append(f"the disk of {c.out} has {_gb(self.free_disk)} GB free, the run needs {_gb(self.disk)}")
        model, loader = self.model_images_per_second, self.loader_images_per_second
        if loader and model / self.images_per_second > 1.1:
            share, wanted = 1 - self.images_per_second / model, math.ceil(max(1, c.workers) * model / loader)
            cores = os.cpu_count() // self.processes
            advice = f"workers={wanted} would keep it fed" if wanted <= cores and not self.on_cpu else _CORES
            found.append(f"the model waits for data {share:.0%} of the time: {advice}")
        return tuple(found)

    def __repr__(self) -> str:
        c, m = self.train_config, self.measured
        loader, epochs = self.loader_images_per_second, self.epochs
        data = (
            f"{c.data}, {m.images:,} images, each seen {epochs:,.1f} times" if m.images else _SYNTHETIC.format(c.data)
        )
        speed = f"model {self.model_images_per_second:.3g}" + (f", loader {loader:.3g}" if loader else "")
        switches = [c.precision, f"batch {c.batch_size}"]
        switches += [f"in {c.accumulate} parts"] * (c.accumulate > 1)
        switches += ["activations checkpointed"] * c.checkpoint_activations + ["compiled"] * c.compile
        rows = {
            "machine": f"{self.processes} x {m.device}",
            "recipe": ", ".join(switches),
            "data": data,
            "time": f"{_duration(self.hours)}: {self.steps:,} steps of {3600 * self.hours / self.steps:.3g} s",
            "images/s": f"{self.images_per_second:.3g} ({speed})",
            "memory": f"{_gb(self.memory)} GB at the peak, {_gb(m.free_memory)} are free",
            "disk": f"{_gb(self.disk)} GB, of it {_gb(m.checkpoint_bytes)} for each of three checkpoints; "
            f"{_gb(self.free_disk)} are free",
        }
        lines = [f"{name:<10}{text}" for name, text in rows.items()]
        return "\n".join([f"Plan of {c.out}", *lines, *(f"! {warning}" for warning in self.warnings)])


@only_known_names
def plan(config: BaseConfig, train_config: TrainConfig, steps: int = 3, devices: int | str = "auto") -> Plan:
    """Measure ``steps`` steps on this machine, as ``ofl.launch`` with the same ``devices`` would run them. Lesson 14.

    With the data of the recipe where they are on disk, else with synthetic scenes; model and loader are measured
    apart. The run's folder is not touched. What does not fit into the memory is tried again with
    ``checkpoint_activations``, then in ever smaller micro-batches: ``ofl.launch(config, plan.train_config)`` fits.

    Raises :class:`ConfigError` if devices, batch and data do not go together, :class:`OneFormerLiteError` if nothing
    fits.
    """
    check_recipes(config, train_config)
    processes, environment = place(devices)
    Processes(0, processes, torch.device("cpu")).share(train_config.batch_size, train_config.accumulate)  # raises
    if not isinstance(steps, Integral) or steps < 1:
        raise ConfigError(f"at least one step must be measured, got steps={steps!r}")
    device = torch.device("cpu" if "CUDA_VISIBLE_DEVICES" in environment else "cuda")
    candidate, changes = with_precision(config, train_config, device), []
    while (found := _ask(config, candidate, processes, steps, environment)) is None:
        candidate, change = smaller(candidate, processes)
        changes.append(change)
    return Plan(candidate, processes, found, tuple(changes))


def smaller(train_config: TrainConfig, processes: int = 1) -> tuple[TrainConfig, str]:
    """The next recipe to try where the memory does not suffice for this one, and what differs in words.

    At least two images stay together in a process that is alone: a single one has no contrastive loss.
    """
    if not (train_config.checkpoint_activations or train_config.compile):
        words = "checkpoint_activations=True, or it does not fit into the memory: the same results, a third slower"
        return replace(train_config, checkpoint_activations=True), words
    share = train_config.batch_size // processes
    for parts in range(train_config.accumulate + 1, share + 1):
        if share % parts == 0 and (share // parts > 1 or processes > 1):
            words = (
                f"accumulate={parts}, or it does not fit into the memory: the contrastive loss compares "
                f"{share // parts * processes} images at a time"
            )
            return replace(train_config, accumulate=parts), words
    raise OneFormerLiteError(
        f"not even {share // train_config.accumulate} images at once fit into the memory: choose a smaller "
        "image_size, a smaller backbone or another machine"
    )


def _ask(config: BaseConfig, c: TrainConfig, processes: int, steps: int, environment: dict) -> Measurement | None:
    """The measurement from a process of its own; None if its memory did not suffice."""
    with tempfile.TemporaryDirectory() as folder:
        question, answer = Path(folder) / "question.json", Path(folder) / "answer.json"
        content = {"config": stored(config), "train_config": asdict(c), "processes": processes, "steps": steps}
        question.write_text(json.dumps(content), encoding="utf-8")
        alone = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
        command = [sys.executable, "-m", "oneformer_lite.training.measure", str(question), str(answer)]
        process = subprocess.run(command, env=alone | environment, capture_output=True, text=True, check=False)
        if process.returncode == -9:  # the system needed the memory
            return None
        if process.returncode:
            last = process.stderr.strip().rpartition("\n")[2]
            raise OneFormerLiteError(f"the steps could not be measured: {last}")
        found = json.loads(answer.read_text(encoding="utf-8"))
    if "error" in found:
        kind, message = found["error"]
        raise getattr(errors, kind)(message)
    return None if "out_of_memory" in found else Measurement(**found)


_LESS_MEMORY = "checkpoint_activations=True or a larger accumulate would leave room"
_CORES = "more cores, smaller pictures on disk or a smaller image_size would help"
_SYNTHETIC = "none in {}: measured on synthetic scenes, without the loader"


def _gb(count: int) -> str:
    return f"{count / 1e9:.3g}"


def _duration(hours: float) -> str:
    if hours < 1:
        return f"{60 * hours:.3g} minutes"
    return f"{hours:.3g} hours" if hours < 48 else f"{hours / 24:.3g} days"
