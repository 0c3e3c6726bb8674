"""What more steps give in lesson 21: its training on the eight pictures of the sample, three times as long.

    python tests/benchmarks/nuclei_sample.py            # to data/sample/nuclei: log, scores, and what was found

The four other pictures are judged, whole and through windows of 360 pixels.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import oneformer_lite as ofl
from oneformer_lite.training import nuclei_training

KEPT, WINDOW = 10, 360  # every so many records; pixels a side


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sample", type=Path, default=Path("data/sample/nuclei"))
    parser.add_argument("--steps", type=int, default=240)
    o = parser.parse_args()
    torch.set_num_threads(1)
    train, val = (
        ofl.data.InstanceMapDataset(o.sample / "images" / split, o.sample / "instances" / split, "nucleus")
        for split in ("train", "val")
    )
    plain = {"stretch": False, "objects_across": None, "duplicate_iou": None}
    config = replace(ofl.config.nuclei(), image_size=160, test_size=160, num_queries=100, **plain)
    recipe = nuclei_training(
        out=tempfile.mkdtemp(), steps=o.steps, batch_size=2, lr=1e-3, augmentation="flip", warmup_steps=10,
        backbone_lr_multiplier=0.1, ema_decay=0.95, evaluations=0, log_steps=1, workers=0,
    )  # fmt: skip
    result = ofl.train(config, recipe, train)
    kept = [
        {name: record[name] for name in ("step", "class", "mask", "dice")}
        for record in result.history
        if record["kind"] == "train" and record["step"] % KEPT == 0
    ]
    (o.sample / "longer.jsonl").write_text("".join(json.dumps(record) + "\n" for record in kept))
    scores = {}
    for name, windows in (("whole", False), ("in windows", WINDOW)):
        metrics = ofl.evaluate(result.model, val, "instance", windows=windows)
        scores[name] = {score: round(metrics[score], 1) for score in ("AP", "AP50", "AP75")}
    (o.sample / "scores.json").write_text(json.dumps(scores, indent=1) + "\n")
    (o.sample / "predicted").mkdir(exist_ok=True)
    for i in range(len(val)):
        prediction = ofl.predict(result.model, val[i].image, "instance", windows=WINDOW)
        ids = np.zeros(prediction.image.shape[:2], np.uint16)
        for number, segment in reversed(list(enumerate(prediction.segments, start=1))):
            ids[segment.mask] = number  # a pixel goes to the surest
        Image.fromarray(ids).save(o.sample / "predicted" / val[i].file_name, optimize=True)
    print(json.dumps(scores))


if __name__ == "__main__":
    main()
