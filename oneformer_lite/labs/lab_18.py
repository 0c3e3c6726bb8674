"""Lab 18: a scene of digits, dice with and without squares, the parameters of an encoder, the place of a query."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..data.digits.scene import paint
from ..model.networks.bert import Bert
from .draws import roots
from .exercise import Case, Exercise, Mistake, Rules
from .longer.taken_places import TAKEN_PLACES

Frames = Sequence[np.ndarray]
Places = Sequence[tuple[int, int]]
Scene = tuple[np.ndarray, np.ndarray]

# -- 18.1: frames uint8 [28, 28], their (top, left), (H, W) -> picture uint8 [H, W], masks bool [n, H, W]


def _scene(frames: Frames, places: Places, size: tuple[int, int]) -> Scene:
    return paint(frames, places, size)


def _cases_scene() -> list[Case]:
    rng = np.random.default_rng(1)
    one, two, three = rng.integers(0, 256, (3, 28, 28)).astype(np.uint8)
    edge = np.zeros((28, 28), np.uint8)
    edge[3, 4:7] = 126, 127, 128
    return [
        Case("one digit", [one], [(2, 5)], (40, 36)),
        Case("two, apart", [one, two], [(0, 0), (28, 30)], (56, 60)),
        Case("two, one over the other", [one, two], [(0, 0), (5, 3)], (40, 40)),
        Case("three at one place", [one, two, three], [(1, 1)] * 3, (30, 31)),
        Case("on the edge of ink", [edge], [(0, 0)], (28, 28)),
    ]


def _composed(frames: Frames, places: Places, size: tuple[int, int], how: str) -> Scene:
    """A scene in which later frames meet earlier ones in some wrong way."""
    picture, masks = np.zeros(size, np.uint8), np.zeros((len(frames), *size), bool)
    for n, (frame, (top, left)) in enumerate(zip(frames, places, strict=True)):
        here = slice(top, top + 28), slice(left, left + 28)
        picture[here] = frame if how == "over" else picture[here] + frame
        masks[n][here] = frame > 127
    return picture, masks


def _covered(frames: Frames, places: Places, size: tuple[int, int]) -> Scene:
    picture, masks = _scene(frames, places, size)
    for n in range(len(masks)):
        masks[n] &= ~masks[n + 1 :].any(0)
    return picture, masks


def _with_edge(frames: Frames, places: Places, size: tuple[int, int]) -> Scene:
    picture, masks = _scene(frames, places, size)
    for mask, frame, (top, left) in zip(masks, frames, places, strict=True):
        mask[top : top + 28, left : left + 28] = frame >= 127
    return picture, masks


def _any_ink(frames: Frames, places: Places, size: tuple[int, int]) -> Scene:
    picture, masks = _scene(frames, places, size)
    for mask, frame, (top, left) in zip(masks, frames, places, strict=True):
        mask[top : top + 28, left : left + 28] = frame > 0
    return picture, masks


# -- 18.2: [N, P], [N, P], bool -> [N]


def _dice(p: Tensor, y: Tensor, squared: bool) -> Tensor:
    power = 2 if squared else 1
    return 1 - (2 * (p * y).sum(1) + 1) / (p.pow(power).sum(1) + y.pow(power).sum(1) + 1)


def _cases_dice() -> list[Case]:
    generator = torch.Generator().manual_seed(2)
    p, y = torch.rand(2, 3, 12, generator=generator)
    return [
        Case("by hand, plain", torch.tensor([[0.5, 1.0]]), torch.tensor([[1.0, 1.0]]), False),
        Case("by hand, squared", torch.tensor([[0.5, 1.0]]), torch.tensor([[1.0, 1.0]]), True),
        Case("shares, squared", p, y, True),
        Case("shares, plain", p, y, False),
        Case("nothing at all", torch.zeros(2, 5), torch.zeros(2, 5), True),
    ]


def _square_of_sum(p: Tensor, y: Tensor, squared: bool) -> Tensor:
    power = 2 if squared else 1
    return 1 - (2 * (p * y).sum(1) + 1) / (p.sum(1).pow(power) + y.sum(1).pow(power) + 1)


def _without_ones(p: Tensor, y: Tensor, squared: bool) -> Tensor:
    power = 2 if squared else 1
    return 1 - 2 * (p * y).sum(1) / (p.pow(power).sum(1) + y.pow(power).sum(1))


def _overlap_once(p: Tensor, y: Tensor, squared: bool) -> Tensor:
    power = 2 if squared else 1
    return 1 - ((p * y).sum(1) + 1) / (p.pow(power).sum(1) + y.pow(power).sum(1) + 1)


# -- 18.3: layers, width, width of the feed-forward block, side of a patch, positions -> parameters


def _parameters(layers: int, d: int, ffn: int, patch: int, positions: int) -> int:
    """Of the package's encoder, whose shapes alone are made."""
    with torch.device("meta"):
        encoder = Bert(d, 1, layers, ffn, 0.0, patch, (1, 1), positions)
    return sum(p.numel() for p in encoder.parameters())


