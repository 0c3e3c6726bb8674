"""Is a recipe's learning rate of the size with which these models learn? Compared with those of the recipes here."""

from __future__ import annotations

from ..dataset_checks.findings import Finding
from .config import TrainConfig
from .recipes import coco_training, toytown_training

HIGH, ABSURD = 5.0, 50.0  # times the highest rate of a recipe
LOW = 0.01  # times the lowest
SHRINKING = 0.01  # share that weight decay takes of the weights in a step


def odd_rates(c: TrainConfig) -> tuple[str, bool]:
    """What is odd about the rates, in words, and whether learning with them is hopeless; empty if nothing is."""
    low, high = _usual()
    backbone = c.lr * c.backbone_lr_multiplier
    rate, name = max((c.lr, "the learning rate"), (backbone, "the backbone's learning rate"))
    if rate > HIGH * high:
        return f"{name} is {rate:g}, {rate / high:.0f} times the highest of {_known()}", rate > ABSURD * high
    if _is_low(c):
        peak = _peak(c)
        said = f"the learning rate is {peak:g}" if peak == c.lr else (
            f"the warm-up of {c.warmup_steps} steps is so much longer than the {c.steps} of the run that the learning "
            f"rate reaches {peak:g}"
        )  # fmt: skip
        return f"{said}, a {low / peak:.0f}th of the lowest of {_known()}", False
    if (share := c.lr * c.weight_decay) > SHRINKING:
        said = f"weight_decay={c.weight_decay:g} at a learning rate of {c.lr:g} shrinks weights by {share:.1%} a step"
        return said, True
    return "", False


def advice(c: TrainConfig) -> str:
    """What helps a run that does not learn, with its rates beside those of the recipes."""
    said = odd_rates(c)[0] or f"the learning rate is {c.lr:g}, those of {_known()}"
    clip = "" if c.clip_norm else ", and with clip_norm=1.0"
    which = "higher" if _is_low(c) else "lower"
    return f"{said[0].upper()}{said[1:]}: start again in another folder with a {which} one{clip}"


def check_rates(c: TrainConfig) -> Finding | None:
    """What is odd about the rates before a run begins, or None."""
    odd, hopeless = odd_rates(c)
    cure = f"a {'higher' if _is_low(c) else 'lower'} one learns, if any does"
    return Finding("recipe", "fault" if hopeless else "warning", odd, cure) if odd else None


def _is_low(c: TrainConfig) -> bool:
    return _peak(c) < LOW * _usual()[0]


def _peak(c: TrainConfig) -> float:
    """The highest rate of the run: less than the recipe's if the run ends long before its warm-up does."""
    reached = c.steps / c.warmup_steps if c.steps and c.warmup_steps else 1.0
    return c.lr * reached if reached < LOW else c.lr


def _known() -> str:
    low, high = _usual()
    return f"the recipes ({low:g} as published, {high:g} in toytown_training())"


def _usual() -> tuple[float, float]:
    rates = coco_training().lr, toytown_training(steps=1).lr
    return min(rates), max(rates)
