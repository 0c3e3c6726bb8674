"""Lab 13: parameter groups, the learning rate over time, averaged weights, the total loss."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..training.config import TrainConfig
from ..training.optim import AveragedWeights, lr_factor
from .draws import results
from .exercise import Case, Exercise, Mistake
from .longer.parameter_settings import SETTINGS

State = dict[str, Tensor]

# -- 13.2: steps, warm-up steps, final share -> share of the peak rate at every step


def _shares(steps: int, warmup: int, final: float) -> list[float]:
    config = TrainConfig(steps=steps, warmup_steps=warmup, final_lr=final)
    return [lr_factor(step, step / steps, config) for step in range(steps)]


def _cases_shares() -> list[Case]:
    return [
        Case("ten steps", 10, 3, 0.01),
        Case("no warm-up", 8, 0, 0.01),
        Case("down to nothing", 12, 4, 0.0),
        Case("warm-up longer than the run", 5, 20, 0.1),
        Case("one step", 1, 1, 0.01),
    ]


def _rule(rule: Callable[[int, int, int, float], float]) -> Callable[[int, int, float], list[float]]:
    return lambda steps, warmup, final: [rule(step, steps, warmup, final) for step in range(steps)]


def _rise(step: int, warmup: int) -> float:
    return min(1.0, (step + 1) / max(1, warmup))


def _fall(share: float, final: float) -> float:
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * share))


# -- 13.3: average, weights after each step, decay -> the average after all of them


def _average(start: State, states: list[State], decay: float) -> State:
    holder = nn.Module()  # all that the package's average asks a model for
    holder.state_dict = lambda: start
    holder.named_parameters = lambda: [(name, value) for name, value in start.items() if value.is_floating_point()]
    average = AveragedWeights(holder, decay)
    for state in states:
        holder.state_dict = lambda state=state: state
        average.update(holder)
    return average.state


def _cases_average() -> list[Case]:
    draw = torch.Generator().manual_seed(3)

    def state(step: int, scale: float = 1.0) -> State:
        return {"weight": scale * torch.randn(2, 3, generator=draw), "batches": torch.tensor(step)}

    return [
        Case("one step", state(0), [state(1)], 0.99),
        Case("many steps", state(0), [state(i) for i in range(1, 31)], 0.99),
        Case("a small decay", state(0), [state(i) for i in range(1, 6)], 0.3),
        Case("no step", state(0), [], 0.9),
        Case("large weights", state(0, 1e3), [state(i, 1e3) for i in range(1, 9)], 0.95),
    ]


def _following(decays: Callable[[int, float], float], counters: bool = True, swapped: bool = False) -> Callable:
    """An answer with its own idea of the decay at an update (counted from 1)."""

    def average(start: State, states: list[State], decay: float) -> State:
        found = {name: value.clone() for name, value in start.items()}
        for update, state in enumerate(states, start=1):
            d = decays(update, decay)
            d = 1 - d if swapped else d
            for name, value in state.items():
                if value.is_floating_point():
                    found[name] = d * found[name] + (1 - d) * value
                elif counters:
                    found[name] = value.clone()
        return found

    return average


def _growing(update: int, decay: float) -> float:
    return min(decay, (1 + update) / (10 + update))


# -- 13.4: losses of each prediction, contrastive loss, weights -> total


def _total(by_prediction: State, contrastive: Tensor, weights: dict[str, float]) -> Tensor:
    """As the criterion adds them up."""
    layers = sum(weights[name] * losses.sum() for name, losses in by_prediction.items())
    return layers + weights["contrastive"] * contrastive


_WEIGHTS = {"class": 2.0, "mask": 5.0, "dice": 5.0, "contrastive": 0.5}


def _cases_total() -> list[Case]:
    draw = torch.Generator().manual_seed(4)

    def losses(count: int) -> State:
        return {name: torch.rand(count, generator=draw) for name in ("class", "mask", "dice")}

    return [
        Case("ten predictions", losses(10), torch.tensor(1.5), _WEIGHTS),
        Case("one prediction", losses(1), torch.tensor(0.7), _WEIGHTS),
        Case("a batch of one image", losses(4), torch.tensor(0.0), _WEIGHTS),
        Case("other weights", losses(7), torch.tensor(2.0), _WEIGHTS | {"mask": 20.0, "contrastive": 0.0}),
    ]


def _adding(reduce: Callable[[Tensor], Tensor], weigh: bool = True, times: bool = False) -> Callable:
    """An answer with its own way over the predictions."""

    def total(by_prediction: State, contrastive: Tensor, weights: dict[str, float]) -> Tensor:
        w = weights if weigh else dict.fromkeys(weights, 1.0)
        count = len(by_prediction["class"]) if times else 1
        found = sum(w[name] * reduce(losses) for name, losses in by_prediction.items())
        return found + count * w["contrastive"] * contrastive

    return total


EXERCISES = (
    SETTINGS,
    Exercise(
        id="13.2",
        name="shares",
        reference=_shares,
        cases=_cases_shares,
        drawn=results.schedule,
        mistakes=(
            Mistake("the first step must not have a rate of 0: count from 1 in the warm-up, (step + 1) / warm-up steps",
                    _rule(lambda s, n, w, f: (min(1.0, s / w) if w else 1.0) * _fall(s / n, f))),
            Mistake("the cosine falls to 'final', not to 0: final + (1 - final) * ...",
                    _rule(lambda s, n, w, f: _rise(s, w) * _fall(s / n, 0.0))),
            Mistake("half a cosine: from 0 to pi, not to 2 pi",
                    _rule(lambda s, n, w, f: _rise(s, w) * _fall(2 * s / n, f))),
            Mistake("the warm-up is missing", _rule(lambda s, n, w, f: _fall(s / n, f))),
            Mistake("the cosine runs over the whole training from step 0 on, warm-up included: they are multiplied",
                    _rule(lambda s, n, w, f: _rise(s, w) if s < w else _fall((s - w) / (n - w), f))),
            Mistake("'final' would be reached at step 'steps', one after the last: divide by steps, not by steps - 1",
                    _rule(lambda s, n, w, f: _rise(s, w) * _fall(s / max(n - 1, 1), f))),
            Mistake("the cosine falls to 'final' smoothly, final + (1 - final) * ...: yours is cut off there",
                    _rule(lambda s, n, w, f: _rise(s, w) * max(f, _fall(s / n, 0.0)))),
            Mistake("it begins at 1: what is added to the cosine must be taken from its height, (1 - final) * ...",
                    _rule(lambda s, n, w, f: _rise(s, w) * (f + _fall(s / n, 0.0)))),
            Mistake("half a cosine, not a straight line",
                    _rule(lambda s, n, w, f: _rise(s, w) * (1 - (1 - f) * s / n))),
        ),
    ),
    Exercise(
        id="13.3",
        name="average",
        reference=_average,
        cases=_cases_average,
        drawn=results.states,
        mistakes=(
            Mistake("early on the decay is smaller, (1 + t) / (10 + t), or the average is mostly its start",
                    _following(lambda update, decay: decay)),
            Mistake("old and new are swapped: decay is the share of the old average",
                    _following(_growing, swapped=True)),
            Mistake("count the updates from 1: the first decay is 2 / 11",
                    _following(lambda update, decay: _growing(update - 1, decay))),
            Mistake("the decay grows up to 'decay', not beyond: take the smaller one",
                    _following(lambda update, decay: (1 + update) / (10 + update))),
            Mistake("counters (whole numbers) are copied, not averaged", _following(_growing, counters=False)),
        ),
    ),
    Exercise(
        id="13.4",
        name="total",
        reference=_total,
        cases=_cases_total,
        drawn=results.losses,
        gradients=True,
        mistakes=(
            Mistake("sum over the predictions, do not average: each layer is trained at full weight",
                    _adding(torch.mean)),
            Mistake("deep supervision: every prediction counts, not the last alone", _adding(lambda x: x[-1])),
            Mistake("the contrastive loss is there once, not once for each prediction", _adding(torch.sum, times=True)),
            Mistake("each loss has its weight", _adding(torch.sum, weigh=False)),
            Mistake("the contrastive loss has its weight too",
                    lambda by, c, weights: _total(by, c, weights | {"contrastive": 1.0})),
            Mistake("every prediction counts: yours leaves out the last", _adding(lambda x: x[:-1].sum())),
        ),
    ),
)  # fmt: skip
