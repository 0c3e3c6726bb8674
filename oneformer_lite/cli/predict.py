"""``oneformer-lite predict``: segment pictures."""

from __future__ import annotations

from pathlib import Path

from .arguments import MODEL, TASKS, command


def add(commands) -> None:
    p = command(commands, "predict", run, "segment pictures")
    p.add_argument("pictures", nargs="+", type=Path, metavar="PICTURE")
    p.add_argument("--task", choices=TASKS, default="panoptic", help="what to look for")
    p.add_argument("--model", default="toytown", help=MODEL)
    p.add_argument("--out", type=Path, default=Path("."), help="folder for the pictures")


def run(args) -> None:
    """Segment pictures for one task; writes NAME_TASK.png and lists the segments."""
    from ..errors import OneFormerLiteError
    from ..files import make_folder
    from ..inference import predict
    from ..weights import from_pretrained

    targets = {path: make_folder(args.out) / f"{path.stem}_{args.task}.png" for path in args.pictures}
    if len(set(targets.values())) < len(targets):
        raise OneFormerLiteError("two of the pictures have the same name: give each call its own folder with --out")
    model = from_pretrained(args.model)
    for path, target in targets.items():
        prediction = predict(model, path, args.task)
        prediction.save(target)
        print(f"{path} -> {target}: {len(prediction.segments)} segments")
        for s in prediction.segments:
            print(f"  {s.class_name:<16} score {s.score:.2f}  {s.area} pixels")
