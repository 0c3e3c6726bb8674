"""Which form of deformable sampling is faster here: ``python tests/benchmarks/deformable_attention.py``.

Times ``sample_by_grid`` and ``sample_by_bag`` on the pixel decoder's own sizes (strides 32, 16, 8; every
position is a query; 4 points), forward without gradients and forward with backward. The two take turns, so
that whatever else the machine does meets both; medians are printed. ``sample`` chooses by this table.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from oneformer_lite.model.parts.deformable_attention import Shapes, sample_by_bag, sample_by_grid
from oneformer_lite.model.parts.pixel_decoder import reference_points

POINTS = 4
SPREAD = 2.0  # pixels: standard deviation of the offsets
CASES = [(8, 128, 8, 12), (1, 512, 8, 32), (2, 512, 8, 32)]  # images, side, heads, channels of a head


def inputs(batch: int, side: int, heads: int, dim: int) -> tuple[Tensor, Shapes, Tensor, Tensor]:
    """Random values and weights; locations scattered around each query's own place."""
    shapes = [(side // stride, side // stride) for stride in (32, 16, 8)]
    reference = reference_points(tuple(shapes))  # [S, 2]
    length, levels = len(reference), len(shapes)
    size = torch.tensor([(w, h) for h, w in shapes], dtype=torch.float32)
    offsets = SPREAD * torch.randn(batch, length, heads, levels, POINTS, 2) / size[:, None]
    locations = reference[:, None, None, None] + offsets
    weights = torch.randn(batch, length, heads, levels * POINTS).softmax(-1)
    value = torch.randn(batch, length, heads, dim)
    return value, shapes, locations, weights.unflatten(-1, (levels, POINTS))


def forward(form: Callable, value: Tensor, shapes: Shapes, locations: Tensor, weights: Tensor) -> None:
    with torch.no_grad():
        form(value, shapes, locations, weights)


def backward(form: Callable, value: Tensor, shapes: Shapes, locations: Tensor, weights: Tensor) -> None:
    leaves = [tensor.requires_grad_() for tensor in (value, locations, weights)]
    torch.autograd.grad(form(value, shapes, locations, weights).sum(), leaves)


def seconds(measured: Callable, repeats: int, arguments: tuple) -> list[float]:
    """Median seconds of the grid form and of the bag form, in turns, after one round to warm up."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats + 1):
        for form, spent in zip((sample_by_grid, sample_by_bag), times):
            started = time.perf_counter()
            measured(form, *arguments)
            spent.append(time.perf_counter() - started)
    return [statistics.median(spent[1:]) for spent in times]


def main(repeats: int) -> None:
    torch.manual_seed(0)
    print(f"milliseconds, medians of {repeats}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"{'images':>6} {'side':>5} {'heads':>7}  {'pass':<17} {'grid':>8} {'bag':>8} {'grid / bag':>11}")
    for batch, side, heads, dim in CASES:
        arguments = inputs(batch, side, heads, dim)
        grid, bag = (form(*arguments) for form in (sample_by_grid, sample_by_bag))
        torch.testing.assert_close(bag, grid, rtol=1e-4, atol=1e-5)
        for name, measured in (("forward", forward), ("forward, backward", backward)):
            grid, bag = seconds(measured, repeats, arguments)
            row = f"{batch:6d} {side:5d} {f'{heads}x{dim}':>7}  {name:<17}"
            print(f"{row} {1000 * grid:8.1f} {1000 * bag:8.1f} {grid / bag:11.2f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=9)
    main(parser.parse_args().repeats)
