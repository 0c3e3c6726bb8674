"""Lab 17: boxes that are shaken, who may look at whom, what lies under a mask, and who paints first."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import torch
from torch import Tensor

from ..config import PanopticSegFormerConfig, for_classes, panoptic_segformer_toytown
from ..data.sample import Category
from ..inference.panoptic_segformer import segformer_panoptic
from ..inference.raw import RawPrediction
from ..model.output import logits_of_values
from ..model.parts.denoising import Noised
from ..model.parts.kernels import pooled
from .draws import noise
from .exercise import Case, Exercise, Mistake, Rules

# -- 17.1: boxes [N, 4] as centre x, y, width, height, noise, draws [N, 4] from 0 to 1 -> boxes [N, 4]


def _shaken(
    boxes: Tensor, noise: float, draws: Tensor, *, half: bool = True, sides: bool = True, both_ways: bool = True,
    inside: bool = True, of_box: bool = True, whole: bool = False,
) -> Tensor:  # fmt: skip
    """With switches for what goes wrong."""
    size = boxes[:, 2:] if of_box else torch.ones_like(boxes[:, 2:])
    reach = torch.cat([size / 2 if half else size, (size / 2 if whole else size) * sides], dim=1)
    moved = boxes + (2 * draws - 1 if both_ways else draws) * reach * noise
    return moved.clamp(0, 1) if inside else moved


def _cases_shaken() -> list[Case]:
    boxes = torch.tensor([[0.3, 0.4, 0.2, 0.4], [0.9, 0.8, 0.6, 0.5], [0.05, 0.5, 0.1, 1.0]])
    draws = torch.tensor([[0.0, 1.0, 0.25, 0.75], [1.0, 1.0, 0.0, 1.0], [0.0, 0.5, 0.1, 1.0]])
    return [
        Case("by hand", boxes[:1], 0.5, draws[:1]),
        Case("no noise", boxes, 0.0, draws),
        Case("draws of one half change nothing", boxes, 0.4, torch.full((3, 4), 0.5)),
        Case("near the border", boxes, 0.4, draws),
        Case("as much as there is", boxes, 1.0, draws),
    ]


# -- 17.2: groups, queries of each, other queries -> bool [T, T], T = groups * most + others


def _may_look(groups: int, most: int, others: int) -> Tensor:
    noised = Noised(content=torch.zeros(1, groups * most, 1), box_logits=None, groups=groups, most=most)
    return noised.allowed(others)


def _cases_may_look() -> list[Case]:
    return [
        Case("by hand", 2, 1, 1),
        Case("three groups of two, four others", 3, 2, 4),
        Case("one group", 1, 3, 5),
        Case("no group", 0, 4, 3),
        Case("more noised queries than others", 4, 5, 2),
    ]


def _looks(
    groups: int, most: int, others: int, *, told: bool = False, alone: bool = False, mixed: bool = False,
    apart: bool = False, in_turn: bool = False,
) -> Tensor:  # fmt: skip
    """The answer written once more, with switches for what goes wrong."""
    noised = groups * most
    may = torch.zeros(noised + others, noised + others, dtype=torch.bool)
    for start in range(0, noised, most or 1):
        may[start : start + most, start : start + most] = torch.eye(most, dtype=torch.bool) if apart else True
    may[noised:, noised:] = True
    if in_turn:
        of = torch.arange(groups).repeat(most)
        may[:noised, :noised] = of[:, None] == of
    if mixed:
        may[:noised, :noised] = True
    if not alone:
        may[:noised, noised:] = True
    if told:
        may[noised:, :noised] = True
    return may


# -- 17.3: features [C, h, w], mask logits [Q, h, w] -> [Q, C]


def _gathered(features: Tensor, masks: Tensor) -> Tensor:
    return pooled(features[None], masks[None])[0]


def _cases_gathered() -> list[Case]:
    draw = torch.Generator().manual_seed(3)
    features, masks = torch.randn(4, 5, 6, generator=draw), torch.randn(3, 5, 6, generator=draw)
    empty = masks.clone()
    empty[1] = -1.0
    by_hand = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]), torch.tensor([[[1.0, -1.0], [-2.0, 0.5]]])
    return [
        Case("by hand", *by_hand),
        Case("three masks", features, masks),
        Case("an empty mask", features, empty),
        Case("a mask of logits 0", features, torch.zeros(1, 5, 6)),
        Case("a mask that is all", features, torch.ones(1, 5, 6)),
    ]


def _weighed(features: Tensor, weights: Tensor) -> Tensor:
    return torch.einsum("qhw,chw->qc", weights.to(features), features)


def _inside(masks: Tensor) -> Tensor:
    return (masks > 0).float()


# -- 17.4: class probabilities [N], masks as numbers [N, H, W], least score, least share -> int [H, W]


@cache
def _config(count: int, least_share: float) -> PanopticSegFormerConfig:
    """One class of things, and so many queries."""
    one = for_classes(panoptic_segformer_toytown(), [Category(1, "thing", is_thing=True)])
    return replace(one, thing_queries=count, overlap_threshold=least_share)


def _painted(classes: Tensor, masks: Tensor, least: float, share: float) -> Tensor:
    """The package's merge, of one query for each mask."""
    size = tuple(masks.shape[-2:])
    logits = classes.double().logit().to(classes)[:, None]
    raw = RawPrediction(logits, logits_of_values(masks), size, size, size, no_object=False)
    return segformer_panoptic(raw, _config(len(classes), share), least)[0].long()


