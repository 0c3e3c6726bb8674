"""``oneformer-lite predict``: segment pictures."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..listing import few
from ..notices import warn_user
from .arguments import PICTURES, TASKS, command, json_file, share
from .models import loaded, models_and_views, said

if TYPE_CHECKING:
    import numpy as np

    from ..inference import Ensemble
    from ..model import MaskModel


def add(commands) -> None:
    p = command(commands, "predict", run, "segment pictures")
    p.add_argument("pictures", nargs="+", type=Path, metavar="PICTURE", help="files, and folders of pictures")
    p.add_argument("--task", choices=TASKS, default="panoptic", help="what to look for")
    models_and_views(p)
    p.add_argument(
        "--out", type=Path, default=Path("."), help="folder for the results, or for that of one picture its file"
    )
    p.add_argument(
        "--min-score", type=share,
        help="leave out instances below it (default: 0.5), and panoptic segments, if it is above the model's own",
    )  # fmt: skip
    p.add_argument("--json", type=json_file, metavar="FILE", help="write what was found: classes, scores, boxes, masks")
    p.add_argument(
        "--masks", type=Path, metavar="FOLDER",
        help="write the masks: PNGs of segment ids (panoptic), of category ids (semantic), or one for each instance",
    )  # fmt: skip


def run(args) -> None:
    """Segment pictures for one task; writes NAME_TASK.png, or the one file given, and lists the segments. Of a folder,
    all pictures directly in it are taken. All must be there before any is begun; those that cannot be read are left out
    and named, also at the end, and the exit status is 1."""
    from ..files import make_folder

    targets = _targets(args.pictures, args.out, args.task)
    place = args.out.parent if args.out in targets.values() else args.out
    _check_places(args, place, targets)
    for folder in [place, *([args.json.parent] if args.json else []), *([args.masks] if args.masks else [])]:
        make_folder(folder)
    model = loaded(args)
    records, unreadable = [], []
    try:
        for path, pixels in _readable(targets, unreadable):
            records.append(_segment(model, path, pixels, targets[path], args))
    finally:  # what was done is not lost
        if args.json:
            _write(args, records, unreadable)
    if unreadable:
        names = few([entry["file"] for entry in unreadable])
        print(
            f"oneformer-lite: {len(unreadable)} of {len(targets)} pictures could not be read: {names}", file=sys.stderr
        )
        sys.exit(1)


def _check_places(args, place: Path, targets: dict[Path, Path]) -> None:
    """Raises where results or masks would replace what was given, or masks the results in ``place``; says which masks
    of earlier calls lie where those of this one shall be."""
    from ..errors import OneFormerLiteError

    given = {path.resolve(): path for path in targets}
    if lost := next((given[t.resolve()] for t in targets.values() if t.resolve() in given), None):
        raise OneFormerLiteError(
            f"{lost} is a picture to be segmented, and the result of another would be written over it: give the "
            "results another folder (--out)"
        )
    if args.masks:
        _check_masks(args.masks, targets)
    if args.masks and args.task != "instance" and args.masks.resolve() == place.resolve():
        raise OneFormerLiteError(
            f"--masks {args.masks} is the folder of the results (--out), whose pictures have the same names as the "
            "masks and would be lost: give another folder"
        )


def _check_masks(folder: Path, pictures: Iterable[Path]) -> None:
    from ..errors import OneFormerLiteError
    from ..inference.exports import masks_in

    held, names = masks_in(folder), {path.stem for path in pictures}
    own = {path.resolve() for path in pictures}
    if lost := next((path for name in names for path in held.get(name, []) if path.resolve() in own), None):
        raise OneFormerLiteError(
            f"{lost} is a picture to be segmented, and has the name of a mask of another: give the masks another "
            "folder (--masks)"
        )
    if others := held.keys() - names:
        warn_user(
            f"--masks {folder} holds masks of {len(others)} other pictures, of earlier calls, which stay: "
            f"{few(others, 4)}"
        )


def _readable(paths: Iterable[Path], unreadable: list[dict]) -> Iterator[tuple[Path, np.ndarray]]:
    """The pictures; those that cannot be read are said and noted instead."""
    from ..data.image import read_image
    from ..errors import DataError

    for path in paths:
        try:
            pixels = read_image(path)
        except DataError as error:
            print(f"oneformer-lite: left out: {error}", file=sys.stderr)
            unreadable.append({"file": str(path), "error": str(error)})
        else:
            yield path, pixels


def _segment(model: MaskModel | Ensemble, path: Path, pixels: np.ndarray, target: Path, args) -> dict:
    """Segment one picture, write and print what was asked for; its record for JSON."""
    from ..inference import predict

    prediction = predict(model, pixels, args.task, args.min_score, windows=args.windows)
    prediction.save(target)
    print(f"{path} -> {target}: {len(prediction.segments)} segments")
    for s in prediction.segments:
        print(f"  {s.class_name:<16} score {s.score:.2f}  {s.area} pixels")
    masks = prediction.save_masks(args.masks, path.stem) if args.masks else []
    return {"file": str(path), "masks": list(map(str, masks)), **prediction.to_dict()} if args.json else {}


def _write(args, records: list[dict], unreadable: list[dict]) -> None:
    from ..files import write_json

    content = {"model": said(args.model), "min_score": args.min_score, "pictures": records, "unreadable": unreadable}
    write_json(args.json, content)
    print(f"classes, scores, boxes and masks in {args.json}")


def _targets(given: list[Path], out: Path, task: str) -> dict[Path, Path]:
    """Where the result of each picture goes; raises where two would go to one file."""
    from ..errors import OneFormerLiteError

    pictures = _there(_pictures(given, out))
    if out.suffix.lower() in PICTURES and not out.is_dir():
        return {_only(pictures, out): out}
    targets: dict[Path, Path] = {}
    first: dict[Path, Path] = {}
    for path in pictures:
        targets[path] = out / f"{path.stem}_{task}.png"
        if first.setdefault(targets[path], path) != path:
            raise OneFormerLiteError(
                f"{first[targets[path]]} and {path} have the same name ({path.stem}), and the result of one would "
                "replace the other's: rename one, or give each a call and a folder (--out) of its own"
            )
    return targets


def _only(pictures: list[Path], out: Path) -> Path:
    """The one picture whose result ``out`` shall be."""
    from ..errors import OneFormerLiteError

    if len(pictures) > 1:
        raise OneFormerLiteError(f"--out {out} is one file, and there are {len(pictures)} pictures: give a folder")
    if out.resolve() == pictures[0].resolve():
        raise OneFormerLiteError(f"--out {out} is the picture itself, which would be lost: give another name")
    return pictures[0]


def _there(pictures: list[Path]) -> list[Path]:
    """``pictures``, if all of them exist."""
    from ..data.absent import why_absent
    from ..errors import DataError

    absent = [path for path in pictures if not path.exists()]
    if len(absent) > 1:
        raise DataError(f"{len(absent)} of {len(pictures)} pictures do not exist: {few(list(map(str, absent)))}")
    if absent:
        raise DataError(why_absent(absent[0]))
    return pictures


def _pictures(given: list[Path], out: Path) -> list[Path]:
    """The files given, and the pictures in the folders given, in order: not hidden ones, nor results in ``out``."""
    from ..errors import DataError

    results = tuple(f"_{task}.png" for task in TASKS)
    pictures = []
    for path in given:
        if not path.is_dir():
            pictures.append(path)
            continue
        own = results if path.resolve() == out.resolve() else ()
        inside = [
            p for p in sorted(path.iterdir())
            if p.suffix.lower() in PICTURES and not p.name.startswith(".") and not p.name.endswith(own)
        ]  # fmt: skip
        if not inside:
            raise DataError(f"{path} is a folder: expected a picture, or a folder that holds some, and there are none")
        pictures += inside
    return pictures
