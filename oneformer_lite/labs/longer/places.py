"""Exercise 03.2: from offsets in pixels to places in a picture."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...model.parts.deformable_attention import DeformableAttention
from ..draws import parts
from ..exercise import Case, Exercise, Mistake

Shapes = list[tuple[int, int]]


# -- 03.2: reference [N, 2], offsets [N, M, L, P, 2], shapes -> locations [N, M, L, P, 2]


class _Given(nn.Module):
    """In the place of the layer that predicts offsets: returns those that are given."""

    def __init__(self, offsets: Tensor) -> None:
        super().__init__()
        self.offsets = offsets

    def forward(self, query: Tensor) -> Tensor:
        return self.offsets.flatten(1)[None]


def _locations(reference: Tensor, offsets: Tensor, shapes: Shapes) -> Tensor:
    """The package's, whose layer predicts these offsets."""
    _, heads, levels, points, _ = offsets.shape
    attention = DeformableAttention(heads, heads, levels, points).requires_grad_(False)
    attention.sampling_offsets = _Given(offsets)
    return attention.sampling(torch.zeros(1, len(reference), heads), reference, shapes)[0][0]


def _cases_locations() -> list[Case]:
    draw = torch.Generator().manual_seed(4)

    def case(name: str, shapes: Shapes, queries: int, size: float = 2.0) -> Case:
        offsets = size * torch.randn(queries, 4, len(shapes), 2, 2, generator=draw)
        return Case(name, torch.rand(queries, 2, generator=draw), offsets, shapes)

    return [
        case("three square levels", [(4, 4), (8, 8), (16, 16)], 3),
        case("wide pictures", [(2, 4), (4, 8)], 2),
        case("one level", [(3, 5)], 4),
        case("no offset", [(2, 2), (4, 4)], 1, size=0.0),
        case("far away", [(2, 3), (4, 6)], 1, size=1000.0),
    ]


def _divided(reference: Tensor, offsets: Tensor, size: Tensor) -> Tensor:
    return reference[:, None, None, None] + offsets / size.view(-1, 1, 2)


def _undivided(reference: Tensor, offsets: Tensor, shapes: Shapes) -> Tensor:
    return reference[:, None, None, None] + offsets


def _height_first(reference: Tensor, offsets: Tensor, shapes: Shapes) -> Tensor:
    return _divided(reference, offsets, torch.tensor(shapes))


def _by_the_finest(reference: Tensor, offsets: Tensor, shapes: Shapes) -> Tensor:
    return _divided(reference, offsets, torch.tensor([shapes[-1][::-1]] * len(shapes)))


def _by_area(reference: Tensor, offsets: Tensor, shapes: Shapes) -> Tensor:
    return _divided(reference, offsets, torch.tensor([(h * w, h * w) for h, w in shapes]))


def _by_the_longer_side(reference: Tensor, offsets: Tensor, shapes: Shapes) -> Tensor:
    return _divided(reference, offsets, torch.tensor([(max(size), max(size)) for size in shapes]))


def _in_pixels(reference: Tensor, offsets: Tensor, shapes: Shapes) -> Tensor:
    size = torch.tensor([(w, h) for h, w in shapes]).view(-1, 1, 2)
    return reference[:, None, None, None] * size + offsets


def _both_divided(reference: Tensor, offsets: Tensor, shapes: Shapes) -> Tensor:
    size = torch.tensor([(w, h) for h, w in shapes]).view(-1, 1, 2)
    return (reference[:, None, None, None] + offsets) / size


def _multiplied(reference: Tensor, offsets: Tensor, shapes: Shapes) -> Tensor:
    return _divided(reference, offsets, 1 / torch.tensor([(w, h) for h, w in shapes]))


def _kept_inside(reference: Tensor, offsets: Tensor, shapes: Shapes) -> Tensor:
    return _locations(reference, offsets, shapes).clamp(0, 1)


def _by_gaps(reference: Tensor, offsets: Tensor, shapes: Shapes) -> Tensor:
    return _divided(reference, offsets, torch.tensor([(w - 1, h - 1) for h, w in shapes]))


PLACES = Exercise(
    id="03.2",
    name="locations",
    reference=_locations,
    cases=_cases_locations,
    drawn=parts.offsets,
    gradients=True,
    mistakes=(
        Mistake("offsets are pixels, places are shares: divide by the size of the level", _undivided),
        Mistake("offsets are (x, y), shapes are (height, width): x is divided by the width", _height_first),
        Mistake("each level has its own size; yours divides by the finest level's on all of them", _by_the_finest),
        Mistake("w pixels are w steps wide, border to border: divide by w, not w - 1", _by_gaps),
        Mistake("x is divided by the width and y by the height, not both by the area", _by_area),
        Mistake("x is divided by the width and y by the height, not both by the longer side", _by_the_longer_side),
        Mistake("these are places in pixels: shares are asked for, so divide the offsets instead", _in_pixels),
        Mistake("the reference is a share already: divide the offsets alone", _both_divided),
        Mistake("offsets are pixels, places are shares: divide by the size, do not multiply", _multiplied),
        Mistake("looks may fall outside the picture, where the value is zero: do not clamp them", _kept_inside),
    ),
)  # fmt: skip
