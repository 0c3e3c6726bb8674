"""Does a start from the model that comes with the package help on data that look nothing like Toytown?

    python tests/benchmarks/start_on_own_data.py camvid --data FOLDER [--steps 300] [--seed 0]
    python tests/benchmarks/start_on_own_data.py nuclei --data FOLDER

FOLDER holds ``images/{train,val}`` and ``labels/{train,val}`` (CamVid: 11 classes, 255 = void), or ``images`` and
``instances`` (nuclei: a number for each, 0 = background). The same recipe, pictures and seed run twice: with
``start_from="auto"``, and with ``start_from=None``, where the backbone alone has learned something (ImageNet).
"""

import argparse
import dataclasses
import tempfile
import warnings
from pathlib import Path

import oneformer_lite as ofl
from oneformer_lite.training import toytown_training

SIDE = 256  # of the nuclei's pictures that are used: the most frequent size


def camvid(folder: Path) -> tuple:
    """Label maps: the splits for training and for judging."""
    return tuple(
        ofl.data.SemanticDataset(folder / "images" / split, folder / "labels" / split, ofl.config.camvid().class_names)
        for split in ("train", "val")
    )


def nuclei(folder: Path) -> tuple:
    """Objects alone; every fifth picture is judged."""
    every = ofl.data.InstanceMapDataset(folder / "images", folder / "instances", "nucleus")
    samples = [sample for i in range(len(every)) if (sample := every[i]).size == (SIDE, SIDE)]
    return [s for i, s in enumerate(samples) if i % 5], samples[::5]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", choices=("camvid", "nuclei"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--starts", nargs="+", choices=("auto", "none"), default=("auto", "none"))
    options = parser.parse_args()

    train, val = {"camvid": camvid, "nuclei": nuclei}[options.name](options.data)
    config = dataclasses.replace(ofl.config.toytown(), num_queries=64)
    config = ofl.config.for_classes(config, val[0].categories)
    for start in (None if name == "none" else name for name in options.starts):
        with tempfile.TemporaryDirectory() as out, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            recipe = toytown_training(
                out=out, steps=options.steps, seed=options.seed, augmentation="coco", evaluations=0, workers=0,
                start_from=start,
            )
            result = ofl.train(config, recipe, train)
            scores = ofl.evaluate(result.model, val, tasks=val[0].tasks)
        shown = ", ".join(f"{name} {value:.1f}" for name, value in scores.items())
        print(f"start_from={start!r}: {result.steps} steps in {result.seconds:.0f} s: {shown}", flush=True)


if __name__ == "__main__":
    main()
