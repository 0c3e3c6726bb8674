"""Memory and open files of what runs for long: they must stay flat.

    python tests/benchmarks/endurance.py train    # 2,000 training steps
    python tests/benchmarks/endurance.py watch    # run.watch() over the records of eight hours, one in five seconds

Memory is what the process holds (RSS), in MB, after collecting garbage. The log itself is kept in memory, so a little
growth with its records is right: some 3 kB a record.
"""

from __future__ import annotations

import argparse
import gc
import os
import tempfile
from pathlib import Path

import torch
from harm import recipe

import oneformer_lite as ofl
from oneformer_lite.data.toytown import write_toytown
from oneformer_lite.training import toytown_training
from oneformer_lite.training.log import Log
from oneformer_lite.training.state import write_recipe
from oneformer_lite.training.trainer import Trainer

STEPS, RECORDS, LAYERS = 2000, 8 * 3600 // 5, 10
LOOKS = 20  # records from one look to the next


def usage() -> str:
    """Memory and open files of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return f"{pages * os.sysconf('SC_PAGE_SIZE') / 2**20:.0f} MB, {len(os.listdir('/proc/self/fd'))} open files"


def train(folder: Path) -> None:
    write_toytown(folder / "data", "train", 64, 16, workers=1)
    step = Trainer.train_step

    def measured(self, batches):
        if self.step % 200 == 0:
            print(f"step {self.step}: {usage()}", flush=True)
        return step(self, batches)

    Trainer.train_step = measured
    config, settings = recipe(folder, "run", STEPS)
    ofl.train(config, settings)
    print(f"step {STEPS}: {usage()}", flush=True)


def watch(folder: Path) -> None:
    write_recipe(ofl.config.toytown(), toytown_training(out=str(folder), steps=10 * RECORDS), "cpu:1")
    log, view = Log(folder), ofl.Run(folder).watch()
    for number in range(1, RECORDS + 1):
        losses = {name: 9.0 / number for name in ("class", "mask", "dice", "contrastive", "total")}
        layers = {name: [3.0 / number] * LAYERS for name in ("class", "mask", "dice")}
        log.write("train", 10 * number, 5.0 * number, lr=1e-4, **losses, by_layer=layers, memory_mb=900)
        if number % LOOKS == 0:
            log.records.clear()  # those of the trainer, which is another process
            view.refresh()
        if number % (RECORDS // 8) == 0:
            print(f"hour {8 * number // RECORDS}: {usage()}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("train", "watch"))
    what = parser.parse_args().what
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        {"train": train, "watch": watch}[what](Path(name))


if __name__ == "__main__":
    main()
