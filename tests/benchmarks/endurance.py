"""Memory and open files of what runs for long: they must stay flat.

    python tests/benchmarks/endurance.py train       # 2,000 training steps
    python tests/benchmarks/endurance.py watch       # run.watch() over the records of eight hours, one in five seconds
    python tests/benchmarks/endurance.py evaluate    # 5,000 predictions of pictures of 64 x 64, judged
    python tests/benchmarks/endurance.py inspectors  # 500 set() on each inspector, of what its controls offer

Memory is what the process holds (RSS), in MB, after collecting garbage. Of the log a view keeps 2,000 records of
training, so growth in its first three hours, some 3 kB a record, is right.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import os
import random
import sys
import tempfile
from pathlib import Path

import torch
from harm import recipe

import oneformer_lite as ofl
from oneformer_lite.data.toytown import write_toytown
from oneformer_lite.errors import ConfigError
from oneformer_lite.inspectors.chips import Chips
from oneformer_lite.training import toytown_training
from oneformer_lite.training.log import Log
from oneformer_lite.training.state import write_recipe
from oneformer_lite.training.trainer import Trainer

STEPS, RECORDS, LAYERS = 2000, 8 * 3600 // 5, 10
LOOKS = 20  # records from one look to the next
PREDICTIONS, CHOICES = 5000, 500


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
    ofl.train(config, dataclasses.replace(settings, save_steps=500))
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


def evaluate(folder: Path) -> None:
    """Three predictions a picture."""

    def measured(done: int, total: int) -> None:
        if done % (total // 8) == 0:
            print(f"{3 * done} predictions: {usage()}", flush=True)

    model, scenes = ofl.from_pretrained("toytown"), ofl.data.Toytown("val", 64, -(-PREDICTIONS // 3))
    ofl.evaluate(model, scenes, progress=measured)


def inspectors(folder: Path) -> None:
    """Each of the Toytown model's, asked at random."""
    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "inspectors")]
    from test_in_jupyterlab import INSPECTORS, SETUP

    names: dict = {}
    exec(SETUP, names)
    for name, (made, *_) in INSPECTORS.items():
        inspector, rng, told = eval(made, names), random.Random(0), []
        for number in range(1, CHOICES + 1):
            while not chosen(inspector, rng):
                pass
            if number % (CHOICES // 5) == 0:
                told.append(usage())
        print(f"{name}: {'; '.join(told)}", flush=True)


def chosen(inspector, rng: random.Random) -> bool:
    """Whether the inspector took a value for one of its controls; some, say a layer, others exclude."""
    name = rng.choice(list(inspector.state))
    try:
        inspector.set(**{name: offered(inspector.control(name), rng)})
    except ConfigError:
        return False
    return True


def offered(control, rng: random.Random):
    """One of the values that a control can take."""
    if hasattr(control, "point"):
        return rng.randrange(128), rng.randrange(128)
    if hasattr(control, "options"):
        return rng.choice([option[1] if isinstance(option, tuple) else option for option in control.options])
    if isinstance(control, Chips):
        return rng.sample(control.names, rng.randrange(3))
    if hasattr(control, "min"):
        value = rng.uniform(control.min, control.max)
        return round(value) if isinstance(control.value, int) else round(value, 3)
    return not control.value


WHAT = {"train": train, "watch": watch, "evaluate": evaluate, "inspectors": inspectors}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=list(WHAT))
    what = parser.parse_args().what
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        WHAT[what](Path(name))


if __name__ == "__main__":
    main()
