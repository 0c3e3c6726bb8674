"""The command line: ``oneformer-lite demo | train | eval | predict | download | convert | doctor``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .errors import OneFormerLiteError

TASKS = ("panoptic", "instance", "semantic")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; errors a user can act on are one sentence on stderr and exit status 2."""
    args = build_parser().parse_args(arguments)
    try:
        args.run(args)
    except OneFormerLiteError as error:
        print(f"oneformer-lite: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("oneformer-lite: interrupted", file=sys.stderr)
        return 130
    return 0


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="oneformer-lite",
        description="OneFormer: one model for panoptic, instance and semantic segmentation.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in (_demo, _train, _eval, _predict, _download, _convert, _doctor):
        add(commands)
    return parser


def _command(commands, name: str, run, help_: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name, help=help_, description=run.__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.set_defaults(run=run)
    return parser


def _positive(kind):
    def parse(text: str):
        value = kind(text)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"expected a positive number, got {text}")
        return value

    return parse


def _demo(commands) -> None:
    p = _command(commands, "demo", run_demo, "paint Toytown, train for some minutes, write a report")
    p.add_argument("--minutes", type=_positive(float), default=10, help="of training")
    p.add_argument("--steps", type=_positive(int), help="of training, instead of minutes")
    p.add_argument("--seed", type=int, default=0, help="of weights and batches")
    p.add_argument("--out", type=Path, default=Path("runs/demo"), help="folder for data, model, log and report")
    p.add_argument("--scenes", type=_positive(int), default=6000, help="to paint for training")


def run_demo(args) -> None:
    """Paint Toytown, train the laptop model, judge all three tasks on held-out scenes and write a report
    with pictures. Ctrl-C keeps what there is; the same command goes on from there."""
    from .demo import run_demo

    run_demo(args.minutes, args.seed, args.out, args.scenes, args.steps)


def _train(commands) -> None:
    p = _command(commands, "train", run_train, "train a preset on a data set in COCO's panoptic layout")
    p.add_argument("--preset", default="toytown", help="a function of oneformer_lite.config, like coco_r50")
    p.add_argument("--data", type=Path, default=Path("data/toytown"), help="folder in COCO's panoptic layout")
    p.add_argument("--train-split", default="train", help="its name in the layout (COCO: train2017)")
    p.add_argument("--val-split", default="val", help="its name in the layout (COCO: val2017)")
    p.add_argument("--out", type=Path, default=Path("runs/train"), help="folder of the run")
    budget = p.add_mutually_exclusive_group(required=True)
    budget.add_argument("--steps", type=_positive(int), help="optimiser steps")
    budget.add_argument("--minutes", type=_positive(float), help="minutes of training")
    p.add_argument("--batch-size", type=_positive(int), default=8, help="images a step")
    p.add_argument("--lr", type=_positive(float), help="peak learning rate (default: the recipe's)")
    p.add_argument("--seed", type=int, default=0, help="of weights and batches")


def run_train(args) -> None:
    """Train a preset on a folder in COCO's panoptic layout. The same command resumes a stopped run."""
    from . import config
    from .training import TrainConfig, toytown_training, train
    from .training.loader import open_split

    preset = getattr(config, args.preset, None)
    if args.preset.startswith("_") or not callable(preset):
        raise OneFormerLiteError(f"there is no preset {args.preset!r} in oneformer_lite.config")
    settings = {
        "data": str(args.data), "train_split": args.train_split, "val_split": args.val_split,
        "out": str(args.out), "steps": args.steps, "minutes": args.minutes,
        "batch_size": args.batch_size, "seed": args.seed,
    }  # fmt: skip
    settings |= {"lr": args.lr} if args.lr else {}
    recipe = toytown_training if args.preset == "toytown" else TrainConfig
    categories = open_split(args.data, args.train_split).categories
    result = train(config.for_classes(preset(), categories), recipe(**settings))
    state = "finished" if result.finished else "stopped; the same command goes on"
    print(f"{state} after {result.steps} steps, {result.seconds / 60:.1f} minutes: {result.folder}")


def _eval(commands) -> None:
    p = _command(commands, "eval", run_eval, "PQ, AP and mIoU of a model")
    p.add_argument("--model", default="toytown", help="a name that comes with the package, or a model folder")
    p.add_argument("--data", type=Path, help="folder in COCO's panoptic layout (default: Toytown, painted now)")
    p.add_argument("--split", default="val", help="its name in the layout (COCO: val2017)")
    p.add_argument("--scenes", type=_positive(int), default=200, help="of Toytown, where no data is given")
    p.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS), help="to judge")
    p.add_argument("--json", type=Path, help="file to write the metrics to as well")
    p.add_argument(
        "--results", type=Path, metavar="FOLDER",
        help="write the predictions in COCO's results formats, with the category ids of the annotation file: "
        "panoptic/ (PNGs) and panoptic.json, instances.json, semantic/ (grey PNGs of category ids)",
    )  # fmt: skip


