"""Batches for training: every image gets one task, drawn anew each time it is seen."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from ..data.augment import augmentation
from ..data.batch import Batch, collate
from ..data.panoptic import PanopticDataset
from ..data.sample import TASKS, Sample
from ..errors import ConfigError, OneFormerLiteError
from .config import TrainConfig
from .distributed import ALONE, Processes

GRACE = 20  # seconds that a worker lives on when it is asked to end


def open_split(data: str | Path, split: str) -> PanopticDataset:
    """A split of a folder in COCO's layout (see :class:`TrainConfig`)."""
    root = Path(data)
    annotations = root / "annotations" / f"panoptic_{split}"
    return PanopticDataset(root / split, annotations.with_suffix(".json"), annotations)


class TaskSamples(Dataset):
    """Augmented (sample, task) pairs; the task is drawn from those that the annotation supplies. Lesson 13.

    An item is addressed by (epoch, index): augmentation and task depend on it and the seed alone, so
    a resumed run sees what an uninterrupted one would have seen.
    """

    def __init__(
        self, dataset, augment, seed: int, probabilities: Sequence[float] = TrainConfig.task_probabilities
    ) -> None:
        self.dataset, self.augment, self.seed = dataset, augment, seed
        self.probabilities = dict(zip(TASKS, probabilities, strict=True))

    def __getitem__(self, address: tuple[int, int]) -> tuple[Sample, str] | OneFormerLiteError:
        epoch, index = address
        rng = np.random.default_rng((self.seed, epoch, index))
        try:
            sample = self.dataset[index]
            task = self.draw_task(sample.tasks, rng)
        except OneFormerLiteError as error:  # handed on: raised in a worker it would arrive as a traceback
            return error
        return self.augment(sample, rng), task

    def draw_task(self, supplied: Sequence[str], rng: np.random.Generator) -> str:
        """One of the tasks ``supplied``, in proportion to the probabilities."""
        shares = np.array([self.probabilities[task] for task in supplied])
        if not shares.any():
            raise ConfigError(
                f"task_probabilities never draw {' or '.join(supplied)}, which is all that the annotation "
                "supplies: give one of them a share above 0"
            )
        return str(rng.choice(supplied, p=shares / shares.sum()))


class EndlessSampler(Sampler):
    """(epoch, index) addresses without end, shuffled in every epoch, from item ``start`` on.

    Of every ``batch_size`` items the process ``rank`` of ``count`` takes its contiguous part.
    """

    def __init__(
        self, length: int, seed: int, start: int = 0, batch_size: int = 1, rank: int = 0, count: int = 1
    ) -> None:
        self.length, self.seed, self.start = length, seed, start
        self.batch_size, self.part = batch_size, range(rank * batch_size // count, (rank + 1) * batch_size // count)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for place, address in enumerate(self.all_addresses(), start=self.start):
            if place % self.batch_size in self.part:
                yield address

    def all_addresses(self) -> Iterator[tuple[int, int]]:
        """Those of all processes."""
        epoch, skip = divmod(self.start, self.length)
        while True:
            order = np.random.default_rng((self.seed, epoch)).permutation(self.length)
            yield from ((epoch, int(index)) for index in order[skip:])
            epoch, skip = epoch + 1, 0


def training_batches(
    dataset,
    config: TrainConfig,
    image_size: int,
    start_step: int = 0,
    processes: Processes = ALONE,
    equalize: bool = False,
) -> Iterator[Batch]:
    """This process's micro-batches without end, ``accumulate`` of them for each step from ``start_step`` on.

    Lesson 13. Raises the :class:`DataError` of the first file that cannot be read.
    """
    augment, size = augmentation(config.augmentation, image_size, equalize), config.batch_size
    loader = DataLoader(
        TaskSamples(dataset, augment, config.seed, config.task_probabilities),
        batch_size=processes.share(size, config.accumulate),
        sampler=EndlessSampler(
            len(dataset), config.seed, start_step * size, size, processes.rank, processes.count
        ),
        num_workers=config.workers,
        collate_fn=_collate,
        worker_init_fn=_one_thread,
        # a generator of its own: the loader draws a seed, which leaves the global generator alone
        generator=torch.Generator().manual_seed(config.seed),
        pin_memory=torch.cuda.is_available(),
    )
    with _enough_open_files(config.workers):
        for batch in loader:
            if isinstance(batch, OneFormerLiteError):
                raise batch
            yield batch


@contextmanager
def _enough_open_files(workers: int) -> Iterator[None]:
    """Says in words what a system means that lets a process open too few files for its workers."""
    others = set(multiprocessing.active_children())
    try:
        yield
    except (OSError, RuntimeError, EOFError) as error:  # what it is called depends on where it happens
        if getattr(error, "errno", None) != errno.EMFILE and not _few_files_left():
            raise
        for worker in set(multiprocessing.active_children()) - others:  # PyTorch leaves those that it had started
            worker.kill()
        raise ConfigError(
            f"this process may not open as many files as {workers} workers need: allow it more (ulimit -n 4096 in the "
            "shell that starts it), or take fewer workers; workers=0 needs fewest"
        ) from error


def _few_files_left() -> bool:
    """Whether this process may open no more than a handful of files."""
    try:
        with ExitStack() as opened:
            for _ in range(8):
                opened.enter_context(open(os.devnull))
        return False
    except OSError:
        return True


def _collate(items: list) -> Batch | OneFormerLiteError:
    return next((item for item in items if isinstance(item, OneFormerLiteError)), None) or collate(items)


def _one_thread(worker: int) -> None:
    torch.set_num_threads(1)  # the cores belong to the model
    _leave_signals_to_the_trainer()


def _leave_signals_to_the_trainer() -> None:
    """Ctrl-C, and SIGTERM when a machine is shut down, reach all processes at once. It is the trainer that saves and
    then ends its workers; one that went before would take the step with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "alarm"):  # which ends a process that nobody has ended by then
        signal.signal(signal.SIGTERM, lambda number, frame: signal.alarm(GRACE))
