"""Lab 22: the optimiser of your OneFormer: clipped gradients, a step of AdamW, the curve of its losses."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .draws import results
from .exercise import Case, Exercise, Mistake, Rules

Step = tuple[Tensor, Tensor, Tensor]  # value, mean, square

# -- 22.1: gradients of any shapes, the most that their common length may be -> the gradients


def _clipped(gradients: list[Tensor], most: float) -> list[Tensor]:
    """The package's trainer calls the same function of PyTorch."""
    parameters = [nn.Parameter(torch.zeros_like(g)) for g in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    nn.utils.clip_grad_norm_(parameters, most)
    return [parameter.grad for parameter in parameters]


def _cases_clipped() -> list[Case]:
    draw = torch.Generator().manual_seed(1)
    large = [3 * torch.randn(2, 3, generator=draw), torch.randn(4, generator=draw)]
    return [
        Case("too long together", large, 1.0),
        Case("short enough", [0.01 * g for g in large], 1.0),
        Case("one long, one short", [torch.tensor([30.0, 40.0]), torch.tensor([[0.5]])], 5.0),
        Case("nothing but zeros", [torch.zeros(2), torch.zeros(1, 2)], 1.0),
        Case("one number", [torch.tensor(-8.0)], 2.0),
    ]


def _length(gradients: list[Tensor]) -> Tensor:
    return torch.stack([g.square().sum() for g in gradients]).sum().sqrt()


def _each_alone(gradients: list[Tensor], most: float) -> list[Tensor]:
    return [_clipped([g], most)[0] for g in gradients]


def _each_value(gradients: list[Tensor], most: float) -> list[Tensor]:
    return [g.clamp(-most, most) for g in gradients]


def _always_scaled(gradients: list[Tensor], most: float) -> list[Tensor]:
    return [g * most / (_length(gradients) + 1e-6) for g in gradients]


def _by_length(
    length: Callable[[list[Tensor]], Tensor], inverted: bool = False
) -> Callable[[list[Tensor], float], list[Tensor]]:
    """With another length, or its inverse."""

    def clipped(gradients: list[Tensor], most: float) -> list[Tensor]:
        found = float(length(gradients))
        factor = found / most if inverted else most / (found + 1e-6)
        return [g * min(1.0, factor) for g in gradients]

    return clipped


def _sum_of_lengths(gradients: list[Tensor]) -> Tensor:
    return torch.stack([g.norm() for g in gradients]).sum()


def _largest_length(gradients: list[Tensor]) -> Tensor:
    return torch.stack([g.norm() for g in gradients]).max()


def _largest_value(gradients: list[Tensor]) -> Tensor:
    return torch.stack([g.abs().max() for g in gradients]).max()


def _sum_of_means(gradients: list[Tensor]) -> Tensor:
    return torch.stack([g.square().mean() for g in gradients]).sum().sqrt()


def _longer(gradients: list[Tensor], most: float) -> list[Tensor]:
    factor = max(1.0, most / (float(_length(gradients)) + 1e-6))
    return [g * factor for g in gradients]


def _by_the_square(gradients: list[Tensor], most: float) -> list[Tensor]:
    return [g * min(1.0, most / (float(_length(gradients)) ** 2 + 1e-6)) for g in gradients]


def _by_absolute_values(gradients: list[Tensor], most: float) -> list[Tensor]:
    total = sum(float(g.abs().sum()) for g in gradients)
    return [g * min(1.0, most / (total + 1e-6)) for g in gradients]


# -- 22.2: value, gradient, mean, square, step (from 1), rate, decay -> value, mean, square


def _adamw(value: Tensor, gradient: Tensor, mean: Tensor, square: Tensor, step: int, rate: float, decay: float) -> Step:
    """PyTorch's, of one parameter that has come so far."""
    with torch.no_grad():
        parameter = nn.Parameter(value.clone())
        parameter.grad = gradient.clone()
        optimizer = torch.optim.AdamW([parameter], lr=rate, weight_decay=decay, foreach=False)
        state = {"step": torch.tensor(float(step - 1)), "exp_avg": mean.clone(), "exp_avg_sq": square.clone()}
        optimizer.state[parameter] = state
        optimizer.step()
        return parameter.detach(), state["exp_avg"], state["exp_avg_sq"]


def _cases_adamw() -> list[Case]:
    draw = torch.Generator().manual_seed(2)

    def case(name: str, step: int, rate: float, decay: float, size: float = 1.0, start: float = 1.0) -> Case:
        value, gradient, mean, square = (torch.randn(2, 3, generator=draw) for _ in range(4))
        return Case(name, value, size * gradient, start * mean, start * square.square(), step, rate, decay)

    return [
        case("the first step", 1, 0.1, 0.05, start=0.0),
        case("later", 20, 0.01, 0.05),
        case("no decay", 3, 0.1, 0.0),
        case("no gradient", 5, 0.1, 0.5, size=0.0),
        case("large gradients", 2, 0.1, 0.05, size=1000.0),
    ]


def _rule(
    corrected: bool = True, decoupled: bool = True, root: bool = True, betas: tuple[float, float] = (0.9, 0.999),
    scaled: bool = True, sign: float = -1.0,
) -> Callable[..., Step]:  # fmt: skip
    """AdamW, or something like it."""

    def rule(
        value: Tensor, gradient: Tensor, mean: Tensor, square: Tensor, step: int, rate: float, decay: float
    ) -> Step:
        if not decoupled:
            gradient = gradient + decay * value
        mean = betas[0] * mean + (1 - betas[0]) * gradient
        square = betas[1] * square + (1 - betas[1]) * gradient.square()
        m, s = (mean / (1 - betas[0] ** step), square / (1 - betas[1] ** step)) if corrected else (mean, square)
        kept = value * (1 - (rate if scaled else 1.0) * decay) if decoupled else value
        return kept + sign * rate * m / ((s.sqrt() if root else s) + 1e-8), mean, square

    return rule


# -- 22.3: losses, share of the old -> smoothed losses


def _smoothed(losses: list[float], share: float) -> list[float]:
    total, found = 0.0, []
    for count, loss in enumerate(losses, start=1):
        total = share * total + (1 - share) * loss
        found.append(total / (1 - share**count))
    return found


def _cases_smoothed() -> list[Case]:
    return [
        Case("falling", [8.0, 4.0, 2.0, 1.0], 0.9),
        Case("constant", [3.0] * 5, 0.99),
        Case("nothing kept", [5.0, 1.0, 4.0], 0.0),
        Case("one loss", [7.0], 0.9),
        Case("one outlier", [1.0, 1.0, 50.0, 1.0, 1.0], 0.5),
    ]


def _from_zero(losses: list[float], share: float) -> list[float]:
    return [value * (1 - share**count) for count, value in enumerate(_smoothed(losses, share), start=1)]


def _from_the_first(losses: list[float], share: float) -> list[float]:
    found = losses[:1]
    for loss in losses[1:]:
        found.append(share * found[-1] + (1 - share) * loss)
    return found


def _running_mean(losses: list[float], share: float) -> list[float]:
    return [sum(losses[:n]) / n for n in range(1, len(losses) + 1)]


EXERCISES = (
    Exercise(
        id="22.1",
        name="clipped",
        reference=_clipped,
        cases=_cases_clipped,
        drawn=results.gradients,
        rules=Rules(never=("clip_grad_norm_", "clip_grad_value_")),
        mistakes=(
            Mistake("the gradients have one length together: clipped one by one, the step would turn", _each_alone),
            Mistake("do not cut single numbers: make all shorter by one factor, so that the direction stays",
                    _each_value),
            Mistake("gradients that are short enough stay as they are: the factor is at most 1", _always_scaled),
            Mistake("the length is the root of the sum of squares: the root is missing", _by_the_square),
            Mistake("the length is the root of the sum of squares, not the sum of absolute values",
                    _by_absolute_values),
            Mistake("lengths do not add up: add the squares of all numbers, then take one root",
                    _by_length(_sum_of_lengths)),
            Mistake("the length of all together counts, not that of the longest gradient",
                    _by_length(_largest_length)),
            Mistake("the length counts, not the largest number", _by_length(_largest_value)),
            Mistake("a length is the root of a sum of squares, not of their mean", _by_length(_sum_of_means)),
            Mistake("the factor is most / length, at most 1: yours is upside down",
                    _by_length(_length, inverted=True)),
            Mistake("the factor is at MOST 1, min(1, ...): clipping makes nothing longer", _longer),
        ),
    ),
    Exercise(
        id="22.2",
        name="adamw",
        reference=_adamw,
        cases=_cases_adamw,
        drawn=results.moments,
        rules=Rules(never=("AdamW", "adamw")),
        mistakes=(
            Mistake("mean and square start at 0 and are too small at first: divide them by 1 - beta to the power of "
                    "the step", _rule(corrected=False)),
            Mistake("this is Adam: in AdamW the decay acts on the value alone, and mean and square never see it",
                    _rule(decoupled=False)),
            Mistake("divide by the root of the square, not by the square", _rule(root=False)),
            Mistake("the betas are swapped: the mean forgets faster, with 0.9", _rule(betas=(0.999, 0.9))),
            Mistake("the decay is scaled by the rate: value * (1 - rate * decay)", _rule(scaled=False)),
            Mistake("the sign: a step goes against the gradient", _rule(sign=1.0)),
        ),
    ),
    Exercise(
        id="22.3",
        name="smoothed",
        reference=_smoothed,
        cases=_cases_smoothed,
        drawn=results.curve,
        mistakes=(
            Mistake("the average starts at 0 and is too small at first: divide it by 1 - share to the power of the "
                    "count", _from_zero),
            Mistake("started at the first loss, that one counts for too long: start at 0 and correct", _from_the_first),
            Mistake("this is the mean of all so far: old losses must count less and less", _running_mean),
        ),
    ),
)  # fmt: skip
