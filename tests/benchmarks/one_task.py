"""What the query-text contrastive loss does where a run learns one task alone, with a weight and without.

    python tests/benchmarks/one_task.py camvid --data camvid       # label maps: semantic
    python tests/benchmarks/one_task.py nuclei --data nuclei       # instance maps: instance
    python tests/benchmarks/one_task.py toytown                    # every task alone, and all three: the loss alone

The same small steps, pictures and seeds with each of ``--weights``: the loss at the beginning and at the end (means of
a tenth of the steps), beside 2 ln B, which it has where nothing is told apart; processor seconds a step; and the score
on held-out pictures.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path
from statistics import mean

import torch
from nuclei import splits

import oneformer_lite as ofl
from oneformer_lite.config import BaseConfig
from oneformer_lite.data.sample import TASKS
from oneformer_lite.data.views import Chosen
from oneformer_lite.dataset_checks.texts import told_nothing
from oneformer_lite.training import recipe_for

SCORES = {"camvid": "mIoU", "nuclei": "AP"}


def camvid(folder: Path) -> tuple:
    """To learn from, and every second of the usual validation pictures."""
    names = ofl.config.camvid().class_names
    train, val = (
        ofl.data.SemanticDataset(folder / "images" / split, folder / "labels" / split, names)
        for split in ("train", "val")
    )
    return train, Chosen(val, range(0, len(val), 2))


def nuclei(folder: Path) -> tuple:
    """To learn from, and every second picture held out."""
    train, held_out = splits(folder)
    return train, Chosen(held_out, range(0, len(held_out), 2))


def learn(config: BaseConfig, train, o: argparse.Namespace, seed: int, shares=(1, 1, 1)) -> tuple:
    """The model, and what can be told of its steps."""
    with tempfile.TemporaryDirectory() as out, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        c = recipe_for(
            config, out=out, steps=o.steps, seed=seed, workers=0, evaluations=0, log_steps=1, batch_size=4,
            task_probabilities=shares,
        )  # fmt: skip
        began = time.process_time()
        result = ofl.train(config, c, train)
        seconds = (time.process_time() - began) / o.steps
    losses = [r["contrastive"] for r in result.history if r["kind"] == "train" and "contrastive" in r]
    tenth = max(1, o.steps // 10)
    ends = [round(mean(part), 2) for part in (losses[:tenth], losses[-tenth:])] if losses else None
    untold = round(told_nothing(c.images_at_once), 2)
    return result.model, {"contrastive": ends, "nothing told apart": untold, "s a step": seconds}


def weighed(o: argparse.Namespace) -> None:
    """Real pictures of one task."""
    train, judged = {"camvid": camvid, "nuclei": nuclei}[o.name](o.data)
    for seed in range(o.seeds):
        for weight in o.weights:
            config = replace(getattr(ofl.config, o.name)(), image_size=o.size, contrastive_weight=weight)
            model, row = learn(config, train, o, seed)
            metrics = ofl.evaluate(model, judged, train.tasks)
            score = {SCORES[o.name]: round(metrics[SCORES[o.name]], 2)}
            print(json.dumps({"weight": weight, "seed": seed, **row, **score}), flush=True)


def scenes(o: argparse.Namespace) -> None:
    """Toytown, whose annotation supplies every task."""
    train = ofl.data.Toytown("train", size=o.size, length=2000)
    alone = {task: tuple(float(other == task) for other in TASKS) for task in TASKS}
    for name, shares in {**alone, "all three": (1.0, 1.0, 1.0)}.items():
        _, row = learn(replace(ofl.config.toytown(), image_size=o.size), train, o, 0, shares)
        print(json.dumps({"task": name, **row}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name", choices=("camvid", "nuclei", "toytown"))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--size", type=int, default=128, help="of the square crops")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--weights", type=float, nargs="+", default=[0.5, 0.0])
    o = parser.parse_args()
    torch.set_num_threads(1)
    scenes(o) if o.name == "toytown" else weighed(o)


if __name__ == "__main__":
    main()
