"""``oneformer-lite download``: data sets by name."""

from __future__ import annotations

from pathlib import Path

from .arguments import command, positive


def add(commands) -> None:
    p = command(commands, "download", run, "put a data set on disk")
    p.add_argument("dataset", choices=["toytown"], help="Toytown is painted, not downloaded")
    p.add_argument("--root", type=Path, default=Path("data/toytown"), help="folder for it")
    p.add_argument("--size", type=positive(int), default=128, help="side of the pictures in pixels")
    p.add_argument("--scenes", type=positive(int), default=6000, help="to paint for training")


def run(args) -> None:
    """Write a data set in COCO's panoptic layout; what is there already stays."""
    from ..demo import paint

    paint(args.root, args.size, args.scenes)
    print(f"{args.root}: train and val in COCO's panoptic layout")