def _cases_parameters() -> list[Case]:
    return [
        Case("the report's", 6, 768, 3072, 16, 512),
        Case("no layer", 0, 32, 64, 8, 64),
        Case("one layer", 1, 32, 64, 8, 64),
        Case("a narrow block", 3, 48, 20, 4, 100),
    ]


def _layer(d: int, ffn: int) -> int:
    return 4 * (d * d + d) + 2 * d * ffn + ffn + d + 4 * d


def _start(d: int, patch: int, positions: int) -> int:
    return 3 * patch * patch * d + d + (positions + 2) * d + 2 * d


EXERCISES = (
    Exercise(
        id="18.1",
        name="scene",
        reference=_scene,
        cases=_cases_scene,
        drawn=roots.frames,
        mistakes=(
            Mistake("where digits meet the brighter one counts: yours pastes the later one over the earlier",
                    lambda f, p, size: _composed(f, p, size, "over")),
            Mistake("uint8 wraps at 256: take the maximum, not the sum",
                    lambda f, p, size: _composed(f, p, size, "sum")),
            Mistake("masks stay whole where another digit lies over them", _covered),
            Mistake("ink is brighter than 127; a pixel of 127 is none", _with_edge),
            Mistake("the grey rim is no ink: only pixels brighter than 127 are", _any_ink),
        ),
    ),
    Exercise(
        id="18.2",
        name="dice",
        reference=_dice,
        cases=_cases_dice,
        drawn=roots.shares,
        gradients=True,
        rules=Rules(never=("loops",)),
        mistakes=(
            Mistake("the sum of squares, not the square of the sum", _square_of_sum),
            Mistake("the 1s are missing, above and below: without them two empty masks give 0 / 0", _without_ones),
            Mistake("twice the overlap: the denominator counts both masks", _overlap_once),
            Mistake("a loss falls: 1 minus the quotient", lambda p, y, squared: 1 - _dice(p, y, squared)),
            Mistake("one loss for each mask: yours is their mean", lambda p, y, squared: _dice(p, y, squared).mean()),
            Mistake("squared decides about the denominator: yours always squares", lambda p, y, _: _dice(p, y, True)),
        ),
    ),
    Exercise(
        id="18.3",
        name="parameters",
        reference=_parameters,
        cases=_cases_parameters,
        drawn=roots.encoders,
        mistakes=(
            Mistake("a patch has three colours: 3 times its pixels go into the linear layer",
                    lambda n, d, f, p, s: n * _layer(d, f) + _start(d, p, s) - 2 * p * p * d),
            Mistake("attention has four linear layers: queries, keys, values, and one for what comes out",
                    lambda n, d, f, p, s: n * (_layer(d, f) - d * d - d) + _start(d, p, s)),
            Mistake("two norms a layer, each with a scale and a shift for every channel",
                    lambda n, d, f, p, s: n * (_layer(d, f) - 2 * d) + _start(d, p, s)),
            Mistake("linear layers have a bias",
                    lambda n, d, f, p, s: n * (_layer(d, f) - 5 * d - f) + _start(d, p, s) - d),
            Mistake("the two token types have a row each, as the positions have",
                    lambda n, d, f, p, s: n * _layer(d, f) + _start(d, p, s) - 2 * d),
            Mistake("one more norm stands before the first layer: a scale and a shift",
                    lambda n, d, f, p, s: n * _layer(d, f) + _start(d, p, s) - d),
        ),
    ),
    TAKEN_PLACES,
)  # fmt: skip