def run_eval(args) -> None:
    """Judge a model on a data set: PQ under the panoptic token, AP under instance, mIoU under semantic."""
    from tqdm import tqdm

    from .data.toytown import Toytown
    from .evaluation import evaluate
    from .files import write_json
    from .training.loader import open_split
    from .weights import from_pretrained

    model = from_pretrained(args.model)
    if args.data:
        dataset = open_split(args.data, args.split)
    else:
        dataset = Toytown(args.split, model.config.image_size, args.scenes)
    with tqdm(total=len(dataset), desc="evaluating", unit="image") as bar:
        metrics = evaluate(
            model, dataset, args.tasks, results=args.results, progress=lambda done, _: bar.update(done - bar.n)
        )
    for name, value in metrics.items():
        print(f"{name:<16}{value:6.1f}")
    if args.json:
        rounded = {name: round(value, 2) for name, value in metrics.items()}
        write_json(args.json, {"scenes": len(dataset), **rounded}, indent=2)
    if args.results:
        print(f"predictions of {', '.join(args.tasks)} in {args.results}")


def _predict(commands) -> None:
    p = _command(commands, "predict", run_predict, "segment pictures")
    p.add_argument("pictures", nargs="+", type=Path, metavar="PICTURE")
    p.add_argument("--task", choices=TASKS, default="panoptic", help="what to look for")
    p.add_argument("--model", default="toytown", help="a name that comes with the package, or a model folder")
    p.add_argument("--out", type=Path, default=Path("."), help="folder for the pictures")


def run_predict(args) -> None:
    """Segment pictures for one task; writes NAME_TASK.png and lists the segments."""
    from .files import make_folder
    from .inference import predict
    from .weights import from_pretrained

    model = from_pretrained(args.model)
    make_folder(args.out)
    for path in args.pictures:
        prediction = predict(model, path, args.task)
        target = prediction.save(args.out / f"{path.stem}_{args.task}.png")
        print(f"{path} -> {target}: {len(prediction.segments)} segments")
        for s in prediction.segments:
            print(f"  {s.class_name:<16} score {s.score:.2f}  {s.area} pixels")


def _download(commands) -> None:
    p = _command(commands, "download", run_download, "put a data set on disk")
    p.add_argument("dataset", choices=["toytown"], help="Toytown is painted, not downloaded")
    p.add_argument("--root", type=Path, default=Path("data/toytown"), help="folder for it")
    p.add_argument("--size", type=_positive(int), default=128, help="side of the pictures in pixels")
    p.add_argument("--scenes", type=_positive(int), default=6000, help="to paint for training")


def run_download(args) -> None:
    """Write a data set in COCO's panoptic layout; what is there already stays."""
    from .demo import paint

    paint(args.root, args.size, args.scenes)
    print(f"{args.root}: train and val in COCO's panoptic layout")


def _convert(commands) -> None:
    p = _command(commands, "convert", run_convert, "rewrite a model: official, transformers' or ours")
    p.add_argument("source", help="a name that comes with the package, a folder, a weights file, or a hub id")
    p.add_argument("target", type=Path, help="folder to write")
    p.add_argument("--half", action="store_true", help="store the weights in float16")
    p.add_argument("--to", choices=["ours", "huggingface"], default="ours", help="layout of the folder")


def run_convert(args) -> None:
    """Read a model from anywhere and write it as a folder of ours (config.json, model.safetensors), or one that
    transformers' OneFormerForUniversalSegmentation reads (preprocessor_config.json besides)."""
    import torch

    from .weights import from_pretrained, save_huggingface, save_pretrained

    model = from_pretrained(args.source)
    save = save_huggingface if args.to == "huggingface" else save_pretrained
    folder = save(model, args.target, torch.float16 if args.half else None)
    size = (folder / "model.safetensors").stat().st_size
    print(f"{folder}: {size / 1e6:.1f} MB")


def _doctor(commands) -> None:
    _command(commands, "doctor", run_doctor, "check the installation")


def run_doctor(args) -> None:
    """Check what the package needs: Python, packages, disk, processors. Then let the model that comes with
    the package segment one scene. Exits with status 2 if something is missing."""
    from .doctor import examine

    if not examine():
        raise OneFormerLiteError("something is missing: see the lines marked with a cross")


if __name__ == "__main__":
    sys.exit(main())
