"""Exercise 09.3: points where the model hesitates, with the package's own for reference."""

from __future__ import annotations

import torch
from torch import Tensor

from ...losses.points import sample_points, uncertain_points
from ..draws import results
from ..exercise import Case, Exercise, Mistake, Rules

# -- 09.3: [N, h, w], candidates [N, R, 2], others [N, P, 2], importance -> [N, P, 2]


def _hard_points(mask_logits: Tensor, candidates: Tensor, others: Tensor, importance: float) -> Tensor:
    """The package's, with the candidates as its first draw, the others as its second, and put in order."""
    draws, hard = iter((candidates, others)), int(importance * others.shape[1])
    points = uncertain_points(mask_logits, others.shape[1], 3.0, importance, lambda count: next(draws)[:, :count])
    doubt = _logits_at(mask_logits, points[:, :hard]).abs()
    first = points.gather(1, doubt.argsort(1)[..., None].expand(-1, -1, 2))
    return torch.cat([first, points[:, hard:]], dim=1)


def _cases_points() -> list[Case]:
    generator = torch.Generator().manual_seed(3)
    ramp = torch.linspace(-10, 10, 32).expand(32, 32)
    ramps, candidates = torch.stack([ramp, ramp.T]), torch.rand(2, 48, 2, generator=generator)
    others, noise = torch.rand(2, 16, 2, generator=generator), 4 * torch.randn(2, 12, 20, generator=generator)
    return [
        Case("unsure in the middle", ramps, candidates, others, 0.75),
        Case("a map that is not square", noise, candidates, others, 0.75),
        Case("half of them", ramps - 4, candidates, others, 0.5),
        Case("none by importance", ramps, candidates, others, 0.0),
        Case("all by importance", noise, candidates, others, 1.0),
        Case("one mask, four points", noise[:1], candidates[:1, :12], others[:1, :4], 0.75),
    ]


def _chosen(score: Tensor, candidates: Tensor, others: Tensor, count: int) -> Tensor:
    """The ``count`` candidates of lowest score, then as many others as there is room for."""
    best = score.argsort(dim=1)[:, :count]
    hard = torch.stack([points[order] for points, order in zip(candidates, best)])
    return torch.cat([hard, others[:, : max(0, others.shape[1] - count)]], dim=1)


def _logits_at(mask_logits: Tensor, points: Tensor) -> Tensor:
    return sample_points(mask_logits[:, None], points)[:, 0]


def _surest(mask_logits: Tensor, candidates: Tensor, others: Tensor, importance: float) -> Tensor:
    score = -_logits_at(mask_logits, candidates).abs()
    return _chosen(score, candidates, others, int(importance * others.shape[1]))


def _most_negative(mask_logits: Tensor, candidates: Tensor, others: Tensor, importance: float) -> Tensor:
    return _chosen(_logits_at(mask_logits, candidates), candidates, others, int(importance * others.shape[1]))


def _hard_alone(mask_logits: Tensor, candidates: Tensor, others: Tensor, importance: float) -> Tensor:
    return _chosen(_logits_at(mask_logits, candidates).abs(), candidates, others, others.shape[1])


def _unsorted(mask_logits: Tensor, candidates: Tensor, others: Tensor, importance: float) -> Tensor:
    doubt, count = _logits_at(mask_logits, candidates).abs(), int(importance * others.shape[1])
    places = doubt.argsort(dim=1)[:, :count].sort(dim=1).values
    first = candidates.gather(1, places[..., None].expand(-1, -1, 2))
    return torch.cat([first, others[:, : others.shape[1] - count]], dim=1)


def _last_of_others(mask_logits: Tensor, candidates: Tensor, others: Tensor, importance: float) -> Tensor:
    count = int(importance * others.shape[1])
    return _hard_points(mask_logits, candidates, others.roll(-count, 1), importance)


def _share_of_candidates(mask_logits: Tensor, candidates: Tensor, others: Tensor, importance: float) -> Tensor:
    score = _logits_at(mask_logits, candidates).abs()
    return _chosen(score, candidates, others, int(importance * candidates.shape[1]))


HARD_POINTS = Exercise(
    id="09.3",
    name="hard_points",
    reference=_hard_points,
    cases=_cases_points,
    drawn=results.points,
    rules=Rules(given=("sample_points",)),
    mistakes=(
        Mistake("these are the points where the model is surest: it hesitates where |logit| is small", _surest),
        Mistake("the lowest logit is a sure 'outside': take its absolute value first", _most_negative),
        Mistake("most uncertain first: yours has the chosen points in the order of the candidates", _unsorted),
        Mistake("the rest are the first of the others, yours takes the last", _last_of_others),
        Mistake("only a share, importance, of the P points is chosen; the rest come from others", _hard_alone),
        Mistake("importance is a share of the P points that are asked for, not of the candidates",
                _share_of_candidates),
    ),
)  # fmt: skip
