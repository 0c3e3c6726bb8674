"""Two programs, or more, timed in turns, so that whatever else the machine does meets all of them."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Times:
    """Seconds of every round, of each program by name."""

    seconds: dict[str, list[float]]

    def median(self, name: str) -> float:
        """Seconds of the middle round."""
        return statistics.median(self.seconds[name])

    def ratio(self, theirs: str, ours: str) -> float:
        """How many times longer ``theirs`` takes than ``ours``: the median over the rounds, each compared in itself."""
        return statistics.median(a / b for a, b in zip(self.seconds[theirs], self.seconds[ours], strict=True))


def in_turns(programs: dict[str, Callable[[], object]], rounds: int, warm: int = 1) -> Times:
    """Seconds of ``rounds`` rounds, in which each program runs once; every other round in reverse order.

    ``warm`` rounds before are not counted: caches fill, compilers compile. Garbage is collected before a program
    starts and not while it runs.
    """
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for number in range(-warm, rounds):
        for name in _order(list(programs), number):
            gc.collect()
            gc.disable()
            try:
                started = time.perf_counter()
                programs[name]()
                took = time.perf_counter() - started
            finally:
                gc.enable()
            if number >= 0:
                seconds[name].append(took)
    return Times(seconds)


def _order(names: Sequence[str], number: int) -> Sequence[str]:
    return names if number % 2 == 0 else names[::-1]
