"""The main job in one call: paint Toytown, train, judge three tasks, and leave a report to look at."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from tqdm.auto import tqdm

from .config import ModelConfig, toytown
from .data.opening import open as open_dataset
from .data.sample import TASKS
from .evaluation import evaluate
from .files import make_folder, write_json
from .metrics import Evaluation
from .metrics.by_class import OF_TASK
from .training import TrainConfig, TrainingResult, toytown_training, train
from .training.log import Log

VAL_SCENES, GALLERY_SCENES = 200, 10
SHOWN = ("PQ", "SQ", "RQ", "PQ_th", "PQ_st", "AP", "AP50", "mIoU", "mDice", "pixel_accuracy")


def run_demo(minutes: float, seed: int, out: str | Path, scenes: int = 6000, steps: int | None = None) -> dict:
    """Everything ``oneformer-lite demo`` does; returns the final metrics, none if it was stopped.

    Leaves in ``out``: data/ (Toytown in COCO's layout), model/, metrics.jsonl, evaluation.json, report.html. Stopped
    with Ctrl-C and called again, it resumes where it was.
    """
    out = make_folder(out)
    config = toytown()
    train_config = toytown_training(
        out=str(out), data=str(out / "data"), seed=seed,
        minutes=None if steps else minutes, steps=steps,
    )  # fmt: skip
    paint(out / "data", config.image_size, scenes)
    budget = f"{steps} steps" if steps else f"{minutes:g} minutes"
    say(f"training one OneFormer on three tasks for {budget} (Ctrl-C keeps what there is)")
    result = train(config, train_config)
    if not result.finished:
        say(f"stopped after {result.steps} steps; the same command resumes it ({out})")
        return {}
    metrics, tokens = judge(result, out / "data")
    log = Log(out, result.steps)
    log.write("final", result.steps, result.seconds, scenes=VAL_SCENES, **metrics)
    write_json(out / "evaluation.json", metrics.to_dict())
    write_demo_report(out, result, config, train_config, scenes, metrics, tokens, log.records)
    conclude(out, metrics)
    return metrics


def say(text: str) -> None:
    """A line beside the progress bars: standard output stays free."""
    print(text, file=sys.stderr, flush=True)


def paint(folder: Path, size: int, scenes: int, crowded: bool = False) -> None:
    """Write Toytown's two splits, with a progress bar; what is there already stays."""
    from .data.toytown import write_toytown

    for split, length in (("train", scenes), ("val", VAL_SCENES)):
        with tqdm(total=length, desc=f"painting {split}", unit="scene", dynamic_ncols=True) as bar:
            write_toytown(
                folder, split, size, length, progress=lambda done, _: bar.update(done - bar.n), crowded=crowded
            )
            bar.update(length - bar.n)


def judge(result: TrainingResult, data: Path) -> tuple[Evaluation, dict[str, Evaluation]]:
    """Metrics of every task under every token; the proper ones are those on the diagonal."""
    val = open_dataset(data, "val")
    with tqdm(total=len(TASKS) * len(val), desc="evaluating", unit="image", dynamic_ncols=True) as bar:
        tokens = {}
        for i, token in enumerate(TASKS):

            def progress(done: int, total: int, before: int = i * len(val)) -> None:
                bar.update(before + done - bar.n)

            tokens[token] = evaluate(result.model, val, token=token, progress=progress)
    own = {
        "panoptic": ("PQ", "SQ", "RQ", "PQ_th", "SQ_th", "RQ_th", "PQ_st", "SQ_st", "RQ_st"),
        "instance": ("AP", "AP50", "AP75"),
        "semantic": ("mIoU", "mDice", "pixel_accuracy"),
    }
    averages = {name: tokens[task][name] for task, names in own.items() for name in names}
    per_class = [dict(row) for row in tokens["panoptic"].per_class]
    for task in TASKS:  # of each, what was measured under its own token
        for row, own_row in zip(per_class, tokens[task].per_class):
            row |= {name: own_row[name] for name in OF_TASK[task]}
    results = {task: tokens[task].results[task] for task in TASKS}
    confusion, by_size = tokens["semantic"].confusion, tokens["instance"].ap_by_size
    return Evaluation(averages, per_class, confusion, by_size, results), tokens


def gallery(model, config: ModelConfig, count: int) -> list:
    """Held-out scenes at 256 pixels with their three predictions (the model still sees 128)."""
    from .data.toytown import Toytown
    from .inference import predict
    from .render import enlarge, render_truth
    from .runs.report import GalleryRow

    scenes = Toytown("val", size=2 * config.image_size, length=VAL_SCENES)
    rows = []
    for i in range(count):
        sample = scenes[i]
        pictures = {task: predict(model, sample.image, task).render() for task in TASKS}
        truth = render_truth(sample)
        image = enlarge(sample.image, truth.shape[0] // sample.image.shape[0])
        rows.append(GalleryRow(image=image, truth=truth, caption=f"held-out scene {i}", **pictures))
    return rows


def write_demo_report(
    out: Path,
    result: TrainingResult,
    config: ModelConfig,
    train_config: TrainConfig,
    scenes: int,
    metrics: Evaluation,
    tokens: dict[str, Evaluation],
    history: list[dict],
) -> Path:
    """The report of :mod:`oneformer_lite.render`, with what the demo knows of the run; its path."""
    import torch

    from . import __version__
    from .runs.report import write_report

    shown = {token: {n: row[n] for n in ("PQ", "PQ_th", "PQ_st", "AP", "mIoU")} for token, row in tokens.items()}
    parameters = result.model.inference_parameters
    recipe = {
        "data": f"Toytown, {scenes} scenes of {config.image_size} x {config.image_size} painted by the project",
        "held out": f"{VAL_SCENES} other scenes",
        "model": f"OneFormer, {parameters / 1e6:.2f} M parameters at inference, {config.num_queries} queries, "
        f"{config.encoder_layers} deformable and {config.decoder_layers} masked-attention layers",
        "backbone": f"{config.backbone}, ImageNet weights",
        "training": f"{result.steps} steps of {train_config.batch_size} images in {result.seconds / 60:.1f} minutes",
        "optimiser": f"AdamW, learning rate {train_config.lr:g} (backbone x "
        f"{train_config.backbone_lr_multiplier:g}), weight decay {train_config.weight_decay:g}, cosine",
        "seed": train_config.seed,
        "machine": describe_machine(),
        "versions": f"oneformer_lite {__version__}, torch {torch.__version__}, Python {platform.python_version()}",
    }
    return write_report(
        out,
        title="One model, three tasks",
        history=history,
        metrics={**metrics, **{f"AP_{size}": value for size, value in metrics.ap_by_size.items()}},
        gallery=gallery(result.model, config, GALLERY_SCENES),
        recipe=recipe,
        wrong_token=shown,
        next_steps=[
            "`make lab` opens the notebooks; begin with `00_three_tasks_one_model.ipynb`",
            f"`oneformer-lite predict PICTURE --model {out / 'model'} --task panoptic` segments a picture of yours",
            f"`oneformer_lite.from_pretrained(\"{out / 'model'}\")` loads these weights in Python",
        ],
        per_class=metrics.per_class,
        confusion=metrics.confusion,
    )


def describe_machine() -> str:
    """Processor and cores, as the recipe states them."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{os.cpu_count()} CPU cores ({platform.machine()}), {torch.get_num_threads()} used"


def conclude(out: Path, metrics: dict[str, float]) -> None:
    """What came out, where it lies, what to open next."""
    values = "   ".join(f"{name} {metrics[name]:.1f}" for name in SHOWN)
    say(f"\n{values}   (percent, {VAL_SCENES} held-out scenes, one set of weights)\n")
    for name, what in (
        ("report.html", "open this: pictures, curves, tables"),
        ("model", f'oneformer_lite.from_pretrained("{out / "model"}")'),
        ("metrics.jsonl", "every number, one JSON object a line"),
        ("evaluation.json", "the scores of every class, and what each was taken for"),
    ):
        say(f"  {str(out / name):<36} {what}")
    say("\nNext: make lab (the notebooks)")

