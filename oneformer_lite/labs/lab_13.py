"""Lab 13: parameter groups, the learning rate over time, averaged weights, the total loss."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..training.config import TrainConfig
from ..training.optim import AveragedWeights, lr_factor, parameter_groups
from .draws import results
from .exercise import Case, Exercise, Mistake

Settings = dict[str, tuple[float, float]]  # parameter -> (learning rate, weight decay)
State = dict[str, Tensor]

# -- 13.1: model, rate, decay, multiplier -> rate and decay of each parameter that learns


def _settings(model: nn.Module, lr: float, decay: float, multiplier: float) -> Settings:
    config = TrainConfig(steps=1, lr=lr, weight_decay=decay, backbone_lr_multiplier=multiplier)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = parameter_groups(model, config)
    return {names[id(p)]: (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}


class _Small(nn.Module):
    """A backbone with a norm, a head, an embedding and a plain parameter."""

    def __init__(self, norm: Callable[[int], nn.Module] = nn.BatchNorm2d) -> None:
        super().__init__()
        self.backbone = nn.ModuleDict({"conv": nn.Conv2d(3, 4, 3), "norm": norm(4)})
        self.head = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))
        self.queries, self.temperature = nn.Embedding(3, 4), nn.Parameter(torch.zeros(()))


def _cases_settings() -> list[Case]:
    frozen = _Small()
    frozen.backbone.requires_grad_(False)
    return [
        Case("a small model", _Small(), 1e-3, 0.05, 0.1),
        Case("group norm", _Small(lambda channels: nn.GroupNorm(2, channels)), 2e-3, 0.1, 0.2),
        Case("a frozen backbone", frozen, 1e-3, 0.05, 0.1),
        Case("a norm alone", nn.LayerNorm(4), 1e-4, 0.05, 0.5),
    ]


_EXEMPT = (nn.LayerNorm, nn.GroupNorm, nn.BatchNorm2d, nn.Embedding)


def _by(
    exempt: Callable[[str, nn.Module, Tensor], bool], slow: Callable[[str], bool] | None = None, frozen: bool = False
) -> Callable[..., Settings]:
    """An answer with its own idea of who does not decay, and of who learns slowly."""

    def settings(model: nn.Module, lr: float, decay: float, multiplier: float) -> Settings:
        found = {}
        for place, module in model.named_modules():
            for name, parameter in module.named_parameters(recurse=False):
                whole = f"{place}.{name}".strip(".")
                slower = slow(whole) if slow else whole.startswith("backbone")
                if parameter.requires_grad or frozen:
                    rate = lr * multiplier if slower else lr
                    found[whole] = (rate, 0.0 if exempt(name, module, parameter) else decay)
        return found

    return settings


def _right(name: str, module: nn.Module, parameter: Tensor) -> bool:
    return isinstance(module, _EXEMPT)


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
    Exercise(
        id="13.1",
        name="settings",
        reference=_settings,
        cases=_cases_settings,
        drawn=results.networks,
        mistakes=(
            Mistake("norm layers and embeddings do not decay: look at the module that a parameter belongs to",
                    _by(lambda name, module, parameter: False)),
            Mistake("embeddings (the learned queries) do not decay either",
                    _by(lambda name, module, parameter: isinstance(module, _EXEMPT[:3]))),
            Mistake("biases decay as well, except those of norm layers: the module decides, not the name",
                    _by(lambda name, module, p: _right(name, module, p) or name == "bias")),
            Mistake("the backbone learns slowly, the rest at the full rate, not the other way round",
                    _by(_right, lambda name: not name.startswith("backbone"))),
            Mistake("parameters that are frozen do not belong to any group", _by(_right, frozen=True)),
        ),
    ),
    Exercise(
        id="13.2",
        name="shares",
        reference=_shares,
        cases=_cases_shares,
        drawn=results.schedule,
        mistakes=(
            Mistake("the first step must not have a rate of 0: count from 1 in the warm-up, (step + 1) / warm-up steps",
                    _rule(lambda s, n, w, f: (min(1.0, s / w) if w else 1.0) * _fall(s / n, f))),
            Mistake("the cosine falls to `final`, not to 0: final + (1 - final) * ...",
                    _rule(lambda s, n, w, f: _rise(s, w) * _fall(s / n, 0.0))),
            Mistake("half a cosine: from 0 to pi, not to 2 pi",
                    _rule(lambda s, n, w, f: _rise(s, w) * _fall(2 * s / n, f))),
            Mistake("the warm-up is missing", _rule(lambda s, n, w, f: _fall(s / n, f))),
            Mistake("the cosine runs over the whole training from step 0 on, warm-up included: they are multiplied",
                    _rule(lambda s, n, w, f: _rise(s, w) if s < w else _fall((s - w) / (n - w), f))),
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
            Mistake("the decay grows up to `decay`, not beyond: take the smaller one",
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
        ),
    ),
)  # fmt: skip
