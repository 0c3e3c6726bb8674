"""One function over many files, by several processes, whose start needs nothing of the user's script."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager


def spread(function: Callable, jobs: Sequence, workers: int) -> Iterator:
    """``function(job)`` for every job, in order. Function and jobs are of this package."""
    done = 0
    workers = min(workers, len(jobs))
    if workers > 1:
        try:
            # spawn, because forking a process that has started threads (torch, OpenMP) may hang
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(workers, mp_context=context) as pool:
                with _without_main():  # which starts all workers
                    results = pool.map(function, jobs, chunksize=max(1, min(16, len(jobs) // workers)))
                for result in results:
                    done += 1
                    yield result
        except BrokenProcessPool:
            pass
    yield from map(function, jobs[done:])


@contextmanager
def importable_by_children(task: object) -> Iterator[None]:
    """Processes that start within the block can unpickle ``task``, and import the user's script only if they must.

    A script without the usual ``if __name__ == "__main__":`` would start itself again in each.
    """
    if multiprocessing.get_start_method() == "fork" or _needs_main(task):
        yield
    else:
        with _without_main():
            yield


def _needs_main(task: object) -> bool:
    """Whether it is of a class of the script, or holds something that is: data sets are made of others."""
    while task is not None and type(task).__module__ != "__main__":
        task = getattr(task, "dataset", getattr(task, "samples", None))
    return task is not None


def refuse_to_start_again(what: str) -> None:
    """Ends a process that another one has just started and that imports the user's script, in one sentence."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(
            f"oneformer-lite: {what} would start again in each of its own processes, which import the script: put what "
            'the script does under  if __name__ == "__main__":'
        )


@contextmanager
def _without_main() -> Iterator[None]:
    """Processes that start within the block do not know the main module, and so cannot import it."""
    main = vars(sys.modules["__main__"])
    hidden = {name: main[name] for name in ("__file__", "__spec__") if name in main}
    main.pop("__file__", None)
    main["__spec__"] = None
    try:
        yield
    finally:
        main.update(hidden)
