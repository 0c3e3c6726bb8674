"""``oneformer-lite eval``: the metrics of a model."""

from __future__ import annotations

from pathlib import Path

from ..data.layouts import find
from .arguments import DATA, TASKS, command, count, html_file, json_file, positive
from .models import loaded, models_and_views, said


def add(commands) -> None:
    p = command(commands, "eval", run, "PQ, AP and mIoU of a model")
    models_and_views(p)
    p.add_argument("--data", type=Path, help=f"folder of {DATA} (default: Toytown, painted now)")
    p.add_argument("--split", default="val", help="its name in the layout (COCO: val2017)")
    p.add_argument("--scenes", type=positive(int), default=200, help="of Toytown, where no data is given")
    p.add_argument("--tasks", nargs="+", choices=TASKS, help="to judge (default: all that the annotation supplies)")
    p.add_argument(
        "--classes", type=count, default=20, metavar="N", help="how many classes to list, worst first; 0 for none"
    )
    p.add_argument(
        "--json", type=json_file, metavar="FILE",
        help="write the metrics there as well, with those of every class and the confusion matrix of pixels",
    )  # fmt: skip
    p.add_argument(
        "--html", type=html_file, metavar="FILE",
        help="say where it goes wrong, as a page: kinds of errors, sizes, confusions, outlines, scores, and the "
        "pictures behind each in inspectors; --json then has these figures as well, as \"analysis\"",
    )  # fmt: skip
    p.add_argument(
        "--results", type=Path, metavar="FOLDER",
        help="write the predictions in COCO's results formats, with the category ids of the annotation file: "
        "panoptic/ (PNGs) and panoptic.json, instances.json, semantic/ (grey PNGs of category ids)",
    )  # fmt: skip


def run(args) -> None:
    """Judge a model on a data set: PQ under the panoptic token, AP under instance, mIoU under semantic."""
    if args.data:
        find(args.data, args.split)  # a wrong path at once
    from ..analysis import analyse
    from ..data.opening import open as open_dataset
    from ..data.toytown import Toytown
    from ..files import write_json
    from ..judged import judgeable

    model = loaded(args)
    if args.data:
        dataset = open_dataset(args.data, args.split)
    else:
        dataset = Toytown(args.split, model.config.image_size, args.scenes)
    tasks = args.tasks or model.config.answers(dataset.tasks)
    judgeable(model, dataset, tasks)  # before there is a bar
    how = {"results": args.results, "windows": args.windows}
    analysis = analyse(model, dataset, tasks, **how) if args.html else None
    metrics = analysis.metrics if analysis else _evaluated(model, dataset, tasks, how)
    for name, value in metrics.items():
        print(f"{name:<16}{value:6.1f}")
    for size, value in metrics.ap_by_size.items():
        print(f"{f'AP of {size}':<16}" + ("     -" if value is None else f"{value:6.1f}"))
    if args.classes:
        print(f"\n{metrics.table(args.classes)}\n")
    if args.json:
        source = {"model": said(args.model), "data": str(args.data or "toytown"), "split": args.split}
        content = {**source, "scenes": len(dataset), **metrics.to_dict()}
        write_json(args.json, _rounded(content | ({"analysis": analysis.numbers} if analysis else {})), indent=2)
    if analysis:
        print(f"where it goes wrong: {analysis.to_html(args.html)}")
    if args.results:
        print(f"predictions of {', '.join(tasks)} in {args.results}")


def _evaluated(model, dataset, tasks: list[str], how: dict):
    from tqdm import tqdm

    from ..evaluation import evaluate

    with tqdm(total=len(dataset), desc="evaluating", unit="image") as bar:
        return evaluate(model, dataset, tasks, **how, progress=lambda done, _: bar.update(done - bar.n))


def _rounded(content):
    """Every float in dicts and lists to two digits."""
    if isinstance(content, dict):
        return {name: _rounded(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_rounded(value) for value in content]
    return round(content, 2) if isinstance(content, float) else content
