"""Exercise 13.1: who learns how fast and who decays, with the package's parameter groups for reference."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ...training.config import TrainConfig
from ...training.optim import parameter_groups
from ..draws import results
from ..exercise import Case, Exercise, Mistake

Settings = dict[str, tuple[float, float]]  # parameter -> (learning rate, weight decay)

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


SETTINGS = Exercise(
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
)  # fmt: skip
