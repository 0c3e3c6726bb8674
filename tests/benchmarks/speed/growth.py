"""How the cost of one prediction grows with the picture, the queries, the classes and the batch.

Time and memory of Swin-T's inference (random weights), one thing varied at a time; beside them the growth that the
number of multiplications would give, counted by PyTorch and drawn through the middle point.
"""

from __future__ import annotations

import ctypes
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import torch
from material import picture
from matplotlib.figure import Figure
from memory import peak_of
from torch.utils.flop_counter import FlopCounterMode

import oneformer_lite as ofl
from oneformer_lite.config import coco_swin_t

START = {"side": 512, "queries": 150, "classes": 133, "batch": 1}
VARIED = {
    "side": [256, 384, 512, 768, 1024],
    "queries": [50, 100, 150, 200, 250],
    "classes": [10, 133, 500, 1000],
    "batch": [1, 2, 4, 8],
}
TITLES = {"side": "side of the picture (pixels)", "queries": "queries", "classes": "classes", "batch": "images at once"}


@dataclass(frozen=True)
class Point:
    """``seconds``: the median of the rounds; ``gigabytes`` on top of the model; ``operations``: 10^9 multiply-adds."""

    value: int
    seconds: float
    gigabytes: float
    operations: float


def measure(rounds: int, told: Callable[[str], None]) -> dict[str, list[Point]]:
    """All points of :data:`VARIED`."""
    return {name: [_point(name, value, rounds, told) for value in values] for name, values in VARIED.items()}


def _point(name: str, value: int, rounds: int, told: Callable[[str], None]) -> Point:
    with ProcessPoolExecutor(1, get_context("spawn")) as one:  # or what other points left behind is used again, unseen
        gigabytes = one.submit(_memory, name, value).result()
    run = _program(name, value)
    with FlopCounterMode(display=False) as counter:
        run()
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    point = Point(value, statistics.median(seconds), gigabytes, counter.get_total_flops() / 2e9)
    told(f"{name} {value}: {point.seconds:.2f} s, {point.gigabytes:.2f} GB, {point.operations:.0f} G multiply-adds")
    return point


def _program(name: str, value: int) -> Callable[[], None]:
    """The prediction with one thing varied."""
    at = START | {name: value}
    torch.manual_seed(0)
    config = replace(coco_swin_t(), num_queries=at["queries"], num_classes=at["classes"], pretrained=False)
    model = ofl.OneFormer(config).eval().requires_grad_(False)  # or the counter looks for gradients
    pixels = picture(at["batch"], at["side"], at["side"])

    @torch.inference_mode()
    def run() -> None:
        model(pixels, "panoptic")

    return run


def _memory(name: str, value: int) -> float:
    """Gigabytes that the second prediction of this process takes: the first fills caches that stay."""
    run = _program(name, value)
    run()
    ctypes.CDLL(None).malloc_trim(0)
    return peak_of(run).own


def draw(found: dict[str, list[Point]], path: Path) -> None:
    """Time above, memory below, one column for each thing varied."""
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    axes = figure.subplots(2, len(found), sharey="row")
    for column, (name, points) in enumerate(found.items()):
        values = [p.value for p in points]
        middle = next(p for p in points if p.value == START[name])
        for row, (field, unit) in enumerate((("seconds", "seconds"), ("gigabytes", "gigabytes"))):
            axis, start = axes[row, column], getattr(middle, field)
            axis.plot(values, [getattr(p, field) for p in points], "o-", color="#0072B2", label="measured")
            expected = [start * p.operations / middle.operations for p in points]
            if field == "seconds":
                axis.plot(values, expected, "--", color="#D55E00", label="multiply-adds, scaled")
            else:
                sides = [start * p.value**_power(name) / middle.value ** _power(name) for p in points]
                axis.plot(values, sides, "--", color="#D55E00", label=_law(name))
            axis.grid(alpha=0.3)
            axis.legend(frameon=False, fontsize=8)
            if column == 0:
                axis.set_ylabel(unit)
        axes[1, column].set_xlabel(TITLES[name])
    for row in axes:  # a row shares its axis: from 0, once all of it is drawn
        row[0].set_ylim(bottom=0)
    figure.suptitle("Inference, Swin-T, 512 x 512, 150 queries, 133 classes, batch 1: one of them varied")
    figure.savefig(path, dpi=130)


def _power(name: str) -> int:
    return {"side": 2, "batch": 1}.get(name, 0)


def _law(name: str) -> str:
    return {"side": "side squared", "batch": "proportional"}.get(name, "constant")


def as_json(found: dict[str, list[Point]]) -> dict:
    return {name: [asdict(point) for point in points] for name, points in found.items()}