def _cases_painted() -> list[Case]:
    bars = torch.zeros(3, 6, 8)
    bars[0, :, :4], bars[1, :, 2:6], bars[2, :, 3:] = 1.0, 0.8, 0.9
    wide = torch.zeros(2, 6, 8)
    wide[0, 1:5], wide[1, :, 1:7] = 1.4, 1.0
    nested = torch.full((2, 6, 8), 0.3)
    nested[0, 2:4, 2:4], nested[1, 1:5, 1:6] = 0.95, 0.95
    return [
        Case("three bars side by side", torch.tensor([0.9, 0.8, 0.7]), bars, 0.1, 0.4),
        Case("a sure class with a pale mask", torch.tensor([0.7, 0.95, 0.6]), bars, 0.1, 0.4),
        Case("the second keeps too little", torch.tensor([0.9, 0.8]), wide, 0.1, 0.6),
        Case("two below the least score", torch.tensor([0.9, 0.2, 0.35]), bars, 0.3, 0.3),
        Case("one inside another, above a grey ground", torch.tensor([0.7, 0.65]), nested, 0.1, 0.5),
    ]


def _paint(
    classes: Tensor, masks: Tensor, least: float, share: float, *, power: int = 2, over: bool = False,
    keep: bool = False, everywhere: bool = False, raw_scores: bool = False, at_zero: bool = False,
    numbers: bool = False, more: int = 1, best: bool = True,
) -> Tensor:  # fmt: skip
    """The answer written once more, with switches for what goes wrong."""
    inside = masks > (0 if at_zero else 0.5)
    weighed = masks if everywhere else masks * inside
    pixels = masks[0].numel() if everywhere else inside.flatten(1).sum(1) + more
    scores = classes * (weighed.flatten(1).sum(1) / pixels) ** power
    segments, count = torch.zeros(masks.shape[1:], dtype=torch.int64), 0
    for n in scores.argsort(descending=best).tolist():
        free = inside[n] & (segments == 0)
        enough = keep or free.sum() / inside[n].sum() >= share
        if (classes if raw_scores else scores)[n] >= least and inside[n].any() and enough:
            count += 1
            segments[inside[n] if over else free] = n + 1 if numbers else count
    return segments


