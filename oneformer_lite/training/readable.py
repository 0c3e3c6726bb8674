"""Pictures that cannot be read do not end a run: another one takes the place, and a worker's death has a name."""

from __future__ import annotations

import multiprocessing
import os
import re
import time

import numpy as np
import torch
from torch.utils.data import Dataset, get_worker_info

from ..data.views import paths_of
from ..errors import DataError

ATTEMPTS = 20  # pictures drawn for one place


class Readable(Dataset):
    """Items of ``samples`` (:class:`~oneformer_lite.training.loader.TaskSamples`) with those that were unreadable.

    Where a file cannot be read, another picture of the epoch is drawn, which depends on the address and the seed alone:
    neither the number of workers nor a restart changes what is seen. What each worker reads stands in shared memory.
    """

    def __init__(self, samples, length: int, workers: int) -> None:
        self.samples, self.length = samples, length
        self.reading = torch.full((workers, 2), -1, dtype=torch.int64).share_memory_()  # process, picture

    def __getitem__(self, address: tuple[int, int]) -> tuple[object, dict[int, str]]:
        """The pair, or the last error, and number and reason of each picture that could not be read."""
        epoch, index = address
        rng, unreadable = np.random.default_rng((self.samples.seed, epoch, index, ATTEMPTS)), {}
        item = self._read(epoch, index)
        while isinstance(item, DataError) and len(unreadable) < ATTEMPTS:
            unreadable[index] = str(item)
            index = int(rng.integers(self.length))
            item = self._read(epoch, index)
        return item, unreadable

    def _read(self, epoch: int, index: int):
        worker = get_worker_info()
        if worker is None:
            return self.samples[epoch, index]
        self.reading[worker.id] = torch.tensor([os.getpid(), index])
        item = self.samples[epoch, index]
        self.reading[worker.id, 1] = -1
        return item

    def death(self, patience: float = 1.0) -> str:
        """PyTorch's words for workers that have died, which is told within ``patience`` seconds; empty if all live."""
        deadline = time.monotonic() + patience
        try:
            while time.monotonic() < deadline:
                living = {child.pid for child in multiprocessing.active_children()}
                if dead := [process for process in self.reading[:, 0].tolist() if process not in {-1, *living}]:
                    return f"DataLoader worker (pid(s) {', '.join(map(str, dead))}) exited unexpectedly"
                time.sleep(0.02)
        except RuntimeError as error:  # PyTorch's, raised in the main thread by the kernel's signal
            return str(error)
        return ""

    def obituary(self, words: str) -> str:
        """What PyTorch says in ``words`` of a dead worker, with the picture that it was reading; empty if of none."""
        found = re.search(r"DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\)", words)
        if not found:
            return ""
        dead = [int(process) for process in found[1].split(",")]
        pictures = [index for process, index in self.reading.tolist() if process in dead and index >= 0]
        named = ", ".join(f"picture {index}{self._files(index)}" for index in pictures)
        return (
            f"{words.strip().rstrip('.')}, while it read {named or 'no picture'}: the memory may not suffice (fewer "
            "workers need less)" + (", or the file kills its reader: look at it, or remove it" if pictures else "")
        )

    def _files(self, index: int) -> str:
        paths = paths_of(self.samples.dataset, index)
        return f" ({', '.join(map(str, paths))})" if paths else ""
