"""Lab 02: sizes of maps, one top-down step, the whole feature pyramid."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..model.parts.fpn import FPNPixelDecoder, FPNStep
from .draws import parts
from .exercise import Case, Exercise, Mistake

Layers = list[tuple[int, int, int]]  # (kernel, stride, padding)
Maps = list[Tensor]

# -- 02.1: side of the picture, layers -> the side after each layer


def _sizes(side: int, layers: Layers) -> list[int]:
    """Asks the convolutions themselves."""
    sizes, x = [], torch.zeros(1, 1, side, side, device="meta")
    for kernel, stride, padding in layers:
        x = nn.Conv2d(1, 1, kernel, stride, padding, device="meta")(x)
        sizes.append(x.shape[-1])
    return sizes


def _cases_sizes() -> list[Case]:
    return [
        Case("five of stride 2", 128, [(3, 2, 1)] * 5),
        Case("an odd side", 101, [(3, 2, 1)] * 3),
        Case("the stem of ResNet", 225, [(7, 2, 3), (3, 2, 1), (1, 1, 0)]),
        Case("patches of 4", 130, [(4, 4, 0), (2, 2, 0)]),
        Case("no padding", 20, [(3, 1, 0), (5, 2, 0)]),
        Case("no layer", 64, []),
    ]


def _chain(rule: Callable[[int, int, int, int], int]) -> Callable[[int, Layers], list[int]]:
    """An answer that applies ``rule(n, kernel, stride, padding)`` layer after layer."""

    def sizes(side: int, layers: Layers) -> list[int]:
        found = []
        for layer in layers:
            found.append(side := rule(side, *layer))
        return found

    return sizes


# -- 02.2: lateral [B, C, H, W], coarse [B, C, h, w] -> [B, C, H, W]


def _top_down(lateral: Tensor, coarse: Tensor) -> Tensor:
    """The package's step without its convolutions."""
    step = FPNStep(1, 1)
    step.lateral, step.output = nn.Identity(), nn.Identity()
    return step(lateral, coarse)


def _cases_top_down() -> list[Case]:
    draw = torch.Generator().manual_seed(2)

    def maps(channels: int, *sizes: tuple[int, int], batch: int = 1) -> list[Tensor]:
        return [torch.randn(batch, channels, *size, generator=draw) for size in sizes]

    return [
        Case("twice the side", *maps(3, (8, 8), (4, 4))),
        Case("wide pictures", *maps(2, (6, 10), (3, 5), batch=2)),
        Case("an odd side", *maps(2, (7, 5), (4, 3))),
        Case("one position", *maps(4, (2, 2), (1, 1))),
        Case("large values", *(1000 * m for m in maps(1, (4, 4), (2, 2)))),
    ]


def _enlarged(lateral: Tensor, coarse: Tensor, **mode) -> Tensor:
    return F.interpolate(coarse, size=lateral.shape[-2:], **mode)


# -- 02.3: features (finest first), top, steps (coarsest first), projection -> mask features, three maps


def _pyramid(features: Maps, top: nn.Module, steps: list, projection: nn.Module) -> tuple[Tensor, Maps]:
    """The package's FPN with these parts."""
    decoder = FPNPixelDecoder([1] * len(features), 1)
    decoder.top, decoder.steps, decoder.mask_projection = top, nn.ModuleList(steps), projection
    return decoder(features)


