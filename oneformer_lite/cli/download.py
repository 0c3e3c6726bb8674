"""``oneformer-lite download``: data sets by name."""

from __future__ import annotations

import argparse
from pathlib import Path

from .arguments import positive


def add(commands) -> None:
    p = commands.add_parser(
        "download", help="put a data set on disk", description="Put a data set on disk, in one of COCO's layouts. "
        "What is there already stays; after an interruption the same command goes on.",
    )  # fmt: skip
    data_sets = p.add_subparsers(title="data sets", required=True, metavar="DATASET")
    _add_toytown(data_sets)
    _add_digits(data_sets)
    _add_coco(data_sets)
    _add_ade20k(data_sets)
    _add_cityscapes(data_sets)


def _data_set(data_sets, name: str, run, help_: str) -> argparse.ArgumentParser:
    p = data_sets.add_parser(
        name, help=help_, description=run.__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    p.add_argument("--root", type=Path, default=Path("data") / name, help="folder for it")
    p.set_defaults(run=run)
    return p


def _add_source(p: argparse.ArgumentParser) -> None:
    p.add_argument("--archives", type=Path, metavar="FOLDER", help="use the archives that lie here, and keep them")
    p.add_argument("--mirror", metavar="URL", help="address where the archives lie by name, not the official one")
    p.add_argument("--connections", type=positive(int), default=4, help="at a time")


def _add_toytown(data_sets) -> None:
    p = _data_set(data_sets, "toytown", run_toytown, "painted on the spot, not downloaded")
    p.add_argument("--size", type=positive(int), default=128, help="side of the pictures in pixels")
    p.add_argument("--scenes", type=positive(int), default=6000, help="to paint for training")
    p.add_argument(
        "--crowded", action="store_true", help="a harder town: crowds of touching things that look alike (--size 256)"
    )


def run_toytown(args) -> None:
    """Paint Toytown's splits train and val."""
    from ..demo import paint

    paint(args.root, args.size, args.scenes, args.crowded)
    print(f"{args.root}: train and val in COCO's panoptic layout")


def _add_digits(data_sets) -> None:
    p = _data_set(data_sets, "digits", run_digits, "scattered digits, made on the spot, not downloaded")
    p.add_argument("--level", choices=("easy", "hard"), default="easy", help="digits apart, or one over the other")
    p.add_argument("--size", type=positive(int), default=64, help="side of the pictures in pixels")
    p.add_argument("--scenes", type=positive(int), default=6000, help="to make for training")
    p.add_argument("--val-scenes", type=positive(int), default=1000, help="to make of held-out digits")
    p.add_argument("--digits", type=Path, metavar="FILE", help="MNIST's as .npz with images and labels "
                   "(default: those that come with scikit-learn)")  # fmt: skip


def run_digits(args) -> None:
    """Write scattered digits' splits train and val: pictures, and an instance file with whole masks."""
    from tqdm.auto import tqdm

    from ..data.digits import Digits, write_digits

    for split, length in (("train", args.scenes), ("val", args.val_scenes)):
        dataset = Digits(split, args.level, args.size, length, file=args.digits)
        with tqdm(total=len(dataset), desc=f"writing {split}", unit="scene", dynamic_ncols=True) as bar:
            write_digits(args.root, dataset, progress=lambda done, _: bar.update(done - bar.n))
    print(f"{args.root}: train and val in COCO's instance layout")


def _add_coco(data_sets) -> None:
    p = _data_set(data_sets, "coco", run_coco, "118,287 + 5000 photographs, 133 classes: 21 GB to fetch (val: 1.7 GB)")
    p.add_argument("--only", choices=["val", "train"], help="this split alone; val also becomes a small data set")
    _add_source(p)


def run_coco(args) -> None:
    """Fetch COCO 2017's pictures and panoptic annotations, verify and unpack them. With --only val the 5000
    pictures of val2017 are also split into val2017-train (4500) and val2017-test (500)."""
    from ..data.published.coco import download_coco

    download_coco(args.root, args.only, args.archives, args.mirror, args.connections)
    splits = {"val": "val2017-train --val-split val2017-test", "train": "train2017"}
    shown = splits.get(args.only, "train2017 --val-split val2017")
    print(f"{args.root} is ready: oneformer-lite train --preset coco_r50 --data {args.root} --train-split {shown} ...")


def _add_ade20k(data_sets) -> None:
    _add_source(_data_set(data_sets, "ade20k", run_ade20k, "20,210 + 2000 pictures, 150 classes: 1.1 GB to fetch"))


def run_ade20k(args) -> None:
    """Fetch ADE20K (scene parsing challenge: ADEChallengeData2016.zip and annotations_instance.tar) and turn it
    into COCO's layouts: panoptic maps, instance masks and label maps, as the official scripts make them."""
    from ..data.published.ade20k import download_ade20k

    download_ade20k(args.root, args.archives, args.mirror, args.connections)
    print(f"{args.root} is ready: oneformer-lite train --preset ade20k_swin_t --data {args.root} ...")


def _add_cityscapes(data_sets) -> None:
    p = _data_set(data_sets, "cityscapes", run_cityscapes, "2975 + 500 streets, 19 classes; needs your account there")
    p.add_argument("--archives", type=Path, metavar="FOLDER", help="where the two archives lie (default: the root)")


def run_cityscapes(args) -> None:
    """Turn Cityscapes' archives gtFine_trainvaltest.zip and leftImg8bit_trainvaltest.zip into COCO's panoptic
    layout, as the official script does. They need a registration at cityscapes-dataset.com, so download them
    yourself; without them the command says how."""
    from ..data.published.cityscapes import prepare_cityscapes

    prepare_cityscapes(args.root, args.archives)
    print(f"{args.root} is ready: oneformer-lite train --preset cityscapes_swin_l --data {args.root} ...")
