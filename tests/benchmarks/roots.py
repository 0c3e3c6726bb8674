"""What came before OneFormer, trained side by side: Seq2Seg, U-Net, and both with object queries.

    python tests/benchmarks/roots.py digits easy hard --minutes 10 --digits mnist.npz
    python tests/benchmarks/roots.py semantic toytown camvid --minutes 10 --camvid FOLDER
    python tests/benchmarks/roots.py panoptic --minutes 10
    python tests/benchmarks/roots.py losses easy --steps 2000
    python tests/benchmarks/roots.py show

Each run is one line in ``--out``/results.jsonl; a run that is there already is left out, one that was stopped is
resumed. ``--models`` chooses among the models of an experiment, ``--seeds`` repeats each. ``show`` prints all that is
there as tables and draws the comparison of losses.

digits: which query finds which digit, on 1000 scenes of held-out digits (``ofl.evaluation.evaluate_masks``), and AP.
semantic: pixel accuracy, mIoU and mean dice, after equal minutes. panoptic: PQ on Toytown, and redundant detections.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import mean

import oneformer_lite as ofl
from oneformer_lite.config import BaseConfig
from oneformer_lite.data import SegmentationDataset
from oneformer_lite.evaluation import evaluate_masks
from oneformer_lite.model import MaskModel
from oneformer_lite.training import TrainConfig, train

CAMVID = ofl.config.camvid().class_names
HELD_OUT = 1000  # digit scenes
SHORT = {"lr": 2e-3, "clip_norm": 1.0, "ema_decay": 0.995, "warmup_steps": 50, "batch_size": 16}
STREETS = {"lr": 1e-3, "batch_size": 6, "augmentation": "flip"}
REPORT = {"lr": 1e-4, "weight_decay": 0.0, "final_lr": 1.0, "warmup_steps": 0, "batch_size": 64}  # Adam, a steady rate
SHOWN = {
    "digits": ("accuracy", "dice_loss", "dice", "counted", "redundant", "AP"),
    "semantic": ("pixel_accuracy", "mIoU", "mDice"),
    "panoptic": ("PQ", "SQ", "RQ", "PQ_th", "PQ_st", "redundant", "counted"),
}
SHOWN["losses"] = SHOWN["digits"]

Row = tuple[BaseConfig, dict]  # a model, and how it is trained


def digit_models() -> dict[str, Row]:
    """The report's Seq2Seg with its own losses and rate; then what its wishes lead to, at sizes for two cores."""
    report, unet = ofl.config.query_seq2seg_digits(), ofl.config.hungarian_unet_digits()
    losses = {name: getattr(unet, name) for name in ("class_weight", "mask_weight", "dice_loss", "num_queries")}
    small = {"hidden_dim": 128, "num_heads": 4, "encoder_ffn": 512, "encoder_dropout": 0.0}
    seq2seg = replace(report, **losses, **small)
    fine = {"patch_size": 4, "grid_rows": 16, "grid_columns": 16}  # as fine as its masks
    channels = replace(unet, masks="channels", transformer_layers=0)
    decoder = replace(unet, masks="decoder", transformer_layers=0, empty_weight=1.0)
    wide = {"transformer_layers": 4, "hidden_dim": 192, "num_heads": 6, "ffn": 768}
    return {
        "Seq2Seg of the report": (report, REPORT),
        "Seq2Seg, whole masks": (seq2seg, {}),
        "Seq2Seg, attention as masks": (replace(seq2seg, masks="attention", **fine), {}),
        "Seq2Seg, products as masks": (replace(seq2seg, masks="product"), {}),
        "U-Net, a channel a query": (channels, {}),
        "U-Net, transformer, a channel a query": (replace(channels, transformer_layers=3), {}),
        "U-Net, transformer, products": (unet, {}),
        "U-Net, wide transformer, products": (replace(unet, **wide), {"lr": 1e-3}),
        "U-Net, masked decoder": (replace(decoder, empty_weight=0.0), {"lr": 1e-3}),
        "U-Net, masked decoder, empty masks": (decoder, {"lr": 1e-3}),
        "U-Net, transformer, masked decoder, empty masks": (replace(decoder, transformer_layers=3), {"lr": 1e-3}),
    }


