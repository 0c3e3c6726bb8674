"""Lab 03: one bilinear look, where the looks go, and their weighted sum."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..model.parts.deformable_attention import sample_by_grid
from .draws import parts
from .exercise import Case, Exercise, Mistake, Rules
from .longer.places import PLACES

Shapes = list[tuple[int, int]]

# -- 03.1: map [C, h, w], place x and y in 0 to 1 -> [C]


def _bilinear(feature_map: Tensor, x: float, y: float) -> Tensor:
    """The package's sampling of one place by one head from one level."""
    value = feature_map.flatten(1).T[None, :, None]  # [1, S, 1, C]
    place = torch.tensor([x, y]).view(1, 1, 1, 1, 1, 2)
    return sample_by_grid(value, [tuple(feature_map.shape[1:])], place, torch.ones(1, 1, 1, 1, 1))[0, 0]


def _cases_bilinear() -> list[Case]:
    draw = torch.Generator().manual_seed(3)
    wide = torch.randn(2, 3, 5, generator=draw)
    return [
        Case("the centre of a pixel", wide, 0.3, 0.5),
        Case("between four pixels", wide, 0.45, 0.4),
        Case("close to the left border", wide, 0.04, 0.6),
        Case("beyond the corner", wide, 1.05, 1.1),
        Case("far outside", wide, -2.0, 0.5),
        Case("one row, large values", 1000 * torch.randn(1, 1, 4, generator=draw), 0.6, 0.3),
    ]


def _product(dx: float, dy: float) -> float:
    return (1 - dx) * (1 - dy)


def _mixed(
    feature_map: Tensor, x: float, y: float, *, border: bool = False, around: bool = False, whole: bool = False,
    share: Callable[[float, float], float] = _product, cut: Callable[[float], int] = math.floor,
) -> Tensor:  # fmt: skip
    """The four pixels around a place in pixels; those outside are zero, or (``border``) the nearest inside, or
    (``around``) those at the other end where Python counts backwards; ``whole``: shares inside add up to 1."""
    height, width = feature_map.shape[1:]
    total, shares = torch.zeros(len(feature_map)), 0.0
    for column in (cut(x), cut(x) + 1):
        for row in (cut(y), cut(y) + 1):
            part = share(abs(x - column), abs(y - row))
            inside = column < width and row < height and (around or (0 <= column and 0 <= row))
            if around and inside:
                total, shares = total + part * feature_map[:, row % height, column % width], shares + part
            elif inside or border:
                total += part * feature_map[:, min(max(row, 0), height - 1), min(max(column, 0), width - 1)]
                shares += part
    return total / shares if whole and shares else total


def _mixed_at(**wrong) -> Callable[[Tensor, float, float], Tensor]:
    """The right place, mixed in a wrong way."""

    def look(feature_map: Tensor, x: float, y: float) -> Tensor:
        height, width = feature_map.shape[1:]
        return _mixed(feature_map, x * width - 0.5, y * height - 0.5, **wrong)

    return look


def _all_with_negative_shares(feature_map: Tensor, x: float, y: float) -> Tensor:
    height, width = feature_map.shape[1:]
    columns = 1 - (torch.arange(width) - (x * width - 0.5)).abs()
    rows = 1 - (torch.arange(height) - (y * height - 0.5)).abs()
    return (feature_map * rows[:, None] * columns).sum((1, 2))


def _aligned_corners(feature_map: Tensor, x: float, y: float) -> Tensor:
    height, width = feature_map.shape[1:]
    return _mixed(feature_map, x * (width - 1), y * (height - 1))


def _without_half(feature_map: Tensor, x: float, y: float) -> Tensor:
    height, width = feature_map.shape[1:]
    return _mixed(feature_map, x * width, y * height)


def _swapped(feature_map: Tensor, x: float, y: float) -> Tensor:
    return _bilinear(feature_map, y, x)


def _half_too_far(feature_map: Tensor, x: float, y: float) -> Tensor:
    height, width = feature_map.shape[1:]
    return _mixed(feature_map, x * width + 0.5, y * height + 0.5)


def _sides_swapped(feature_map: Tensor, x: float, y: float) -> Tensor:
    height, width = feature_map.shape[1:]
    return _mixed(feature_map, x * height - 0.5, y * width - 0.5)


def _nearest(feature_map: Tensor, x: float, y: float) -> Tensor:
    height, width = feature_map.shape[1:]
    return _mixed(feature_map, round(x * width - 0.5), round(y * height - 0.5))


# -- 03.3: value [S, M, d], shapes, locations [N, M, L, P, 2], weights [N, M, L, P] -> [N, M d]


def _attend(value: Tensor, shapes: Shapes, locations: Tensor, weights: Tensor) -> Tensor:
    return sample_by_grid(value[None], shapes, locations[None], weights[None])[0]


