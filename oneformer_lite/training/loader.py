"""Batches for training: every image gets one task, drawn again each time it is seen."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from traceback import clear_frames

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from ..data.augment import augmentation
from ..data.batch import Batch, collate
from ..data.dataset import SegmentationDataset
from ..data.opening import open as open_dataset
from ..data.parallel import importable_by_children
from ..data.sample import TASKS, Sample
from ..data.unreadable import read_checked
from ..errors import ConfigError, DataError, OneFormerLiteError, WorkerError
from .config import TrainConfig
from .distributed import ALONE, Processes
from .open_files import check_open_files, enough_open_files
from .readable import Readable
from .state import has_own_data

GRACE = 20  # seconds that a worker lives on when it is asked to end


def run_split(folder: Path, config: TrainConfig) -> SegmentationDataset:
    """The training split of the run in ``folder``. Raises :class:`DataError` if it was trained with data sets that were
    given to it, which its folder does not name."""
    if has_own_data(folder):
        raise DataError(
            f"the run in {folder} was trained with data sets given to ofl.train, which its folder does not hold: give "
            "the training data set as well"
        )
    return open_dataset(config.data, config.train_split)


class TaskSamples(Dataset):
    """Augmented (sample, task) pairs; the task is drawn from those that the annotation supplies. Lesson 13.

    An item is addressed by (epoch, index): augmentation and task depend on it and the seed alone, so
    a resumed run sees what an uninterrupted one would have seen.
    """

    def __init__(
        self, dataset: SegmentationDataset, augment: Callable, seed: int,
        probabilities: Sequence[float] = TrainConfig.task_probabilities,
    ) -> None:  # fmt: skip
        self.dataset, self.augment, self.seed = dataset, augment, seed
        self.probabilities = dict(zip(TASKS, probabilities, strict=True))

    def __getitem__(self, address: tuple[int, int]) -> tuple[Sample, str] | OneFormerLiteError:
        """The pair; or the error of a file that cannot be read, which would arrive from a worker as a traceback."""
        epoch, index = address
        rng = np.random.default_rng((self.seed, epoch, index))
        try:
            sample = read_checked(self.dataset, index)
            task = self.draw_task(sample.tasks, rng)
            return self.augment(sample, rng), task
        except OneFormerLiteError as error:
            return error
        except Exception as error:
            error.add_note(f"This happened with picture {index} of the training data.")
            raise

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
    dataset: SegmentationDataset,
    config: TrainConfig,
    image_size: int,
    start_step: int = 0,
    processes: Processes = ALONE,
    equalize: bool = False,
    stretch: bool = False,
) -> Batches:
    """This process's micro-batches without end, ``accumulate`` of them for each step from ``start_step`` on.

    Lesson 13.
    """
    augment, size = augmentation(config.augmentation, image_size, equalize, stretch), config.batch_size
    samples = TaskSamples(dataset, augment, config.seed, config.task_probabilities)
    readable = Readable(samples, len(dataset), config.workers)
    loader = DataLoader(
        readable,
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
    return Batches(loader, readable)


class Batches(Iterator):
    """A loader's batches. ``unreadable`` gathers the pictures that could not be read, number -> reason; others have
    taken their places."""

    def __init__(self, loader: DataLoader, readable: Readable) -> None:
        self.readable, self.workers, self.unreadable = readable, loader.num_workers, {}
        check_open_files(loader.num_workers)
        with enough_open_files(loader.num_workers), importable_by_children(readable.samples.dataset):
            self.batches = iter(loader)

    @contextmanager
    def deaths_named(self) -> Iterator[None]:
        """Turns PyTorch's word of a dead worker, raised wherever the program is, into a :class:`WorkerError` that
        names the picture."""
        try:
            yield
        except (RuntimeError, OSError, EOFError) as error:
            # a worker that dies while it hands over a batch is met as a connection that breaks
            broken = not isinstance(error, RuntimeError)
            if not (words := self.readable.obituary(self.readable.death() if broken else str(error))):
                raise
            # reap the dead worker and let go of the others, or PyTorch raises again at the next one's end
            multiprocessing.active_children()
            clear_frames(error.__traceback__)
            self.batches = iter(())
            raise WorkerError(words) from error

    def close(self) -> None:
        """End the workers now: the death of one would be raised in whatever comes next, say while a checkpoint is
        written."""
        self.batches = iter(())

    def __next__(self) -> Batch:
        """Raises an error that has nothing to do with a file, or the last one where no picture could be read."""
        with self.deaths_named(), enough_open_files(self.workers):
            batch, unreadable = next(self.batches)
        self.unreadable |= unreadable
        if isinstance(batch, OneFormerLiteError):
            raise batch
        return batch


def _collate(items: list[tuple]) -> tuple[Batch | OneFormerLiteError, dict[int, str]]:
    unreadable = {index: reason for _, met in items for index, reason in met.items()}
    pairs = [pair for pair, _ in items]
    return next((p for p in pairs if isinstance(p, OneFormerLiteError)), None) or collate(pairs), unreadable


def _one_thread(worker: int) -> None:
    torch.set_num_threads(1)  # the cores belong to the model
    _leave_signals_to_the_trainer()


def _leave_signals_to_the_trainer() -> None:
    """Ctrl-C, and SIGTERM when a machine is shut down, reach all processes at once. It is the trainer that saves and
    then ends its workers; one that went before would take the step with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "alarm"):  # which ends a process that nobody has ended by then
        signal.signal(signal.SIGTERM, lambda number, frame: signal.alarm(GRACE))
