"""What a few steps of a training cost on this machine, measured in a process of its own.

``python -m oneformer_lite.training.measure QUESTION ANSWER``, two JSON files: so the notebook's memory is not counted,
nothing of it is left behind, and if the memory does not suffice it is this process that dies.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
import warnings
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
import torch

from ..config import BaseConfig, from_stored
from ..data.batch import Batch
from ..data.dataset import SegmentationDataset
from ..data.layouts import holds
from ..data.opening import open as open_dataset
from ..data.sample import TASKS, Sample, SegmentInfo
from ..errors import OneFormerLiteError
from ..files import write_json
from ..losses import Criterion
from ..model import build
from .config import TrainConfig, for_learned_tasks
from .distributed import Processes, join_processes
from .loader import training_batches
from .meter import peak_memory
from .preflight import ready
from .step import Optimization

LOADING_SECONDS = 20.0  # of measuring the loader at most
SEGMENTS = (3, 4)  # rows and columns of a synthetic scene; COCO's have 11 segments on average


@dataclass(frozen=True)
class Measurement:
    """Of one process. Memory and sizes in bytes; times in seconds."""

    device: str
    step_seconds: float  # of one optimiser step on data that lie ready
    peak_memory: int  # GPU: allocated by PyTorch; CPU: growth of the resident set
    free_memory: int  # what the device had to offer before
    loaded_per_second: float | None  # images from the loader alone; None without data
    images: int | None  # in the training split; None without data
    weights_bytes: int
    checkpoint_bytes: int
    oddities: tuple[str, ...] = ()  # of the data, as ofl.train will say before its first step


def measure(config: BaseConfig, train_config: TrainConfig, count: int, steps: int) -> Measurement:
    """Train ``steps`` steps as the first of ``count`` processes would, without the others and without any folder."""
    device, c = join_processes().device, for_learned_tasks(config, train_config)
    c = replace(c, batch_size=c.batch_size // count)
    alone = Processes(rank=0, count=1, device=device)
    free = free_memory(device)
    data = open_dataset(c.data, c.train_split) if holds(c.data, c.train_split) else None
    oddities = []
    if data is not None:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            val = open_dataset(c.data, c.val_split) if c.evaluations and holds(c.data, c.val_split) else None
            c = c if val is not None else replace(c, evaluations=0, keep_best=False)
            data, _ = ready(config, c, data, val, alone, fresh=True)
        oddities = [str(warning.message) for warning in said]
    # of many micro-batches two tell all: the second one has the first one's gradients beside it
    parts = min(2, c.accumulate)
    batches, rate = load(Synthetic(config) if data is None else data, c, config.image_size, 2 * parts, alone)
    before = peak_memory() or 0
    torch.manual_seed(c.seed)
    model = build(replace(config, pretrained=False)).to(device).train()
    model.backbone.to(memory_format=torch.channels_last)
    optimization = Optimization(model, Criterion(config).to(device), c, alone)
    times = []
    for number in range(steps + (2 if c.compile else 1)):  # the first ones also allocate, and compile
        started = now(device)
        at = number % 2 * parts
        optimization.step(number, 0.0, [batch.to(device) for batch in batches[at : at + parts]])
        times.append((now(device) - started) * c.accumulate / parts)
        if optimization.bad_steps:
            raise OneFormerLiteError(
                "the loss of a measured step is not finite: that says nothing about time and memory"
            )
    held = sum(tensor_bytes(vars(batch)) for batch in batches[:1]) if device.type == "cpu" else 0
    return Measurement(
        device=device_name(device),
        step_seconds=median(times[-steps:]),
        peak_memory=(peak_memory() or 0) - before + held,
        free_memory=free,
        loaded_per_second=None if data is None else rate,
        images=None if data is None else len(data),
        weights_bytes=tensor_bytes(model.state_dict()),
        checkpoint_bytes=tensor_bytes(optimization.state_dict()),
        oddities=tuple(oddities),
    )


class Synthetic:
    """Scenes of noise in the size of the training crop: a dozen segments each, of all classes of the model."""

    tasks = TASKS

    def __init__(self, config: BaseConfig) -> None:
        self.categories, self.side = config.categories, config.image_size

    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> Sample:
        rng, (rows, columns) = np.random.default_rng(index), SEGMENTS
        position = np.arange(self.side)
        segment_map = 1 + (position * rows // self.side)[:, None] * columns + position * columns // self.side
        classes = rng.integers(len(self.categories), size=rows * columns)
        segments = tuple(SegmentInfo(number, int(class_id)) for number, class_id in enumerate(classes, start=1))
        image = rng.integers(256, size=(self.side, self.side, 3), dtype=np.uint8)
        return Sample(image, segment_map.astype(np.int32), segments, self.categories, tasks=TASKS)


def load(
    dataset: SegmentationDataset, c: TrainConfig, image_size: int, needed: int, alone: Processes
) -> tuple[list[Batch], float]:
    """``needed`` batches, and the images a second at which the loader's workers deliver with nobody waiting.

    Counted once every worker has delivered, over two more batches of each.
    """
    batches, kept, times = training_batches(dataset, c, image_size, processes=alone), [], []
    first = max(1, c.workers)
    while len(times) < 3 * first or len(kept) < needed:
        batch = next(batches)
        times.append(time.monotonic())
        kept += [batch] if len(kept) < needed else []
        late = len(times) > first and times[-1] - times[first - 1] > LOADING_SECONDS
        if late and len(kept) == needed:
            break
    counted = len(times) - first
    return kept, counted * len(kept[0].images) / (times[-1] - times[first - 1])


def now(device: torch.device) -> float:
    """The time at which the device has done all that it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.monotonic()


def free_memory(device: torch.device) -> int:
    """Bytes that can be had: of the GPU, or of main memory within the container's limit."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    with suppress(OSError, ValueError):  # "max": no limit
        limit, used = (int(Path(f"/sys/fs/cgroup/memory.{name}").read_text()) for name in ("max", "current"))
        free = min(free, limit - used)
    return free


def device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU ({platform.machine()}, {torch.get_num_threads()} threads)"


def tensor_bytes(value) -> int:
    """Of all tensors in dictionaries, lists and data classes."""
    if isinstance(value, torch.Tensor):
        return value.nbytes
    if isinstance(value, dict):
        return sum(map(tensor_bytes, value.values()))
    if isinstance(value, (list, tuple)):
        return sum(map(tensor_bytes, value))
    return tensor_bytes(vars(value)) if hasattr(value, "__dataclass_fields__") else 0


def answer(question: dict) -> dict:
    """What :func:`measure` finds; or why it could not: an error's words, or that memory does not suffice."""
    try:
        config, train_config = from_stored(question["config"]), TrainConfig(**question["train_config"])
        return asdict(measure(config, train_config, question["processes"], question["steps"]))
    except (torch.cuda.OutOfMemoryError, MemoryError):
        return {"out_of_memory": True}
    except OneFormerLiteError as error:
        return {"error": [type(error).__name__, str(error)]}


if __name__ == "__main__":
    with suppress(OSError):  # where the system runs out of memory, this process is the one to end
        Path("/proc/self/oom_score_adj").write_text("1000")
    write_json(sys.argv[2], answer(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