def semantic_models() -> dict[str, Row]:
    """At sizes that two cores train in minutes; the rates are those of the comparison on Cityscapes, tenfold for
    Seq2Seg, whose layers are narrower here."""
    seq2seg, unet = ofl.config.seq2seg_toytown(), ofl.config.unet_toytown()
    return {
        "Seq2Seg": (seq2seg, STREETS),
        "Seq2Seg, last state": (replace(seq2seg, hidden_states="last"), STREETS | {"lr": 5e-4}),
        "U-Net": (unet, STREETS),
    }


def panoptic_models() -> dict[str, Row]:
    """The Hungarian U-Net without and with transformer layers, and with queries as tokens."""
    tokens = ofl.config.hungarian_unet_toytown()
    transformer = replace(tokens, masks="channels")
    return {
        "U-Net, a channel a query": (replace(transformer, transformer_layers=0), STREETS),
        "U-Net, transformer, a channel a query": (transformer, STREETS),
        "U-Net, transformer, products": (tokens, STREETS),
    }


def loss_models() -> dict[str, Row]:
    """The last model of the digits, one loss after the other; the first is what the others are compared with."""
    config, settings = digit_models()["U-Net, transformer, products"]
    losses = {
        "BCE + dice, squared": {},
        "BCE": {"dice_weight": 0.0},
        "focal": {"mask_loss": "focal", "mask_weight": 20.0, "dice_weight": 0.0},  # as MaskFormer weighs it
        "dice, squared": {"mask_weight": 0.0},
        "dice, plain": {"mask_weight": 0.0, "dice_loss": "plain"},
        "BCE + dice, plain": {"dice_loss": "plain"},
        "class 0.1": {"class_weight": 0.1},
        "class 4": {"class_weight": 4.0},
        "no object 0.1": {"no_object_weight": 0.1},
        "no object 1": {"no_object_weight": 1.0},
    }
    return {name: (replace(config, **changes), settings) for name, changes in losses.items()}


MODELS = {"digits": digit_models, "semantic": semantic_models, "panoptic": panoptic_models, "losses": loss_models}
DATA = {"digits": ("easy", "hard"), "semantic": ("toytown", "camvid"), "panoptic": ("toytown",),
        "losses": ("easy", "hard")}  # fmt: skip


def splits(name: str, options: argparse.Namespace) -> tuple[SegmentationDataset, SegmentationDataset]:
    """To train on, and to be judged on."""
    if name == "camvid":
        return tuple(
            ofl.data.SemanticDataset(options.camvid / "images" / split, options.camvid / "labels" / split, CAMVID)
            for split in ("train", "test")
        )
    if name == "toytown":
        return ofl.data.Toytown("train", 128, seed=0), ofl.data.Toytown("val", 128, length=options.scenes or 200)
    digits, held_out = {"level": name, "file": options.digits}, options.scenes or HELD_OUT
    return ofl.data.Digits("train", vary=True, **digits), ofl.data.Digits("val", length=held_out, **digits)


def judge(experiment: str, model: MaskModel, val: SegmentationDataset) -> dict[str, float]:
    """The scores of :data:`SHOWN`."""
    if experiment == "semantic":
        return dict(ofl.evaluate(model, val, "semantic"))
    task = "panoptic" if experiment == "panoptic" else "instance"
    return dict(ofl.evaluate(model, val, task)) | asdict(evaluate_masks(model, val, task))


def run(experiment: str, data: str, name: str, row: Row, seed: int, options: argparse.Namespace) -> dict:
    """Train one model, judge it: a line of the results."""
    config, settings = row
    train_data, val = splits(data, options)
    config = ofl.config.for_classes(config, train_data.categories)
    if data == "camvid":  # square crops of pictures at all scales, judged at the crop's height
        config, settings = replace(config, test_size=config.image_size), settings | {"augmentation": "ade20k"}
    folder = options.out / "-".join((experiment, data, name, str(seed))).replace(" ", "_").replace(",", "")
    if options.batch_size:
        settings = settings | {"batch_size": options.batch_size}
    plan = TrainConfig(
        out=str(folder), steps=options.steps, minutes=options.minutes, seed=seed, evaluations=0, start_from=None,
        **({"augmentation": "fit"} | SHORT | settings),
    )  # fmt: skip
    result = train(config, plan, train_data)
    begun = time.perf_counter()
    scores = judge(experiment, result.model, val)
    parameters = sum(p.numel() for p in result.model.parameters())
    return {
        "experiment": experiment, "data": data, "model": name, "seed": seed, "parameters": parameters,
        "steps": result.steps, "batch": plan.batch_size, "minutes": round(result.seconds / 60, 2),
        "judged_in": round(time.perf_counter() - begun, 1), "finished": result.finished,
        **{key: round(float(scores[key]), 4) for key in SHOWN[experiment]},
    }  # fmt: skip


