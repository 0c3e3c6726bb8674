"""What callers pass: numbers of their kind, within the range in which they mean something, and names that exist."""

from __future__ import annotations

import difflib
import functools
import inspect
import math
import reprlib
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from typing import TypeVar

import numpy as np

from .errors import ConfigError

Called = TypeVar("Called", bound=Callable)
_NOTHING: Mapping = {}


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


def check_flag(name: str, value: object) -> None:
    """Raises :class:`ConfigError` unless ``value`` is True or False: the text "false" would count as true."""
    if not isinstance(value, (bool, np.bool_)):
        raise ConfigError(f"{name} must be True or False, got {reprlib.repr(value)}")


def check_progress(progress: object, bar: bool = False) -> None:
    """Raises :class:`ConfigError` unless ``progress`` can be called or is None or False; or True, if that is a
    ``bar``."""
    if not (progress is None or progress is False or callable(progress) or (bar and progress is True)):
        others = "True for a bar, False or None for none" if bar else "or None for none"
        raise ConfigError(
            f"progress must be a function that is called with (done, total), {others}; got {reprlib.repr(progress)}"
        )


def check_size(name: str, value: int | tuple[int, int]) -> None:
    """Raises :class:`ConfigError` unless ``value`` is one side in pixels or a pair (height, width)."""
    sides = value if isinstance(value, (tuple, list)) else (value, value)
    if len(sides) != 2:
        raise ConfigError(f"{name} must be one number or a pair (height, width), got {reprlib.repr(value)}")
    for side in sides:
        check_count(name, side)


def only_known_names(
    called: Called,
    what: str = "argument",
    also_called: Mapping[str, tuple[str, ...]] = _NOTHING,
    elsewhere: Mapping[str, str] = _NOTHING,
) -> Called:
    """A function, or a class with its constructor, that answers a keyword which it does not take with what was probably
    meant, as a :class:`ConfigError`. ``what`` it takes, in words; the others are of :func:`meant`."""
    inner = called.__init__ if isinstance(called, type) else called
    own = inspect.signature(inner).parameters.values()
    names = [p.name for p in own if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name != "self"]

    @functools.wraps(inner)
    def explained(*args, **values):
        if unknown := [name for name in values if name not in names]:
            words = meant(unknown[0], names, also_called, elsewhere)
            raise ConfigError(f"{called.__name__} has no {what} {unknown[0]!r}{words}")
        return inner(*args, **values)

    if not isinstance(called, type):
        return explained
    called.__init__ = explained
    return called


def meant(
    name: str, names: Iterable[str], also_called: Mapping[str, tuple[str, ...]], elsewhere: Mapping[str, str]
) -> str:
    """What is said of a ``name`` that is none of ``names``: where such a thing is, the name that was probably meant, or
    all there are. ``also_called`` has other programs' names for some of them."""
    if name.lower() in elsewhere:
        return f": {elsewhere[name.lower()]}"
    known = {called: field for field, others in also_called.items() for called in (field, *others)}
    known |= {field: field for field in names}
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.7)
    return f": did you mean {known[near[0]]}?" if near else f"; it has {', '.join(names)}"
