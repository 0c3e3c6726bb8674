"""One function over many files, by several processes."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path


def spread(function: Callable, jobs: Sequence, workers: int) -> Iterator:
    """``function(job)`` for every job, in order.

    Workers import the main module; one without the usual ``if __name__ == "__main__":``, or read from standard
    input, cannot start them, and then this process does the work alone.
    """
    done = 0
    workers = min(workers, len(jobs))
    main = getattr(sys.modules["__main__"], "__file__", None)
    if workers > 1 and (main is None or Path(main).exists()):  # standard input calls itself "<stdin>"
        try:
            # spawn, because forking a process that has started threads (torch, OpenMP) may hang
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(workers, mp_context=context) as pool:
                for result in pool.map(function, jobs, chunksize=max(1, min(16, len(jobs) // workers))):
                    done += 1
                    yield result
        except BrokenProcessPool:
            pass
    yield from map(function, jobs[done:])
