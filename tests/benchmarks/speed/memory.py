"""Peak memory of a program, as Linux counts it: the most that the process ever held while the program ran."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PROCESS = Path("/proc/self")


@dataclass(frozen=True)
class Peak:
    """Gigabytes: the whole process at its highest, and what it held just before."""

    peak: float
    before: float

    @property
    def own(self) -> float:
        """What the program needed on top."""
        return self.peak - self.before


def peak_of(program: Callable[[], object]) -> Peak:
    """Runs ``program`` once. Call it in a process that does nothing else: freed memory that was not given back counts.

    Raises :class:`OSError` where the system is not Linux.
    """
    gc.collect()
    (PROCESS / "clear_refs").write_text("5")  # forget the highest mark so far
    before = _gigabytes("VmRSS")
    program()
    return Peak(_gigabytes("VmHWM"), before)


def _gigabytes(field: str) -> float:
    kilobytes = re.search(rf"{field}:\s+(\d+) kB", (PROCESS / "status").read_text())[1]
    return int(kilobytes) * 1024 / 1e9
