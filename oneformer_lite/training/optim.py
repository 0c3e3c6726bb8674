"""AdamW with the published parameter groups, the learning-rate schedule, and averaged weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .config import TrainConfig

_NORMS = (nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._BatchNorm)
# Swin's position parameters, exempt by name in the official train_net.py
_NO_DECAY_NAMES = ("relative_position_bias_table", "absolute_pos_embed")


def parameter_groups(model: nn.Module, config: TrainConfig) -> list[dict]:
    """At most four groups: backbone or not, decayed or not. Lesson 13.

    Norm layers and embeddings do not decay. Plain parameters (level and text position embeddings, the
    temperature) do, as in the released code (official ``train_net.py``, ``build_optimizer``). ``layer_decay`` makes a
    group of each block of the backbone, as far as the model counts them, ``decay_all`` exempts nothing.
    """
    groups: dict[tuple[bool, bool, float], list[nn.Parameter]] = {}
    for module_name, module in model.named_modules():
        exempt = isinstance(module, (*_NORMS, nn.Embedding))
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad:
                decays = config.decay_all or not exempt and name not in _NO_DECAY_NAMES
                key = module_name.startswith("backbone"), decays, layer_share(model, f"{module_name}.{name}", config)
                groups.setdefault(key, []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": config.lr * (config.backbone_lr_multiplier if backbone else 1.0) * share,
            "weight_decay": config.weight_decay if decays else 0.0,
            "backbone": backbone,
        }
        for (backbone, decays, share), parameters in groups.items()
    ]


def layer_share(model: nn.Module, parameter: str, config: TrainConfig) -> float:
    """Share of the full rate at which a parameter learns by ``config.layer_decay``, or as one of those that learn as
    slowly as a backbone (:attr:`MaskModel.slow_parts`)."""
    if any(part in parameter.split(".") for part in getattr(model, "slow_parts", ())):
        return config.backbone_lr_multiplier
    if config.layer_decay == 1:
        return 1.0
    above = model.layers_above(parameter)
    return 1.0 if above < config.full_rate_blocks else config.layer_decay**above


def build_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW; each group remembers its peak learning rate for :func:`set_lr`."""
    optimizer = torch.optim.AdamW(parameter_groups(model, config), fused=True)
    for group in optimizer.param_groups:
        group["peak_lr"] = group["lr"]
    return optimizer


def load_averages(optimizer: torch.optim.Optimizer, saved: dict) -> None:
    """Take over the averages of gradients from a saved state, but not its settings: those are the recipe's of now.

    Raises ValueError for averages that are not of their parameters' shapes, which the optimiser would not notice.
    """
    groups = [dict(group) for group in optimizer.param_groups]
    optimizer.load_state_dict(saved)
    for group, own in zip(optimizer.param_groups, groups):  # "lr" follows from the peak at every step
        group.update({name: value for name, value in own.items() if name not in ("params", "lr")})
    for parameter, averages in optimizer.state.items():
        for name, value in averages.items():
            shape = value.shape if isinstance(value, Tensor) else None
            if shape not in (parameter.shape, ()):
                raise ValueError(f"{name} of a parameter of shape {tuple(parameter.shape)} is of shape {shape}")


def lr_factor(step: int, progress: float, config: TrainConfig, backbone: bool = False) -> float:
    """Share of the peak learning rate: linear warm-up over steps, then the schedule over the budget. Lesson 13.

    ``progress`` in [0, 1] is the used share of the steps or of the minutes. The "two-stage" schedule has another one
    for the ``backbone``.
    """
    if config.schedule == "two-stage":
        return two_stage_factor(step, progress, config, backbone)
    warmup = min(1.0, (step + 1) / max(1, config.warmup_steps))
    progress = min(1.0, progress)
    if config.schedule == "multistep":  # COCO, as published
        return warmup * 0.1 ** sum(progress >= drop for drop in config.lr_drops)
    if config.schedule == "poly":  # the other published data sets: detectron2's WarmupPolyLR
        return warmup * (1 - progress) ** 0.9
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return warmup * (config.final_lr + (1 - config.final_lr) * cosine)


def two_stage_factor(step: int, progress: float, config: TrainConfig, backbone: bool) -> float:
    """What is new warms up first while the backbone rests, then the backbone; from there on each falls as (1 - share)
    ** 0.9 of what is left (official ``two_stage_warmup_poly_schedule.py`` of EoMT). How many steps there are in so many
    minutes is estimated from those that were taken."""
    begin = config.warmup_steps if backbone else 0
    end = begin + (config.backbone_warmup_steps if backbone else config.warmup_steps)
    if step < end:
        return max(0.0, (step - begin) / (end - begin))
    steps = config.steps or step / max(progress, 1e-9)
    return (1 - min(1.0, (step - end) / max(1, steps - end))) ** 0.9


def set_lr(optimizer: torch.optim.Optimizer, step: int, progress: float, config: TrainConfig) -> float:
    """Every group's share of its peak; returns the learning rate of the parts outside the backbone."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak_lr"] * lr_factor(step, progress, config, group["backbone"])
    return max(group["lr"] for group in optimizer.param_groups)


class AveragedWeights:
    """An exponential moving average of weights and running statistics, for evaluation and saving. Lesson 13.

    Other state, as counters and what a schedule has come to, is that of the newest step. The decay grows with the
    steps, (1 + t) / (10 + t), so that an early average is not its start.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self.state = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights of ``model`` after a step."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        state = model.state_dict()
        learned = {name for name, _ in model.named_parameters()}
        floating = [name for name in state if name in learned or name.endswith(("running_mean", "running_var"))]
        torch._foreach_lerp_(
            [self.state[name] for name in floating], [state[name] for name in floating], 1 - decay
        )
        for name in state.keys() - set(floating):
            self.state[name].copy_(state[name])

    def state_dict(self) -> dict:
        return {"updates": self.updates, "state": self.state}

    def load_state_dict(self, saved: dict) -> None:
        self.updates = saved["updates"]
        for name, value in saved["state"].items():
            self.state[name].copy_(value)
