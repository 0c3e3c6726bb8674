"""``oneformer-lite train``: a preset on a data set of one's own."""

from __future__ import annotations

from pathlib import Path

from ..data.layouts import find
from ..errors import OneFormerLiteError
from .arguments import DATA, MODEL, command, positive


def add(commands) -> None:
    p = command(commands, "train", run, "train a preset on a data set of one's own")
    p.add_argument("--preset", default="toytown", help="a function of oneformer_lite.config, like coco_r50")
    p.add_argument("--data", type=Path, default=Path("data/toytown"), help=f"folder of {DATA}")
    p.add_argument("--train-split", default="train", help="its name in the layout (COCO: train2017)")
    p.add_argument("--val-split", default="val", help="its name in the layout (COCO: val2017)")
    p.add_argument("--out", type=Path, default=Path("runs/train"), help="folder of the run")
    budget = p.add_mutually_exclusive_group(required=True)
    budget.add_argument("--steps", type=positive(int), help="optimiser steps")
    budget.add_argument("--minutes", type=positive(float), help="minutes of training")
    p.add_argument("--batch-size", type=positive(int), default=8, help="images a step")
    p.add_argument("--lr", type=positive(float), help="peak learning rate (default: the recipe's)")
    start = p.add_mutually_exclusive_group()
    start.add_argument(
        "--start-from", metavar="MODEL", default="auto",
        help=f"start from a trained model of the preset's sizes: {MODEL} (default: toytown where it has them and the "
        "classes are others)",
    )
    start.add_argument(
        "--from-scratch", action="store_true", help="random weights, also in the backbone"
    )
    p.add_argument("--seed", type=int, default=0, help="of weights and batches")
    p.add_argument(
        "--machine", metavar="NAME",
        help="settings for a small machine, gpu_24gb, colab_16gb or cpu; says what they change",
    )
    p.add_argument(
        "--plan", action="store_true", help="only say what it would cost in time, memory and disk, from a few steps"
    )


def run(args) -> None:
    """Train a preset on a folder of panoptic annotations, outlines of objects or label maps, with the recipe of the
    preset's data set (augmentation, schedule, learning rate as published), from a backbone that has learned ImageNet
    unless told otherwise. The same command resumes a stopped run."""
    from dataclasses import replace

    from .. import config

    if args.preset not in config.PRESETS:
        raise OneFormerLiteError(
            f"there is no preset {args.preset!r}; there are {', '.join(config.PRESETS)}"
        )
    find(args.data, args.train_split)  # a wrong path before what takes seconds to import
    if not args.plan:
        find(args.data, args.val_split)
    from .. import training
    from ..data.opening import open as open_dataset

    settings = {
        "data": str(args.data), "train_split": args.train_split, "val_split": args.val_split,
        "out": str(args.out), "steps": args.steps, "minutes": args.minutes,
        "batch_size": args.batch_size, "seed": args.seed,
    }  # fmt: skip
    settings |= {"start_from": None if args.from_scratch else args.start_from}
    settings |= {"lr": args.lr} if args.lr else {}
    categories = open_dataset(args.data, args.train_split).categories
    model_config = config.for_classes(getattr(config, args.preset)(), categories)
    if args.from_scratch:
        model_config = replace(model_config, pretrained=False)
    train_config = training.recipe_for(model_config, **settings)
    if args.machine:
        model_config, train_config = training.for_machine(model_config, train_config, args.machine)
    if args.plan:
        import torch

        from .. import plan

        return print(plan(model_config, train_config, devices=1 if torch.cuda.is_available() else "cpu:1"))
    result = training.train(model_config, train_config)
    state = "finished" if result.finished else "stopped, not finished,"
    print(f"{state} after {result.steps} steps, {result.seconds / 60:.1f} minutes: {result.folder}")
    if not result.finished:
        return print("no model folder is written; the same command resumes the training")
    if result.trouble:
        raise OneFormerLiteError(f"the model will hardly be of use: {result.trouble}")
