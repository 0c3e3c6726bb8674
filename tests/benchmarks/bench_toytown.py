"""How many Toytown scenes a second: ``python tests/benchmarks/bench_toytown.py [processes]``."""

from __future__ import annotations

import multiprocessing
import sys
import time

from oneformer_lite.data import Toytown

SCENES = 400


def paint_share(job: tuple[int, int, int]) -> float:
    """Paint every ``step``-th scene from ``first`` on; returns the CPU seconds of this process."""
    size, first, step = job
    dataset = Toytown("train", size=size)
    dataset[0]
    started = time.process_time()
    for index in range(first, SCENES, step):
        dataset[index]
    return time.process_time() - started


def main(processes: int) -> None:
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        pool.map(paint_share, [(64, SCENES - 1, 1)] * processes)  # imports and caches
        for size in (64, 128, 256, 512):
            started = time.perf_counter()
            jobs = [(size, first, processes) for first in range(processes)]
            cpu = sum(pool.map(paint_share, jobs, chunksize=1))
            rate = SCENES / (time.perf_counter() - started)
            print(f"{size:4d} px: {rate:6.1f} scenes/s in {processes} processes, "
                  f"{1000 * cpu / SCENES:5.1f} ms of CPU a scene")  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
