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
    temperature) do, as in the released code (official ``train_net.py``, ``build_optimizer``).
    """
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for module_name, module in model.named_modules():
        exempt = isinstance(module, (*_NORMS, nn.Embedding))
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad:
                decays = not exempt and name not in _NO_DECAY_NAMES
                groups.setdefault((module_name.startswith("backbone"), decays), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": config.lr * (config.backbone_lr_multiplier if backbone else 1.0),
            "weight_decay": config.weight_decay if decays else 0.0,
        }
        for (backbone, decays), parameters in groups.items()
    ]


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


def lr_factor(step: int, progress: float, config: TrainConfig) -> float:
    """Share of the peak learning rate: linear warm-up over steps, then the schedule over the budget. Lesson 13.

    ``progress`` in [0, 1] is the used share of the steps or of the minutes.
    """
    warmup = min(1.0, (step + 1) / max(1, config.warmup_steps))
    progress = min(1.0, progress)
    if config.schedule == "multistep":  # COCO, as published
        return warmup * 0.1 ** sum(progress >= drop for drop in config.lr_drops)
    if config.schedule == "poly":  # the other published data sets: detectron2's WarmupPolyLR
        return warmup * (1 - progress) ** 0.9
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return warmup * (config.final_lr + (1 - config.final_lr) * cosine)


def set_lr(optimizer: torch.optim.Optimizer, factor: float) -> float:
    """Scale every group's peak; returns the learning rate of the parts outside the backbone."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak_lr"] * factor
    return max(group["lr"] for group in optimizer.param_groups)


class AveragedWeights:
    """An exponential moving average of weights and running statistics, for evaluation and saving. Lesson 13.

    The decay grows with the steps, (1 + t) / (10 + t), so that an early average is not its start.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self.state = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights of ``model`` after a step; counters are copied."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        state = model.state_dict()
        floating = [name for name, value in state.items() if value.is_floating_point()]
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