def lines(path: Path) -> list[dict]:
    """The results that are there."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def measure(experiment: str, options: argparse.Namespace) -> None:
    """All runs of an experiment that are not there yet."""
    path = options.out / "results.jsonl"
    models = MODELS[experiment]()
    for data in options.data or DATA[experiment]:
        for name in options.models or models:
            for seed in range(options.seeds):
                key = {"experiment": experiment, "data": data, "model": name, "seed": seed}
                if any(key.items() <= line.items() for line in lines(path)):
                    continue
                line = run(experiment, data, name, models[name], seed, options)
                print(json.dumps(line), flush=True)
                if not line["finished"]:
                    return
                with path.open("a") as file:
                    file.write(json.dumps(line) + "\n")


def show(options: argparse.Namespace) -> None:
    """One table an experiment and data set; the comparison of losses as a figure beside the results."""
    results = lines(options.out / "results.jsonl")
    for experiment, data in dict.fromkeys((line["experiment"], line["data"]) for line in results):
        chosen = [line for line in results if (line["experiment"], line["data"]) == (experiment, data)]
        columns = ("parameters", "steps", "batch", "minutes", *SHOWN[experiment])
        print(f"\n{experiment}, {data}\n\n| model | {' | '.join(columns)} |\n|{'---|' * (1 + len(columns))}")
        for name, group in grouped(chosen).items():
            print(f"| {name} | {' | '.join(spread([line[column] for line in group]) for column in columns)} |")
    if losses := [line for line in results if line["experiment"] == "losses"]:
        draw(losses, options.out / "losses.png")


def grouped(results: Sequence[dict]) -> dict[str, list[dict]]:
    """By model."""
    return {name: [line for line in results if line["model"] == name] for name in dict.fromkeys(
        line["model"] for line in results)}  # fmt: skip


def spread(values: Sequence[float]) -> str:
    """The mean of all seeds, with lowest and highest where they differ."""
    text = f"{mean(values):.4g}"
    return text if min(values) == max(values) else f"{text} ({min(values):.4g} to {max(values):.4g})"


def draw(results: Sequence[dict], path: Path) -> None:
    """Accuracy and dice loss of each loss, a point a seed, over the mean."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    groups = grouped(results)
    figure, axes = plt.subplots(1, 2, figsize=(10, 0.4 * len(groups) + 1.2), sharey=True, layout="constrained")
    for axis, score, words in zip(axes, ("accuracy", "dice_loss"), ("accuracy, %", "dice loss")):
        for place, group in enumerate(groups.values()):
            values = [line[score] for line in group]
            axis.barh(place, mean(values), color="#56B4E9")
            axis.plot(values, [place] * len(values), "k.", ms=6)
        axis.set_xlabel(words)
    axes[0].set_yticks(range(len(groups)), list(groups))
    axes[0].invert_yaxis()
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("experiment", choices=(*MODELS, "show"))
    parser.add_argument("data", nargs="*", help="easy, hard, toytown or camvid (default: all of the experiment)")
    parser.add_argument("--models", nargs="+", help="of the experiment (default: all)")
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--minutes", type=float)
    budget.add_argument("--steps", type=int)
    parser.add_argument("--batch-size", type=int, help="instead of the model's own")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--digits", type=Path, help="MNIST's as .npz (default: scikit-learn's)")
    parser.add_argument("--scenes", type=int, help="held out, to judge on (default: 1000 of digits, 200 of Toytown)")
    parser.add_argument("--camvid", type=Path, help="folder of images/ and labels/")
    parser.add_argument("--out", type=Path, default=Path("runs/roots"))
    options = parser.parse_args()
    if options.experiment == "show":
        return show(options)
    if not (options.minutes or options.steps):
        parser.error("give --minutes or --steps")
    options.out.mkdir(parents=True, exist_ok=True)
    measure(options.experiment, options)


if __name__ == "__main__":
    main()
