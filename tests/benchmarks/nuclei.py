"""Nuclei in microscope pictures: the committed recipe, trained for some minutes of one core, and judged.

    python tests/benchmarks/nuclei.py train --data nuclei --steps 600       # into OUT; resumes
    python tests/benchmarks/nuclei.py judge --data nuclei                   # OUT/model, into OUT/scores.json

DATA holds ``images`` and ``instances`` (a number for each nucleus, 0 = background). Every tenth picture is held out.
Judged are those of them that are fluorescence (dark), as published figures are of these: AP as COCO's, and at IoU 0.5
TP / (TP + FP + FN), of all nuclei together and as the mean over pictures, of instances whose score is 0.5 at least.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

import oneformer_lite as ofl
from oneformer_lite.analysis.scene import instance_scene
from oneformer_lite.analysis.segments import surer
from oneformer_lite.data.sample import Sample
from oneformer_lite.data.views import Chosen
from oneformer_lite.inference import Prediction
from oneformer_lite.training import nuclei_training

EVERY, DARK = 10, 64  # a fluorescence picture is darker than that on average, of 255


def splits(folder: Path) -> tuple[Chosen, Chosen]:
    """Pictures to learn from, and those held out."""
    every = ofl.data.InstanceMapDataset(folder / "images", folder / "instances", "nucleus")
    held_out = range(0, len(every), EVERY)
    return Chosen(every, [i for i in range(len(every)) if i % EVERY]), Chosen(every, held_out)


def fluorescence(pictures: Chosen) -> Chosen:
    """The dark ones."""
    return Chosen(pictures, [i for i in range(len(pictures)) if pictures[i].image.mean() < DARK])


def train(o: argparse.Namespace) -> None:
    """By the recipe of ``data/README.md``, but bounded by steps, which other work on the machine does not change."""
    learned, held_out = splits(o.data)
    c = nuclei_training(out=str(o.out), steps=o.steps, workers=0, eval_images=12, save_minutes=2, seed=o.seed)
    began = time.process_time()
    result = ofl.train(ofl.config.nuclei(), c, learned, fluorescence(held_out))
    print(f"{result.steps} steps, {time.process_time() - began:.0f} s of processor time", flush=True)


class Counts:
    """TP, FP and FN at IoU 0.5, picture by picture."""

    def __init__(self, min_score: float = 0.5) -> None:
        self.min_score, self.rows = min_score, []

    def look(self, prediction: Prediction, sample: Sample) -> None:
        scene = surer(instance_scene(prediction, sample), self.min_score)
        tp = int((scene.found >= 0).sum())
        wrong = int(((scene.found < 0) & ~scene.excused).sum())
        self.rows.append((tp, wrong, len(scene.true_classes) - tp))

    def summary(self) -> dict[str, float]:
        rows = np.array(self.rows)
        tp, fp, fn = rows.sum(0).tolist()
        of_pictures = rows[:, 0] / np.maximum(rows.sum(1), 1)
        return {
            "TP": tp, "FP": fp, "FN": fn, "TP / (TP + FP + FN)": round(tp / max(tp + fp + fn, 1), 3),
            "mean over pictures": round(float(of_pictures.mean()), 3),
        }  # fmt: skip


def judge(o: argparse.Namespace) -> None:
    """The held-out fluorescence pictures, whole."""
    model = ofl.from_pretrained(o.model or str(o.out / "model"), device="cpu")
    looked = ofl.Ensemble(model, flip=True) if o.flip else model
    pictures, counts = fluorescence(splits(o.data)[1]), Counts()
    began = time.process_time()
    metrics = ofl.evaluate(looked, pictures, ["instance"], look=counts.look)
    seconds = (time.process_time() - began) / len(pictures)
    found = {name: round(metrics[name], 2) for name in ("AP", "AP50", "AP75")} | counts.summary()
    found |= {"pictures": len(pictures), "seconds a picture": round(seconds, 2)}
    (o.out / ("scores_flip.json" if o.flip else "scores.json")).write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("job", choices=("train", "judge"))
    parser.add_argument("--data", type=Path, default=Path("data/nuclei"))
    parser.add_argument("--out", type=Path, default=Path("runs/nuclei"))
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", help="(default: that of OUT)")
    parser.add_argument("--flip", action="store_true", help="a mirrored view besides")
    o = parser.parse_args()
    torch.set_num_threads(1)
    o.out.mkdir(parents=True, exist_ok=True)
    {"train": train, "judge": judge}[o.job](o)


if __name__ == "__main__":
    main()