EXERCISES = (
    Exercise(
        id="17.1",
        name="shaken",
        reference=lambda boxes, noise, draws: _shaken(boxes, noise, draws),
        cases=_cases_shaken,
        drawn=noise.shaken,
        rules=Rules(never=("loops",)),
        mistakes=(
            Mistake("draws run from 0 to 1: 2 draws - 1 goes both ways, yours only makes boxes larger and moves them "
                    "right and down", lambda b, n, d: _shaken(b, n, d, both_ways=False)),
            Mistake("a centre moves by at most half a side times noise, or it leaves its box",
                    lambda b, n, d: _shaken(b, n, d, half=False)),
            Mistake("the sides are shaken too: they grow or shrink by up to noise times themselves",
                    lambda b, n, d: _shaken(b, n, d, sides=False)),
            Mistake("sides change by up to noise times all of themselves: the half is for the centre",
                    lambda b, n, d: _shaken(b, n, d, whole=True)),
            Mistake("a share of the picture is at least 0 and at most 1: clamp the result",
                    lambda b, n, d: _shaken(b, n, d, inside=False)),
            Mistake("noise is a share of the box's own sides, not of the picture",
                    lambda b, n, d: _shaken(b, n, d, of_box=False)),
        ),
    ),
    Exercise(
        id="17.2",
        name="may_look",
        reference=_may_look,
        cases=_cases_may_look,
        drawn=noise.groups,
        rules=Rules(never=("loops",)),
        mistakes=(
            Mistake("rows look, columns are looked at: yours is transposed, and lets the others see the truth",
                    lambda g, m, n: _looks(g, m, n).T),
            Mistake("the others must not look at noised queries: they would copy the truth",
                    lambda g, m, n: _looks(g, m, n, told=True)),
            Mistake("noised queries may look at the others as well as at their own group",
                    lambda g, m, n: _looks(g, m, n, alone=True)),
            Mistake("one group must not see another: only blocks on the diagonal",
                    lambda g, m, n: _looks(g, m, n, mixed=True)),
            Mistake("within a group all see each other, not only themselves",
                    lambda g, m, n: _looks(g, m, n, apart=True)),
            Mistake("a group's queries stand side by side: 0, 0, 1, 1 (repeat_interleave), not 0, 1, 0, 1 (repeat)",
                    lambda g, m, n: _looks(g, m, n, in_turn=True)),
            Mistake("True means may look; yours says where not", lambda g, m, n: ~_looks(g, m, n)),
        ),
    ),
    Exercise(
        id="17.3",
        name="gathered",
        reference=_gathered,
        cases=_cases_gathered,
        drawn=noise.features,
        rules=Rules(never=("loops",)),
        mistakes=(
            Mistake("a sum, not a mean: what a kernel gathers grows with its mask",
                    lambda f, m: _weighed(f, _inside(m)) / _inside(m).flatten(1).sum(1).clamp_min(1)[:, None]),
            Mistake("the mask is 0 or 1 here, not a probability: inside is where its logit is above 0",
                    lambda f, m: _weighed(f, m.sigmoid())),
            Mistake("inside is where the logit is above 0, not the probability: 0.5 is a logit of 0",
                    lambda f, m: _weighed(f, m > 0.5)),
            Mistake("a logit of exactly 0 is outside", lambda f, m: _weighed(f, m >= 0)),
            Mistake("logits say where, not how much: make 0 and 1 of them first", lambda f, m: _weighed(f, m)),
            Mistake("one row for each mask, one column for each channel: yours is transposed",
                    lambda f, m: _weighed(f, _inside(m)).T),
        ),
    ),
    Exercise(
        id="17.4",
        name="painted",
        reference=_painted,
        cases=_cases_painted,
        drawn=noise.painted,
        mistakes=(
            Mistake("the quality is squared in the score", lambda *given: _paint(*given, power=1)),
            Mistake("the quality is divided by the pixels inside plus 1: that 1 is missing",
                    lambda *given: _paint(*given, more=0)),
            Mistake("the best paints first: yours begins with the worst", lambda *given: _paint(*given, best=False)),
            Mistake("the quality is missing: a score is the class probability times the squared mean inside the mask",
                    lambda *given: _paint(*given, power=0)),
            Mistake("quality is the mean inside the mask alone, not over the whole picture",
                    lambda *given: _paint(*given, everywhere=True)),
            Mistake("what is painted stays: a later mask gets only what is free",
                    lambda *given: _paint(*given, over=True)),
            Mistake("a mask that would keep less than its share is left out, not painted where it can be",
                    lambda *given: _paint(*given, keep=True)),
            Mistake("compare the score with the least one, not the class probability",
                    lambda *given: _paint(*given, raw_scores=True)),
            Mistake("inside is above one half: these are numbers from 0 on, not logits",
                    lambda *given: _paint(*given, at_zero=True)),
            Mistake("count what is painted, from 1, in the order of painting",
                    lambda *given: _paint(*given, numbers=True)),
        ),
    ),
)  # fmt: skip
