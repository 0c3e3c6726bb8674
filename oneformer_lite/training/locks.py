"""Locks that say whether a process trains in a folder: the operating system frees them when the process dies."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import ConfigError, DataError
from ..files import open_own
from ..notices import warn_user

TRAINER_LOCK, LAUNCHER_LOCK = ".trainer.lock", ".launcher.lock"


@contextmanager
def locked(path: Path, patience: float = 20.0, passed_on: bool = False) -> Iterator:
    """Hold the lock ``path`` while the block runs; its open file. ``passed_on``: a child process that is given the
    file holds it for as long as it lives.

    Waits ``patience`` seconds: the data workers of a killed process hold its lock until they notice, and who looks
    whether it is held holds it for a moment. Raises :class:`ConfigError` if another process keeps it.
    """
    deadline = time.monotonic() + patience
    with _open(path) as file:
        while not lock(file):
            if time.monotonic() > deadline:
                raise ConfigError(
                    f"another process trains in {path.parent}: ofl.Run({str(path.parent)!r}).stop() ends it, "
                    "or choose another out folder"
                )
            time.sleep(0.2)
        try:
            yield file
        finally:
            if not passed_on:
                unlock(file)  # closing it is not enough while data workers live, which have it open too


def is_locked(path: Path) -> bool:
    """Whether a living process holds the lock. Any number of users may look at once, without the right to write."""
    try:
        with open_own(path) as file:
            return not lock(file, shared=True)
    except OSError:  # there is none, or none that we may see
        return False


def lock(file, shared: bool = False) -> bool:
    """Try to lock an open file until it is closed, for this process alone or ``shared`` with others who look."""
    if os.name == "nt":  # no flock there: two trainers in one folder are not kept apart
        return True
    import fcntl

    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        warn_user(
            f"{file.name} cannot be locked on this file system ({error.strerror}): whether somebody trains there is "
            "not known, and two trainers are not kept apart"
        )
    return True


def unlock(file) -> None:
    """Give up the lock of an open file, whoever else has it open."""
    if os.name != "nt":
        import fcntl

        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_UN)


def _open(path: Path):
    try:
        return path.open("w")
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror}): choose another out folder") from error
