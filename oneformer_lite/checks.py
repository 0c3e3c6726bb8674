"""Numbers that callers pass: of their kind, and within the range in which they mean something."""

from __future__ import annotations

import reprlib
from numbers import Integral, Real

from .errors import ConfigError


def check_share(name: str, value: float) -> None:
    """Raises :class:`ConfigError` unless ``value`` is a number from 0 to 1; percent and NaN are none."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value <= 1:
        raise ConfigError(f"{name} must be a number from 0 to 1, got {reprlib.repr(value)}")


def check_count(name: str, value: int) -> None:
    """Raises :class:`ConfigError` unless ``value`` is a whole number from 1."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ConfigError(f"{name} must be a whole number from 1, got {reprlib.repr(value)}")
