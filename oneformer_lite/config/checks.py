"""What the fields of a configuration may be: kinds and ranges.

Values may come from a stranger's file. Numbers decide how much is built, so each has a largest value, beyond
what any model needs but within what a machine survives.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from numbers import Integral, Real

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
    "no_object_weight": _WEIGHT,
    "num_points": (1, 10_000_000), "oversample_ratio": (1.0, 100.0), "importance_ratio": _SHARE,
    "object_mask_threshold": _SHARE, "overlap_threshold": _SHARE, "max_instances": (1, 1_000_000),
    "mask_stride": (1, 64), "padding_multiple": (1, 1024),
}  # fmt: skip


def check_value(name: str, annotation: str, value: object) -> None:
    """A field that is one value: of its annotated type ("int", "int | None", "float", "bool", "str"), in its range.

    Raises :class:`ConfigError`. True is no number here, and NaN lies in no range.
    """
    if value is None and annotation.endswith("| None"):
        return
    kind = {"int": Integral, "float": Real, "bool": bool, "str": str}[annotation.removesuffix(" | None")]
    if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
        raise ConfigError(f"{name} must be {annotation}, got {shown(value)}")
    if kind in (Integral, Real):
        check_range(name, value, *RANGES[name])


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
