"""How the processes of a run have failed, and which of them is to blame.

Nothing here, nor in the supervisor, imports PyTorch: who only waits for others starts at once and takes no memory.
"""

from __future__ import annotations

import re
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import OneFormerLiteError
from ..json_reader import read_json

_OF_OURS = re.compile(r"(Data|Worker|Config|Checkpoint|Diverged|OneFormerLite)Error")
_FOR_GOOD = re.compile(r"(Data|Config|Checkpoint|Diverged)Error")


@dataclass(frozen=True)
class Failure:
    """The end of a process that did not end well. ``words``: kind and message of its error; ``time``: when, in seconds
    since 1970, 0 if it said nothing."""

    exitcode: int
    words: str = ""
    time: int = 0

    @property
    def signal(self) -> str:
        """The signal that it was killed by; "" if it was not."""
        if self.exitcode >= 0:
            return ""
        with suppress(ValueError):
            return signal.Signals(-self.exitcode).name
        return f"signal {-self.exitcode}"


def failure(exitcode: int, file: Path) -> Failure:
    """How a process ended, with what PyTorch's ``record`` has written into ``file``: nothing if the process was killed,
    and half of it if it was killed meanwhile, or the disk is full."""
    try:
        told = read_json(file)["message"]
        return Failure(exitcode, str(told["message"]), int(told["extraInfo"]["timestamp"]))
    except (OneFormerLiteError, KeyError, TypeError, ValueError):
        return Failure(exitcode)


def culprit(failures: dict[int, Failure]) -> int:
    """The process (by rank) with which a run failed.

    The others lose their connection when one dies, often in the same instant: a process that was killed is the cause,
    then one with an error of ours, then the first that said anything.
    """
    return min(failures, key=lambda rank: (_order(failures[rank]), not failures[rank].words, failures[rank].time, rank))


def for_good(failures: dict[int, Failure]) -> bool:
    """Whether data, recipe or checkpoint were refused, or the run has diverged, as it will at each start."""
    failure = failures[culprit(failures)]
    return failure.exitcode > 0 and bool(_FOR_GOOD.match(failure.words))


def cause(failures: dict[int, Failure]) -> str:
    """Why a run failed."""
    rank = culprit(failures)
    failure = failures[rank]
    if failure.signal:
        memory = ", perhaps for want of memory" if failure.signal == "SIGKILL" else ""
        return f"process {rank} was killed ({failure.signal}){memory}"
    return f"process {rank}: {failure.words or f'it ended with the exit status {failure.exitcode} and no word'}"


def _order(failure: Failure) -> int:
    if failure.exitcode < 0:
        return 3 if failure.exitcode == -signal.SIGTERM else 0
    return 1 if _OF_OURS.match(failure.words) else 2
