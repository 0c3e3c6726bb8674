"""Numbers that callers pass: of their kind, and within the range in which they mean something."""

from __future__ import annotations

import math
import reprlib
from numbers import Integral, Real

from .errors import ConfigError


def check_share(name: str, value: float) -> None:
    """Raises :class:`ConfigError` unless ``value`` is a number from 0 to 1; percent and NaN are none."""
    check_number(name, value, 0, 1)


def check_count(name: str, value: int) -> None:
    """Raises :class:`ConfigError` unless ``value`` is a whole number from 1."""
    check_number(name, value, 1, whole=True)


def check_number(name: str, value: float, least: float, most: float = math.inf, whole: bool = False) -> None:
    """Raises :class:`ConfigError` unless ``value`` is a (``whole``) finite number from ``least`` to ``most``."""
    kind = Integral if whole else Real
    if isinstance(value, bool) or not isinstance(value, kind) or not (least <= value <= most and value != math.inf):
        bounds = f"from {least:g}" + (f" to {most:g}" if math.isfinite(most) else "")
        raise ConfigError(f"{name} must be a {'whole ' * whole}number {bounds}, got {reprlib.repr(value)}")


def check_size(name: str, value: int | tuple[int, int]) -> None:
    """Raises :class:`ConfigError` unless ``value`` is one side in pixels or a pair (height, width)."""
    sides = value if isinstance(value, (tuple, list)) else (value, value)
    if len(sides) != 2:
        raise ConfigError(f"{name} must be one number or a pair (height, width), got {reprlib.repr(value)}")
    for side in sides:
        check_count(name, side)
