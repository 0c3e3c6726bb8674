"""A run's folder as a training leaves it, written in no time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import oneformer_lite as ofl
from oneformer_lite.render import prediction_sheet
from oneformer_lite.training import toytown_training
from oneformer_lite.training.log import Log
from oneformer_lite.training.state import write_recipe, write_state

COLUMNS = ["annotation", "panoptic", "instance", "semantic"]


def write_run(folder: Path, steps: int = 40, logged: int = 40, state: str = "finished", reason: str = "") -> ofl.Run:
    """Steps 1, 2, ... ``logged`` of ``steps``, with an evaluation and pictures at every tenth."""
    write_recipe(ofl.config.toytown(), toytown_training(out=str(folder), steps=steps), "cpu:1")
    write_state(folder, state, reason)
    write_steps(Log(folder), range(1, logged + 1))
    return ofl.Run(folder)


def write_steps(log: Log, steps: range) -> None:
    """A step takes half a second; the losses fall as 1 / step."""
    for s in steps:
        layers = {name: [k / s, (k + 1) / s, (k + 2) / s] for k, name in enumerate(("class", "mask", "dice"), 1)}
        losses = {name: k / s for k, name in enumerate(("class", "mask", "dice", "contrastive", "total"), 1)}
        measured = {"images_per_second": 16.0 + s, "memory_mb": 900 + 10 * s}
        log.write("train", s, s / 2, lr=1e-3 / s, **losses, by_layer=layers, **measured)
        if s % 10 == 0:
            log.write("eval", s, s / 2, images=4, PQ=float(s), AP=s / 2, mIoU=None)
            write_sheet(log.path.parent, s)


def write_sheet(folder: Path, step: int) -> None:
    """Pictures whose red is the step."""
    picture = np.full((24, 32, 3), (step, 0, 0), np.uint8)
    (folder / "pictures").mkdir(exist_ok=True)
    (folder / f"pictures/step_{step:07d}.webp").write_bytes(prediction_sheet([[picture] * 4], COLUMNS))
