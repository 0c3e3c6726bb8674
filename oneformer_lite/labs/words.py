"""The arguments of a call in a line: what is small in full, what is large by its kind and size."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from .compare import as_array, describe

_FEW = 12  # elements of an array that are written out
_LONGEST = 70  # characters of one argument
_ADDRESS = re.compile(r"<(?:function |bound method )?([\w.<>]*?)(?: at 0x[0-9a-fA-F]+| of .*)>")


def arguments(names: Sequence[str], args: tuple) -> str:
    """As "table = [[1, 2], [3, 4]], x = float [3, 8]"."""
    return ", ".join(f"{name} = {shown(value)}" for name, value in zip(names, args, strict=True))


def shown(value: Any) -> str:
    """One argument."""
    array = as_array(value)
    if array is not None:
        return _written(array) if 0 < array.size <= _FEW else describe(value)
    if callable(value):
        return f"a {type(value).__name__}"
    if isinstance(value, list | tuple) and not any(map(callable, value)):
        text = f"[{', '.join(map(shown, value))}]"
    elif isinstance(value, dict):
        text = f"{{{', '.join(f'{key!r}: {shown(part)}' for key, part in value.items())}}}"
    else:
        text = repr(value) if isinstance(value, str) else describe(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 2]} …"


def _written(array: np.ndarray) -> str:
    if array.ndim == 0:
        value = array.item()
        return f"{value:.4g}" if isinstance(value, float) else str(value)
    return f"[{', '.join(map(_written, array))}]"