def _cases_pyramid() -> list[Case]:
    cases, wanted = (
        [],
        (("square", (64, 64), 1), ("wide, two pictures", (64, 96), 2), ("one position", (32, 32), 2)),
    )
    for name, size, batch in wanted:
        with torch.random.fork_rng():
            torch.manual_seed(len(cases))
            decoder = FPNPixelDecoder([8] * 4, 8).requires_grad_(False)
            features = [torch.randn(batch, 8, size[0] // s, size[1] // s) for s in (4, 8, 16, 32)]
        cases.append(Case(name, features, decoder.top, list(decoder.steps), decoder.mask_projection))
    return cases


def _climb(features: Maps, top: nn.Module, steps: list) -> Maps:
    maps = [top(features[-1])]
    for step, fine in zip(steps, features[-2::-1]):
        maps.append(step(fine, maps[-1]))
    return maps


def _without_projection(features: Maps, top: nn.Module, steps: list, projection: nn.Module) -> tuple[Tensor, Maps]:
    maps = _climb(features, top, steps)
    return maps[-1], maps[:3]


def _finest_first(features: Maps, top: nn.Module, steps: list, projection: nn.Module) -> tuple[Tensor, Maps]:
    maps = _climb(features, top, steps)
    return projection(maps[-1]), maps[:3][::-1]


def _all_four(features: Maps, top: nn.Module, steps: list, projection: nn.Module) -> tuple[Tensor, Maps]:
    maps = _climb(features, top, steps)
    return projection(maps[-1]), maps


def _raw_maps_below(features: Maps, top: nn.Module, steps: list, projection: nn.Module) -> tuple[Tensor, Maps]:
    maps = [top(features[-1])]
    for step, fine, coarse in zip(steps, features[-2::-1], features[:0:-1]):
        maps.append(step(fine, coarse))
    return projection(maps[-1]), maps[:3]


def _without_top(features: Maps, top: nn.Module, steps: list, projection: nn.Module) -> tuple[Tensor, Maps]:
    return _finished(features[-1], features, steps, projection)


def _finished(start: Tensor, features: Maps, steps: list, projection: nn.Module) -> tuple[Tensor, Maps]:
    maps = [start]
    for step, fine in zip(steps, features[-2::-1]):
        maps.append(step(fine, maps[-1]))
    return projection(maps[-1]), maps[:3]


def _steps_reversed(features: Maps, top: nn.Module, steps: list, projection: nn.Module) -> tuple[Tensor, Maps]:
    return _finished(top(features[-1]), features, steps[::-1], projection)


EXERCISES = (
    Exercise(
        id="02.1",
        name="sizes",
        reference=_sizes,
        cases=_cases_sizes,
        drawn=parts.layers,
        mistakes=(
            Mistake("the padding is on both sides: add it twice", _chain(lambda n, k, s, p: (n + p - k) // s + 1)),
            Mistake("the first position needs the kernel alone, every stride adds one more: + 1 at the end",
                    _chain(lambda n, k, s, p: (n + 2 * p - k) // s)),
            Mistake("round down before you add 1: a kernel that sticks out at the end gives no value",
                    _chain(lambda n, k, s, p: -(-(n + 2 * p - k) // s) + 1)),
            Mistake("stride alone is not enough: kernel and padding decide about the last position",
                    _chain(lambda n, k, s, p: n // s)),
            Mistake("each layer is (kernel, stride, padding), in this order: yours takes the last two swapped",
                    _chain(lambda n, k, s, p: (n + 2 * s - k) // p + 1)),
            Mistake("each layer starts from the size that the one before left",
                    lambda side, layers: [(side + 2 * p - k) // s + 1 for k, s, p in layers]),
        ),
    ),
    Exercise(
        id="02.2",
        name="top_down",
        reference=_top_down,
        cases=_cases_top_down,
        drawn=parts.two_maps,
        gradients=True,
        mistakes=(
            Mistake("this copies blocks (mode='nearest', which is F.interpolate's default): use mode='bilinear'",
                    lambda lateral, coarse: lateral + _enlarged(lateral, coarse)),
            Mistake("align_corners=True stretches the map so that its corners meet: pixels are areas, leave it False",
                    lambda lateral, coarse: lateral + _enlarged(lateral, coarse, mode="bilinear", align_corners=True)),
            Mistake("the enlarged map alone: add the lateral one",
                    lambda lateral, coarse: _enlarged(lateral, coarse, mode="bilinear")),
            Mistake("the mean of both: an FPN adds them",
                    lambda lateral, coarse: _top_down(lateral, coarse) / 2),
        ),
    ),
    Exercise(
        id="02.3",
        name="pyramid",
        reference=_pyramid,
        cases=_cases_pyramid,
        drawn=parts.pyramid,
        gradients=True,
        mistakes=(
            Mistake("the mask features are the finest map after 'projection'", _without_projection),
            Mistake("the three maps are wanted coarsest first: strides 32, 16, 8", _finest_first),
            Mistake("three maps, at strides 32, 16 and 8: the finest becomes the mask features", _all_four),
            Mistake("each step takes the map that the step before it *finished*, not the backbone's", _raw_maps_below),
            Mistake("the coarsest map goes through 'top' before anything else", _without_top),
            Mistake("the steps are listed from coarse to fine already: take them in order", _steps_reversed),
        ),
    ),
)  # fmt: skip
