"""Does a run end with the same bits, whatever happens on its way? On the CPU, in one process.

    python tests/benchmarks/same_end.py killed --steps 300 --kills 10
    python tests/benchmarks/same_end.py launched --steps 300
    python tests/benchmarks/same_end.py launched --steps 20 --shipped

``killed``: one run that nothing disturbs, and one that is killed (SIGKILL) at random moments and called again until
it is done. ``launched``: ``ofl.train`` in this process, and ``ofl.launch`` in the background. Both train a small
Toytown model (64 pixels, batch 2, dropout, averaged weights, evaluations in between); with ``--shipped`` it is the
configuration and the recipe of the shipped checkpoint at their real sizes (128 pixels, batch 8). Compared bit by bit:
parameters, averaged weights, the optimiser's state, and all records of the log
but their times and memory.
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import random
import tempfile
import time
from pathlib import Path

import torch

import oneformer_lite as ofl
from oneformer_lite.data.toytown import write_toytown
from oneformer_lite.training import read_log, toytown_training

SCENES, EVALUATED = 64, 4
CLOCK = ("seconds", "images_per_second", "memory_mb")  # what a log says about the machine, not about the run


def recipe(folder: Path, name: str, steps: int, shipped: bool) -> tuple[ofl.ModelConfig, ofl.TrainConfig]:
    """Configuration and recipe of the run in ``folder``/``name``."""
    settings = {"data": str(folder / "data"), "out": str(folder / name), "steps": steps, "log_steps": 1}
    if shipped:
        return ofl.config.toytown(), toytown_training(**settings, eval_images=EVALUATED)
    config = dataclasses.replace(
        ofl.config.toytown(), image_size=64, num_points=64, hidden_dim=32, decoder_layers=2, encoder_dropout=0.1,
        query_dropout=0.1,
    )  # fmt: skip
    small = {"batch_size": 2, "workers": 0, "evaluations": 2, "eval_images": EVALUATED, "save_steps": 10}
    return config, toytown_training(**settings, **small)


def train(*address, threads: int) -> None:
    torch.set_num_threads(threads)
    ofl.train(*recipe(*address))


def train_and_kill(folder: Path, steps: int, shipped: bool, kills: int, seed: int) -> None:
    """One run left alone and one killed ``kills`` times, both in processes of their own."""
    processes, chance = multiprocessing.get_context("forkserver"), random.Random(seed)
    processes.set_forkserver_preload(["oneformer_lite.training.trainer"])
    threads = {"threads": torch.get_num_threads()}

    def start(name: str) -> multiprocessing.Process:
        process = processes.Process(target=train, args=(folder, name, steps, shipped), kwargs=threads)
        process.start()
        return process

    def newest(name: str) -> int:
        log = read_log(folder / name)
        return log[-1]["step"] if log else 0

    whole = start("one")
    whole.join()
    assert whole.exitcode == 0
    # a moment that lies behind the checkpoint is over at once: then the process dies while it starts
    for goal in sorted(chance.sample(range(1, steps - 10), kills)):
        process = start("other")
        while newest("other") < goal and process.is_alive():
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 1))
        process.kill()
        process.join()
        assert process.exitcode == -9, f"the run ended before it could be killed: exit code {process.exitcode}"
        path = folder / "other/checkpoint.pt"
        saved = torch.load(path, weights_only=True)["step"] if path.exists() else 0
        print(f"killed at step {newest('other')}, goes on from step {saved}", flush=True)
    last = start("other")
    last.join()
    assert last.exitcode == 0


def train_and_launch(folder: Path, steps: int, shipped: bool) -> None:
    """The same run here and in the background."""
    ofl.train(*recipe(folder, "one", steps, shipped))
    run = ofl.launch(*recipe(folder, "other", steps, shipped), devices="cpu:1")
    assert run.wait() == "finished", run.reason


def flat(value):
    """Nested state as something that == compares exactly."""
    if isinstance(value, dict):
        return {key: flat(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [flat(item) for item in value]
    return value.numpy().tobytes() if isinstance(value, torch.Tensor) else value


def compare(one: Path, other: Path) -> bool:
    """Print what of the two ends is equal; whether all is."""
    ends = [torch.load(folder / "checkpoint.pt", weights_only=True) for folder in (one, other)]
    logs = [[record | dict.fromkeys(CLOCK, 0) for record in read_log(folder)] for folder in (one, other)]
    equal = {name: flat(ends[0][name]) == flat(ends[1][name]) for name in ends[0] if name != "seconds"}
    equal["log"] = logs[0] == logs[1]
    equal["model folder"] = len({(folder / "model/model.safetensors").read_bytes() for folder in (one, other)}) == 1
    print(", ".join(f"{name}: {'equal' if same else 'DIFFERENT'}" for name, same in equal.items()))
    return all(equal.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("killed", "launched"))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--shipped", action="store_true", help="the shipped checkpoint's recipe")
    parser.add_argument("--seed", type=int, default=None, help="of the moments at which it is killed")
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = ofl.config.toytown().image_size if options.shipped else 64
        write_toytown(folder / "data", "train", size, SCENES, workers=1)
        write_toytown(folder / "data", "val", size, EVALUATED, workers=1)
        if options.what == "killed":
            train_and_kill(folder, options.steps, options.shipped, options.kills, options.seed)
        else:
            train_and_launch(folder, options.steps, options.shipped)
        same = compare(folder / "one", folder / "other")
    which = "the shipped recipe" if options.shipped else "the small recipe"
    print(f"{which}, {options.steps} steps, {options.what}: {'bit-equal' if same else 'NOT EQUAL'}, "
          f"{time.monotonic() - started:.0f} s, torch {torch.__version__}")  # fmt: skip
    raise SystemExit(not same)


if __name__ == "__main__":
    main()
