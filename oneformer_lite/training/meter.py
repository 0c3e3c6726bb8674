"""What a running training costs: images a second and peak memory. No two runs measure the same."""

from __future__ import annotations

import sys

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
        return {
            "images_per_second": images / elapsed if elapsed > 0 else None,
            "memory_mb": peak_memory(),
        }


def peak_memory() -> int | None:
    """The most that this process has ever held, in MB: of its GPU where it uses one, else of main memory.

    None where the system does not tell. Workers that load data are processes of their own and not counted.
    """
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        return round(torch.cuda.max_memory_allocated() / 1e6)
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)
