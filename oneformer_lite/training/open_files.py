"""A system that lets a process open few files, said in words."""

from __future__ import annotations

import errno
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from ..errors import ConfigError


@contextmanager
def enough_open_files(workers: int) -> Iterator[None]:
    """Says in words what a system means that lets a process open too few files for its workers."""
    others = set(multiprocessing.active_children())
    try:
        yield
    except (OSError, RuntimeError, EOFError) as error:  # what it is called depends on where it happens
        told = getattr(error, "errno", None) == errno.EMFILE or "Too many open files" in str(error)
        if not told and not _few_files_left():
            raise
        for worker in set(multiprocessing.active_children()) - others:  # PyTorch leaves those that it had started
            worker.kill()
        raise _too_few(workers) from error


def check_open_files(workers: int) -> None:
    """Raises :class:`ConfigError` at once where batches of workers could not arrive: PyTorch then either says so or, if
    the limit is met while a worker hands over a tensor, waits forever."""
    if workers and _few_files_left():
        raise _too_few(workers)


def _too_few(workers: int) -> ConfigError:
    return ConfigError(
        f"this process may not open as many files as {workers} workers need: allow it more (ulimit -n 4096 in the "
        "shell that starts it), or take fewer workers; workers=0 needs fewest"
    )


def _few_files_left() -> bool:
    """Whether this process may open no more than the tensors of some batches take: those of the batch that did not
    arrive are free again by now."""
    try:
        with ExitStack() as opened:
            for _ in range(64):
                opened.enter_context(open(os.devnull))
        return False
    except OSError:
        return True
