"""What a second look gives: a mirrored view, other scales, and both, on scenes that differ from seed to seed.

    python tests/benchmarks/views.py                        # the shipped model on Toytown, five times 100 scenes
    python tests/benchmarks/views.py --model runs/mine --data FOLDER --split val      # once

The same scenes are judged without and with; what counts is the difference, scene set by scene set.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import mean

import torch
from tqdm import tqdm

import oneformer_lite as ofl

SHOWN = ("PQ", "AP", "mIoU")
LOOKS: dict[str, dict] = {
    "one look": {},
    "a mirrored one besides": {"flip": True},
    "at 0.75, 1 and 1.25 of the size": {"scales": (0.75, 1.0, 1.25)},
    "all six": {"flip": True, "scales": (0.75, 1.0, 1.25)},
}


def judged(model: torch.nn.Module, settings: dict, scenes) -> dict[str, float]:
    looked = ofl.Ensemble(model, **settings) if settings else model
    began = time.process_time()
    tasks = model.config.answers(scenes.tasks)
    with tqdm(total=len(scenes), unit="picture", leave=False, dynamic_ncols=True) as bar:
        metrics = ofl.evaluate(looked, scenes, tasks, progress=lambda done, _: bar.update(done - bar.n))
    found = {name: metrics[name] for name in SHOWN if name in metrics}
    return found | {"seconds": time.process_time() - began}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="toytown")
    parser.add_argument("--data", type=Path, help="(default: Toytown, painted now)")
    parser.add_argument("--split", default="val")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--looks", nargs="+", choices=LOOKS, default=list(LOOKS))
    o = parser.parse_args()
    torch.set_num_threads(1)
    model = ofl.from_pretrained(o.model, device="cpu")
    if o.data:
        sets = [ofl.data.open(o.data, o.split)]
    else:
        size = model.config.image_size
        sets = [ofl.data.Toytown(o.split, size, o.scenes, seed=seed) for seed in range(o.seeds)]
    plain = [judged(model, {}, scenes) for scenes in sets]
    for look in o.looks:
        found = plain if not LOOKS[look] else [judged(model, LOOKS[look], scenes) for scenes in sets]
        row: dict = {"look": look}
        for name in found[0]:
            gains = [after[name] - before[name] for after, before in zip(found, plain)]
            row[name] = round(mean(one[name] for one in found), 2)
            row[f"{name} gained"] = [round(value, 2) for value in (mean(gains), min(gains), max(gains))]
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
