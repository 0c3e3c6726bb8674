"""What a running training costs: images a second and peak memory. No two runs measure the same."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import torch

# names in the log whose values are measured: all others follow from the recipe
MEASURED = ("seconds", "images_per_second", "memory_mb")


class Meter:
    """Measures from one reading to the next; the first begins at ``step``, after ``seconds`` of training."""

    def __init__(self, batch_size: int, step: int, seconds: float) -> None:
        self.batch_size, self.step, self.seconds = batch_size, step, seconds

    def read(self, step: int, seconds: float) -> dict[str, float | None]:
        """Images a second of training since the last reading, over all processes, and :func:`peak_memory`."""
        images, elapsed = (step - self.step) * self.batch_size, seconds - self.seconds
        self.step, self.seconds = step, seconds
        peak = peak_memory()
        return {
            "images_per_second": images / elapsed if elapsed > 0 else None,
            "memory_mb": None if peak is None else round(peak / 1e6),
        }


def peak_memory() -> int | None:
    """The most bytes that this process has held: of its GPU where it uses one, else of main memory.

    None where the system does not tell. Workers that load data are processes of their own and not counted.
    """
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated()
    with suppress(OSError):  # Linux; getrusage would count what a notebook held when it started this process
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
