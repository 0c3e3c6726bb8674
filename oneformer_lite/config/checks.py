"""What the fields of a configuration may be: kinds and ranges.

Values may come from a stranger's file. Numbers decide how much is built, so each has a largest value, beyond
what any model needs but within what a machine survives.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from numbers import Integral, Real
from types import NoneType
from typing import get_args, get_origin, get_type_hints

from ..data.sample import MAX_CATEGORY_ID
from ..errors import ConfigError

_LAYERS, _WIDTH, _SIDE, _SHARE, _WEIGHT = (1, 256), (1, 65_536), (1, 16_384), (0.0, 1.0), (0.0, 1e6)

# the least and the greatest value of every number; dropout may not drop everything
RANGES: dict[str, tuple[float, float]] = {
    "num_classes": (1, 50_000),
    "image_size": _SIDE, "test_size": _SIDE, "test_max_size": _SIDE,
    "hidden_dim": _WIDTH, "num_heads": (1, 1024), "num_queries": (1, 50_000),
    "encoder_layers": (0, 256), "encoder_ffn": _WIDTH, "sampling_points": (1, 64), "encoder_dropout": (0.0, 0.99),
    "query_layers": (0, 256), "query_ffn": _WIDTH, "query_dropout": (0.0, 0.99),
    "decoder_layers": _LAYERS, "decoder_ffn": _WIDTH,
    "text_context": (0, 50_000), "text_width": _WIDTH, "text_layers": _LAYERS, "text_heads": (1, 1024),
    "text_length": (1, 4096), "temperature": (1e-4, 1e4),
    "class_weight": _WEIGHT, "mask_weight": _WEIGHT, "dice_weight": _WEIGHT, "contrastive_weight": _WEIGHT,
    "no_object_weight": _WEIGHT, "query_class_weight": _WEIGHT,
    "num_points": (1, 10_000_000), "oversample_ratio": (1.0, 100.0), "importance_ratio": _SHARE,
    "object_mask_threshold": _SHARE, "overlap_threshold": _SHARE, "max_instances": (1, 1_000_000),
    "duplicate_iou": _SHARE, "objects_across": (1.0, 1000.0),
    "mask_stride": (1, 64), "padding_multiple": (1, 1024),
    "denoising_queries": (0, 10_000), "denoising_noise": _SHARE,
}  # fmt: skip

# how other programs call what a configuration has, and what of theirs is elsewhere
ALSO_CALLED = {
    "num_queries": ("queries", "num_object_queries", "n_queries"),
    "num_heads": ("heads", "nheads", "num_attention_heads"),
    "image_size": ("img_size", "crop_size", "input_size", "resolution"),
    "no_object_weight": ("eos_coef", "eos_coefficient"),
    "object_mask_threshold": ("score_threshold", "min_score", "confidence"),
    "overlap_threshold": ("overlap_mask_area_threshold",),
    "num_points": ("train_num_points", "points"),
}
_RECIPE = "the recipe has it: training.toytown_training({}=...), or that of another data set"
ELSEWHERE = {name: _RECIPE.format(name) for name in ("lr", "batch_size", "steps", "weight_decay", "augmentation")}
ELSEWHERE["learning_rate"] = ELSEWHERE["lr"]
ELSEWHERE["classes"] = "config.for_classes(config, dataset.categories) sets everything about the classes"

_KINDS = {int: Integral, float: Real, bool: bool, str: str}
_UNSTATED = {Integral: (0, 65_536), Real: (0.0, 1e6)}


def check_fields(config) -> None:
    """Every field of one value against its type and range; those of several are checked by their own rules.

    Raises :class:`ConfigError`.
    """
    hints = _hints(type(config))
    for field in fields(config):
        if get_origin(hints[field.name]) is not tuple:
            check_value(field.name, hints[field.name], getattr(config, field.name), field.metadata.get("range"))


@cache
def _hints(kind: type) -> dict[str, type]:
    return get_type_hints(kind)


def check_value(name: str, hint: type, value: object, limits: tuple[float, float] | None = None) -> None:
    """A field that is one value: an int, a float, a bool or a str, or None where its type allows that, in its range.

    Raises :class:`ConfigError`. True is no number here, and NaN lies in no range.
    """
    types = get_args(hint) or (hint,)
    if value is None and NoneType in types:
        return
    kind = next(_KINDS[type_] for type_ in types if type_ is not NoneType)
    if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
        raise ConfigError(f"{name} must be {getattr(hint, '__name__', hint)}, got {shown(value)}")
    if kind in _UNSTATED:
        check_range(name, value, *(limits or RANGES.get(name) or _UNSTATED[kind]))


def check_range(name: str, value: float, least: float, most: float) -> None:
    if not value >= least:
        raise ConfigError(f"{name} must be at least {least}, got {shown(value)}")
    if value > most:
        raise ConfigError(f"{name} must be at most {most}, got {shown(value)}")


def whole_number(value: object, least: int, most: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and least <= value <= most


def check_list(name: str, values: object) -> tuple:
    """A field that holds one value for each class, as a tuple.

    Raises :class:`ConfigError` with the place of the first value that is none.
    """
    if not isinstance(values, (list, tuple)):
        raise ConfigError(f"{name} must be a list with one value for each class, got {shown(values)}")
    is_one, expected = _LISTS[name]
    for place, value in enumerate(values):
        if not is_one(value):
            raise ConfigError(f"{name}[{place}] must be {expected}, got {shown(value)}")
    return as_tuples(values)


def is_color(value: object) -> bool:
    """Whether ``value`` is red, green and blue, each from 0 to 255."""
    return isinstance(value, (list, tuple)) and len(value) == 3 and all(whole_number(v, 0, 255) for v in value)


_LISTS: dict[str, tuple[Callable[[object], bool], str]] = {
    "class_names": (lambda value: isinstance(value, str), "a text"),
    "is_thing": (lambda value: isinstance(value, bool), "true or false"),
    "class_colors": (is_color, "[red, green, blue] with 0..255"),
    "category_ids": (lambda value: whole_number(value, 0, MAX_CATEGORY_ID), "a whole number from 0"),
}


def shown(value: object) -> str:
    """``value`` in a message: strangers' values may be of any length and depth."""
    return reprlib.repr(value)


def as_tuples(value):
    """Lists, also nested, as tuples: JSON has lists, a configuration must be hashable and comparable."""
    return tuple(as_tuples(v) for v in value) if isinstance(value, (list, tuple)) else value
