"""Nuclei in microscope pictures: the committed recipe, trained for some minutes of one core, and judged.

    python tests/benchmarks/nuclei.py train --data nuclei --steps 600       # into OUT; resumes
    python tests/benchmarks/nuclei.py judge --data nuclei                   # OUT/model, into OUT/scores.json

DATA holds ``images`` and ``instances`` (a number for each nucleus, 0 = background). Every tenth picture is held out.
Judged are those of them that are fluorescence (dark), as published figures are of these, and the others apart: AP as
COCO's, and at IoU 0.5 TP / (TP + FP + FN), of all nuclei together and as the mean over pictures, of an instance map of
what has a score of 0.5 at least.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

import oneformer_lite as ofl
from oneformer_lite.data.sample import Sample
from oneformer_lite.data.views import Chosen
from oneformer_lite.inference import Prediction
from oneformer_lite.metrics.instance import InstanceMetric
from oneformer_lite.training import nuclei_training

EVERY, DARK = 10, 64  # a fluorescence picture is darker than that on average, of 255
LEAST = 0.05  # score of an instance that is ranked: all that queries say would be thousands of masks a picture


def splits(folder: Path) -> tuple[Chosen, Chosen]:
    """Pictures to learn from, and those held out."""
    every = ofl.data.InstanceMapDataset(folder / "images", folder / "instances", "nucleus")
    held_out = range(0, len(every), EVERY)
    return Chosen(every, [i for i in range(len(every)) if i % EVERY]), Chosen(every, held_out)


def fluorescence(pictures: Chosen, dark: bool = True) -> Chosen:
    """The dark ones, or all others."""
    return Chosen(pictures, [i for i in range(len(pictures)) if (pictures[i].image.mean() < DARK) == dark])


def train(o: argparse.Namespace) -> None:
    """By the recipe of ``data/README.md``, but bounded by steps, which other work on the machine does not change."""
    learned, _ = splits(o.data)
    c = nuclei_training(out=str(o.out), steps=o.steps, workers=0, evaluations=0, save_minutes=2, seed=o.seed)
    began = time.process_time()
    result = ofl.train(ofl.config.nuclei(), c, learned)
    print(f"{result.steps} steps, {time.process_time() - began:.0f} s of processor time", flush=True)


def one_map(prediction: Prediction, min_score: float = 0.5) -> np.ndarray:
    """Instances, whose masks may overlap, as microscopists have them: int [H, W], 0 = background, 1 the first segment.

    The surest first. Of each what no surer one has taken, but nothing where that is less than half of it: so of
    several that draw one nucleus the surest remains.
    """
    ids = np.zeros(prediction.image.shape[:2], int)
    for number, segment in enumerate(prediction.segments, start=1):
        mask = segment.mask
        free = mask & (ids == 0)
        if segment.score >= min_score and 2 * free.sum() > mask.sum():
            ids[free] = number
    return ids


class Judged:
    """Pictures as instance maps: TP, FP and FN at IoU 0.5, and AP."""

    def __init__(self, categories: tuple) -> None:
        self.rows, self.metric = [], InstanceMetric(categories)

    def look(self, prediction: Prediction, sample: Sample) -> None:
        """Of the instances, those of the map are counted, and ranked by their score."""
        ranked = one_map(prediction, 0.0)
        scores = {i: prediction.segments[i - 1].score for i in np.unique(ranked)[1:].tolist()}
        masks = np.array([ranked == i for i in scores]).reshape(-1, *ranked.shape)
        found = [0] * len(scores), list(scores.values())
        self.metric.update(sample.image_id, masks, *found, sample.segment_map, sample.segments)
        self.count(one_map(prediction), sample.segment_map)

    def count(self, ids: np.ndarray, truth: np.ndarray) -> None:
        """One map against another: at most one partner has an IoU above 0.5."""
        (_, found), (_, true) = (np.unique(m, return_inverse=True) for m in (np.append(ids, 0), np.append(truth, 0)))
        shared = np.zeros((found.max() + 1, true.max() + 1), int)
        np.add.at(shared, (found, true), 1)
        union = shared.sum(1)[:, None] + shared.sum(0) - shared
        tp = int((shared / union > 0.5)[1:, 1:].sum())
        self.rows.append((tp, len(shared) - 1 - tp, shared.shape[1] - 1 - tp))

    def summary(self) -> dict[str, float]:
        rows, ap = np.array(self.rows), self.metric.compute()
        tp, fp, fn = rows.sum(0).tolist()
        of_pictures = rows[:, 0] / np.maximum(rows.sum(1), 1)
        return {
            "AP": round(ap.ap, 1), "AP50": round(ap.ap50, 1), "TP": tp, "FP": fp, "FN": fn,
            "TP / (TP + FP + FN)": round(tp / max(tp + fp + fn, 1), 3),
            "mean over pictures": round(float(of_pictures.mean()), 3), "pictures": len(rows),
        }  # fmt: skip


def judge(o: argparse.Namespace) -> None:
    """The held-out pictures through windows, fluorescence and the others apart."""
    model = ofl.from_pretrained(o.model or str(o.out / "model"), device="cpu")
    looked = ofl.Ensemble(model, flip=True) if o.flip else model
    path = o.out / ("scores_flip.json" if o.flip else "scores.json")
    scores, held_out = {}, splits(o.data)[1]
    for name in o.kinds:
        pictures = fluorescence(held_out, name == "fluorescence")
        judged, began = Judged(model.config.categories), time.process_time()
        for sample in tqdm([pictures[i] for i in range(len(pictures))], name, leave=False, dynamic_ncols=True):
            found = ofl.predict(looked, sample.image, "instance", LEAST, windows=True)
            judged.look(found, sample)
        seconds = (time.process_time() - began) / len(pictures)
        scores[name] = judged.summary() | {"seconds a picture": round(seconds, 2)}
        print(name, json.dumps(scores[name]), flush=True)
        path.write_text(json.dumps(scores, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("job", choices=("train", "judge"))
    parser.add_argument("--data", type=Path, default=Path("data/nuclei"))
    parser.add_argument("--out", type=Path, default=Path("runs/nuclei"))
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", help="(default: that of OUT)")
    kinds = ("fluorescence", "others")
    parser.add_argument("--kinds", nargs="+", choices=kinds, default=kinds, help="of pictures that are judged")
    parser.add_argument("--flip", action="store_true", help="a mirrored view besides")
    o = parser.parse_args()
    torch.set_num_threads(1)
    o.out.mkdir(parents=True, exist_ok=True)
    {"train": train, "judge": judge}[o.job](o)


if __name__ == "__main__":
    main()
