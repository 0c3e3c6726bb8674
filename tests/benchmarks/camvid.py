"""CamVid's street photographs: the committed recipe, trained for some minutes of one core, and judged.

    python tests/benchmarks/camvid.py train --data camvid --steps 500      # into OUT; resumes
    python tests/benchmarks/camvid.py judge --data camvid [--flip]          # OUT/model, into OUT/scores.json

DATA holds ``images`` and ``labels`` in the usual split of 367 / 101 / 233. Learned from is the first, the curve is that
of the second, and judged is the third.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch

import oneformer_lite as ofl
from oneformer_lite.data.views import Chosen
from oneformer_lite.training import camvid_training


def split(folder: Path, name: str) -> ofl.data.SemanticDataset:
    names = ofl.config.camvid().class_names
    return ofl.data.SemanticDataset(folder / "images" / name, folder / "labels" / name, names)


def seen(folder: Path) -> Chosen:
    """What the curve is of: every fourth validation picture, since neighbours look alike."""
    val = split(folder, "val")
    return Chosen(val, range(0, len(val), 4))


def train(o: argparse.Namespace) -> None:
    c = camvid_training(out=str(o.out), steps=o.steps, workers=0, evaluations=4, save_minutes=2, seed=o.seed)
    began = time.process_time()
    result = ofl.train(ofl.config.camvid(), c, split(o.data, "train"), seen(o.data))
    print(f"{result.steps} steps, {time.process_time() - began:.0f} s of processor time", flush=True)


def judge(o: argparse.Namespace) -> None:
    """The 233 test pictures, whole."""
    model = ofl.from_pretrained(str(o.out / "model"), device="cpu")
    test = split(o.data, "test")
    began = time.process_time()
    metrics = ofl.evaluate(ofl.Ensemble(model, flip=True) if o.flip else model, test, ["semantic"])
    seconds = (time.process_time() - began) / len(test)
    found = {name: round(value, 2) for name, value in metrics.items()} | {"seconds a picture": round(seconds, 2)}
    (o.out / ("scores_flip.json" if o.flip else "scores.json")).write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found))
    print(metrics.table())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("job", choices=("train", "judge"))
    parser.add_argument("--data", type=Path, default=Path("data/camvid"))
    parser.add_argument("--out", type=Path, default=Path("runs/camvid"))
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--flip", action="store_true", help="a mirrored view besides")
    o = parser.parse_args()
    torch.set_num_threads(1)
    o.out.mkdir(parents=True, exist_ok=True)
    {"train": train, "judge": judge}[o.job](o)


if __name__ == "__main__":
    main()