def _cases_attend() -> list[Case]:
    draw = torch.Generator().manual_seed(5)

    def case(name: str, shapes: Shapes, queries: int, heads: int, points: int, reach: float = 0.0) -> Case:
        length, levels = sum(h * w for h, w in shapes), len(shapes)
        value = torch.randn(length, heads, 3, generator=draw)
        places = torch.rand(queries, heads, levels, points, 2, generator=draw) * (1 + 2 * reach) - reach
        weights = torch.randn(queries, heads, levels * points, generator=draw).softmax(-1)
        return Case(name, value, shapes, places, weights.unflatten(-1, (levels, points)))

    return [
        case("one level, one head, one point", [(4, 4)], 3, 1, 1),
        case("three levels", [(2, 2), (4, 4), (8, 8)], 5, 4, 2),
        case("wide levels, places outside", [(1, 2), (2, 4), (3, 7)], 4, 2, 4, reach=0.4),
        case("one query", [(3, 2), (5, 4)], 1, 2, 3),
    ]


def _by_grid(
    value: Tensor, shapes: Shapes, locations: Tensor, weights: Tensor, scaled: bool = True, joined: bool = True, **how
) -> Tensor:
    total = 0
    for level, part in enumerate(value.split([h * w for h, w in shapes])):
        maps = part.permute(1, 2, 0).unflatten(2, shapes[level])  # [M, d, h, w]
        grid = locations[:, :, level].transpose(0, 1)  # [M, N, P, 2]
        looks = F.grid_sample(maps, 2 * grid - 1 if scaled else grid, **({"align_corners": False} | how))
        total = total + (looks * weights[:, :, level].transpose(0, 1)[:, None]).sum(-1)  # [M, d, N]
    return total.permute(2, 0, 1).flatten(1) if joined else total.permute(2, 1, 0).flatten(1)


def _variant(**how) -> Callable[..., Tensor]:
    return lambda *args: _by_grid(*args, **how)


def _equal_weights(value: Tensor, shapes: Shapes, locations: Tensor, weights: Tensor) -> Tensor:
    return _attend(value, shapes, locations, torch.full_like(weights, 1 / (weights.shape[2] * weights.shape[3])))


def _levels_reversed(value: Tensor, shapes: Shapes, locations: Tensor, weights: Tensor) -> Tensor:
    return _attend(value, shapes[::-1], locations, weights)


def _all_from_the_first_row(value: Tensor, shapes: Shapes, locations: Tensor, weights: Tensor) -> Tensor:
    levels = [value[: h * w] for h, w in shapes]
    return _attend(torch.cat(levels), shapes, locations, weights)


EXERCISES = (
    Exercise(
        id="03.1",
        name="look",
        reference=_bilinear,
        cases=_cases_bilinear,
        drawn=parts.place,
        gradients=True,
        rules=Rules(never=("grid_sample",)),
        mistakes=(
            Mistake("0 and 1 are the borders, not the outermost centres: x * w - 0.5, not x * (w - 1)",
                    _aligned_corners),
            Mistake("half a pixel is missing: the centre of the first pixel is at 0.5 / w, so subtract 0.5",
                    _without_half),
            Mistake("x counts columns (the last axis), y rows", _swapped),
            Mistake("pixels outside count as zero; yours repeats the border", _mixed_at(border=True)),
            Mistake("half a pixel is subtracted, not added: the first centre, at 0.5 / w, is pixel 0", _half_too_far),
            Mistake("x is multiplied by the width, shape[2], and y by the height, shape[1]", _sides_swapped),
            Mistake("int() cuts towards 0, so below 0 it takes the wrong pixels: math.floor", _mixed_at(cut=int)),
            Mistake("an index below 0 reads from the other end: a pixel counts only if 0 <= row and 0 <= column too",
                    _mixed_at(around=True)),
            Mistake("a near pixel counts more than a far one: 1 - distance, not the distance",
                    _mixed_at(share=lambda dx, dy: dx * dy)),
            Mistake("the four do not count alike: each with (1 - distance in x) * (1 - distance in y)",
                    _mixed_at(share=lambda dx, dy: 0.25)),
            Mistake("the shares of both directions are multiplied: (1 - dx) * (1 - dy), not 1 - dx - dy",
                    _mixed_at(share=lambda dx, dy: 1 - dx - dy)),
            Mistake("do not divide by the sum of the shares: what lies outside counts as zero", _mixed_at(whole=True)),
            Mistake("that is the nearest pixel alone: mix the four around the place", _nearest),
            Mistake("only the four nearest count: beyond one pixel a share would be negative, max(0, 1 - distance)",
                    _all_with_negative_shares),
        ),
    ),
    PLACES,
    Exercise(
        id="03.3",
        name="attend",
        reference=_attend,
        cases=_cases_attend,
        drawn=parts.looks,
        gradients=True,
        mistakes=(
            Mistake("grid_sample counts from -1 to 1: give it 2 * places - 1", _variant(scaled=False)),
            Mistake("places are shares of the width, border to border: align_corners=False",
                    _variant(align_corners=True)),
            Mistake("outside a level the value is zero: leave padding_mode alone", _variant(padding_mode="border")),
            Mistake("the looks do not count alike: multiply by the weights before you add", _equal_weights),
            Mistake("C channels are M heads of d: the head comes first in the last axis", _variant(joined=False)),
            Mistake("the row of positions is cut in the wrong order: the levels stand as in 'shapes'",
                    _levels_reversed),
            Mistake("each level begins where the one before ends: yours reads all of them from the first row on",
                    _all_from_the_first_row),
        ),
    ),
)  # fmt: skip
