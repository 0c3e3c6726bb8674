"""``oneformer-lite doctor``: is everything there, and what is wrong with a model, a data set or a run?"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..data.layouts import find
from ..errors import DataError, OneFormerLiteError
from .arguments import DATA, MODEL, command, positive


def add(commands) -> None:
    p = command(commands, "doctor", run, "check the installation, a model, a data set or a run")
    p.add_argument("--model", help=f"model to examine: {MODEL}")
    p.add_argument("--data", type=Path, help=f"data set to examine: folder of {DATA}")
    p.add_argument("--split", default="train", help="its name in the layout (COCO: train2017)")
    p.add_argument("--run", type=Path, dest="folder", metavar="FOLDER", help="run to examine: its out folder")
    p.add_argument("--images", type=positive(int), default=16, help="samples of the data set to look at")
    p.add_argument("--html", type=Path, metavar="FILE", help="write the findings with pictures as a page as well")


def run(args) -> None:
    """Without arguments: check what the package needs (Python, packages, disk, processors), then let the model that
    comes with the package segment one scene. With a model, a data set, both, or a run: look for what makes
    training fail, such as shifted or empty targets, class ids that are off, losses at zero and why, parameters
    without gradient. Exits with status 2 if something is wrong."""
    if args.model or args.data or args.folder:
        _examine(args)
        return
    from ..installation import examine

    complete = True
    with _until_nobody_reads():
        complete = examine()
    if not complete:
        raise OneFormerLiteError("something is missing: see the lines marked with a cross")


def _examine(args) -> None:
    if args.data:
        find(args.data, args.split)
    if args.folder and not args.folder.exists():
        raise DataError(f"{args.folder} does not exist: --run takes the folder that a run writes to (its out)")
    from ..data.opening import open as open_dataset
    from ..diagnosis import doctor
    from ..files import replacing
    from ..weights import from_pretrained

    model = from_pretrained(args.model) if args.model else None
    dataset = open_dataset(args.data, args.split) if args.data else None
    diagnosis = doctor(model, dataset, run=args.folder, images=args.images)
    if args.html:
        with replacing(args.html) as draft:
            draft.write_text(diagnosis.to_html(), encoding="utf-8")
    with _until_nobody_reads():
        print(diagnosis)
        if args.html:
            print(f"\nwith pictures: {args.html}")
    if not diagnosis.healthy:
        raise OneFormerLiteError(f"{diagnosis.summary()}: see the lines marked with a cross")


@contextmanager
def _until_nobody_reads() -> Iterator[None]:
    """For ``doctor ... | head``: what is printed after the reader has left goes nowhere, without a traceback."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more when it ends
