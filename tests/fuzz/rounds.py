"""A long round: all readers by turns, in one process or several."""

from __future__ import annotations

import math
import multiprocessing
import signal
import sys
import time
from collections.abc import Sequence

import course_readers  # noqa: F401
import data_readers  # noqa: F401
import member_readers  # noqa: F401
import picture_readers  # noqa: F401
import published_readers  # noqa: F401
import run_readers  # noqa: F401
import torch
import weight_readers  # noqa: F401
from reader import READERS, Reader
from trying import BAD, Outcome, tried

PARTS = 20  # of a round, in each of which every reader has its turn


def long_round(
    readers: Sequence[Reader], inputs: int, seed: int, processes: int, minutes: float = math.inf
) -> dict[str, list[Outcome]]:
    """Outcomes by reader. All readers take turns, so that one that ends early (after so many ``minutes``, or on SIGINT
    or SIGTERM) has tried them all."""
    shares, found = sum(reader.share for reader in readers), {reader.name: [] for reader in readers}
    counts = {reader.name: max(2, round(inputs * reader.share / shares)) for reader in readers}
    parts = min(PARTS, *counts.values())
    jobs = [(name, range(seed + part, seed + count, parts)) for part in range(parts) for name, count in counts.items()]
    end, before = time.monotonic() + 60 * minutes, signal.signal(signal.SIGTERM, signal.default_int_handler)
    pool = multiprocessing.get_context("spawn").Pool(processes, _quiet) if processes > 1 else None
    try:
        for number, outcomes in enumerate(pool.imap(_job, jobs) if pool else map(_job, jobs), 1):
            found[outcomes[0].reader] += outcomes
            if number % len(readers) == 0:
                _tell(found)
            if time.monotonic() > end:
                break
    except KeyboardInterrupt:
        print("ended early: what follows is of the inputs until then", file=sys.stderr, flush=True)
    finally:
        signal.signal(signal.SIGTERM, before)
        if pool:
            pool.terminate()
    return found


def _tell(found: dict[str, list[Outcome]]) -> None:
    outcomes = [outcome for each in found.values() for outcome in each]
    bad = sum(outcome.end in BAD for outcome in outcomes)
    print(f"{len(outcomes):,} tried, {bad} bad", file=sys.stderr, flush=True)


def _quiet() -> None:
    """In a process of the pool: the one that started it hears the signals and ends all."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)


def _job(job: tuple[str, range]) -> list[Outcome]:
    name, seeds = job
    return list(tried(READERS[name], seeds))


def by_name(names: list[str]) -> list[Reader]:
    """The readers of these names, all by default."""
    return [READERS[name] for name in names or READERS]
