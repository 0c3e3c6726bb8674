"""Lists of any length in a sentence of bearable length."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 100  # characters: paths stay whole


def few(values: Iterable, most: int = 8) -> str:
    """The first ``most`` values as Python writes them, and how many more there are; those of a set sorted."""
    names = list(map(_SHORT.repr, values))
    if isinstance(values, (set, frozenset)):
        names.sort(key=lambda name: (len(name), name))
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
