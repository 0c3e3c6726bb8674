"""What ``predict`` and ``eval`` share: one model or several, from how many views, through which windows."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .arguments import DEVICES, MODEL, positive

if TYPE_CHECKING:
    from ..inference import Ensemble
    from ..model import MaskModel


def models_and_views(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--model", action="append", metavar="MODEL",
        help=f"{MODEL}; given several times, their answers are averaged (default: toytown)",
    )  # fmt: skip
    parser.add_argument("--flip", action="store_true", help="look at each picture a second time, as in a mirror")
    parser.add_argument(
        "--scales", type=positive(float), nargs="+", default=[1.0], metavar="X",
        help="look at each picture once at each of these multiples of the usual size",
    )  # fmt: skip
    parser.add_argument(
        "--windows", nargs="?", const=True, default=False, type=positive(int), metavar="PIXELS",
        help="look at large pictures part by part, parts of so many pixels a side (no number: as many as the model "
        "looks at otherwise, or, if its configuration has objects_across, as fit the picture's objects), and join what "
        "is found",
    )  # fmt: skip
    parser.add_argument("--device", default="auto", help=DEVICES)


def loaded(args: argparse.Namespace) -> MaskModel | Ensemble:
    """The model, or the ensemble that was asked for."""
    from ..inference import Ensemble
    from ..weights import from_pretrained

    models = [from_pretrained(name, device=args.device) for name in args.model or ["toytown"]]
    if len(models) == 1 and not args.flip and args.scales == [1.0]:
        return models[0]
    return Ensemble(models, flip=args.flip, scales=args.scales)


def said(names: list[str] | None) -> str | list[str]:
    """The models for a record: the name of one, a list of several."""
    names = names or ["toytown"]
    return names[0] if len(names) == 1 else names
