"""Does denoising make matching steady? How many masks find another query, step by step, with and without it.

    python tests/benchmarks/stability.py --out runs/stability.json      # Mask DINO, as lesson 17 has it; resumes
    python tests/benchmarks/stability.py --member mask2former --field denoising_queries --values 0 30

Small models on 64 x 64 scenes of Toytown, at a constant rate after ten steps; scenes, order and first weights are the
same for both values of the field. After each step the queries of eight of the scenes are matched
(``ofl.losses.matched_queries``), and compared with those of one step and of ten steps before. Written are means over
ten steps. ``data/sample/stability.json`` is what the first command wrote, for lesson 17.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import oneformer_lite as ofl
from oneformer_lite.config import BaseConfig
from oneformer_lite.files import replacing
from oneformer_lite.losses import Criterion, changed_share, matched_queries

SIDE, SCENES, WATCHED, BATCH, WARM_UP, LR, WINDOW = 64, 256, 8, 4, 10, 1e-3, 10
LAGS = (1, 10)
SIZES = {  # of those that a member has
    "image_size": SIDE, "test_size": SIDE, "hidden_dim": 64, "num_points": 256, "two_stage": False,
    "encoder_layers": 1, "decoder_layers": 3,
}  # fmt: skip


def config_of(member: str, **fields) -> BaseConfig:
    preset = getattr(ofl.config, "toytown" if member == "oneformer" else f"{member}_toytown")()
    return replace(preset, **{name: value for name, value in SIZES.items() if hasattr(preset, name)} | fields)


def run(config: BaseConfig, seed: int, steps: int) -> dict:
    """One training: the shares of masks with another query, by lag, and the dice loss of the last prediction."""
    scenes = [ofl.data.Toytown("train", SIDE)[i] for i in range(SCENES)]
    watched = ofl.data.collate([(scene, "panoptic") for scene in scenes[:WATCHED]])
    torch.manual_seed(seed)
    rng, model = np.random.default_rng(seed), ofl.model.build(config).train()
    criterion, optimiser = Criterion(model.config), torch.optim.AdamW(model.parameters(), LR, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1.0, (step + 1) / WARM_UP))
    found, dice = [matched_queries(model, watched)], []
    for _ in range(steps):
        batch = ofl.data.collate([(scenes[i], "panoptic") for i in rng.choice(SCENES, BATCH, replace=False)])
        loss = criterion(model.learn(batch), batch.targets)["total"]
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimiser.step()
        schedule.step()
        dice.append(float(criterion.by_prediction["dice"][-1]))
        found.append(matched_queries(model, watched))
    changed = {str(lag): windows([changed_share(a, b) for a, b in zip(found, found[lag:])]) for lag in LAGS}
    return {"seed": seed, "changed": changed, "dice": windows(dice)}


def windows(values: list[float]) -> list[float]:
    """Means over :data:`WINDOW` values each; what does not fill one is left out."""
    whole = len(values) // WINDOW * WINDOW
    return np.array(values[:whole]).reshape(-1, WINDOW).mean(1).round(4).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--member", default="mask_dino")
    parser.add_argument("--field", default="denoising_queries", help="the switch whose values are compared")
    parser.add_argument("--values", type=json.loads, nargs="+", default=[0, 30])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--out", type=Path, default=Path("runs/stability.json"))
    o = parser.parse_args()
    torch.set_num_threads(1)
    o.out.parent.mkdir(parents=True, exist_ok=True)
    about = {"member": o.member, "field": o.field, "steps": o.steps, "scenes": SCENES, "watched": WATCHED}
    runs = json.loads(o.out.read_text())["runs"] if o.out.exists() else []
    for seed in range(o.seeds):
        for value in o.values:
            if any(r["seed"] == seed and r[o.field] == value for r in runs):
                continue
            runs.append({o.field: value, **run(config_of(o.member, **{o.field: value}), seed, o.steps)})
            with replacing(o.out) as path:
                path.write_text(json.dumps({"about": about, "runs": runs}) + "\n")
            shares = {lag: round(float(np.mean(shares)), 3) for lag, shares in runs[-1]["changed"].items()}
            print(json.dumps({"seed": seed, o.field: value, **shares, "dice": runs[-1]["dice"][-1]}), flush=True)


if __name__ == "__main__":
    main()
