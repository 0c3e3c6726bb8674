"""The first difference between what is expected and what an answer gives, in words that are the same on every machine.

Forgiving where a lesson would be: tensors and arrays are one, so are lists and tuples, a tensor without dimensions is a
number, and a list of numbers or of arrays is the array that they make, the other way round too.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
import re
from collections import deque
from collections.abc import KeysView, Mapping, Set, ValuesView
from typing import Any

import numpy as np
import torch

_KINDS = {"b": "bool", "i": "int", "u": "int", "f": "float", "c": "complex"}
_LONGEST = 60  # characters of a string or an object that are shown
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def difference(expected: Any, yours: Any, tolerance: float = 1e-4) -> str | None:
    """What differs first, as "expected 0.69, yours 0.00"; None if nothing does. NaN equals NaN."""
    expected, yours = _plain(expected), _plain(yours)
    yours = unlisted(expected, yours) if isinstance(expected, np.ndarray) else yours
    yours = listed(yours) if isinstance(expected, list | tuple) else yours
    for kind, compare in _COMPARISONS:
        if isinstance(expected, kind):
            if not isinstance(yours, kind):
                return f"expected {describe(expected)}, yours {describe(yours)}"
            return compare(expected, yours, tolerance)
    if type(expected) is type(yours) and dataclasses.is_dataclass(expected):
        return _mappings(_fields(expected), _fields(yours), tolerance)
    return None if expected is yours or _same(expected, yours) else _words(expected, yours)


def as_array(value: Any) -> np.ndarray | None:
    """Tensors and arrays of numbers as arrays (bfloat16 as float32), a number as one of no dimensions; else None."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().resolve_conj().resolve_neg()
        return (value.float() if value.dtype == torch.bfloat16 else value.to_dense()).numpy()
    if isinstance(value, np.ndarray | np.generic | numbers.Number):
        array = np.asarray(value)
        return array if array.dtype.kind in _KINDS else None
    return None


def describe(value: Any) -> str:
    """A value in a few words: a number or a string itself, an array or a list by its size."""
    value = _plain(value)
    if isinstance(value, np.ndarray):
        return f"{_KINDS[value.dtype.kind]} {list(value.shape)}" if value.ndim else _number(value[()])
    if isinstance(value, list | tuple | Mapping | Set):
        return f"a {_container(value)} of {len(value)}"
    if value is None or isinstance(value, str):
        return _short(repr(value))
    if dataclasses.is_dataclass(value) or callable(value):
        return f"a {type(value).__name__}"
    return _short(_ADDRESS.sub("", repr(value)))


def _plain(value: Any) -> Any:
    """Numbers, tensors and their arrays as numpy arrays, arrays of strings and objects as lists."""
    array = as_array(value)
    if array is not None:
        return array
    return value.tolist() if isinstance(value, np.ndarray) else value


def listed(value: Any) -> Any:
    """What can be walked through again and again, as a list: arrays by their first axis, views, ranges."""
    if isinstance(value, torch.Tensor):
        value = as_array(value)
    steps = (isinstance(value, np.ndarray) and value.ndim) or isinstance(value, KeysView | ValuesView | range | deque)
    return list(value) if steps else value


def stacked(value: Any) -> np.ndarray | None:
    """A list of numbers, arrays or such lists as one array; None where it makes none."""
    array, parts = as_array(value), listed(value)
    if array is not None or not isinstance(parts, list | tuple):
        return array
    arrays = [stacked(part) for part in parts]
    if not arrays or any(a is None or a.shape != arrays[0].shape for a in arrays):
        return None
    return np.stack(arrays)


def unlisted(expected: np.ndarray, yours: Any) -> Any:
    """A list as the array that is expected, if it has its shape; nothing, ``[]`` or an array of it, as no rows of any
    shape; else as it is."""
    if is_nothing(yours) and expected.ndim and not len(expected):
        return np.zeros_like(expected)
    array = stacked(yours) if isinstance(yours, list | tuple) else None
    return yours if array is None or array.shape != expected.shape else array


def is_nothing(value: Any) -> bool:
    """An empty list, or the array of one, which cannot tell what shape its rows would have."""
    if isinstance(value, np.ndarray | torch.Tensor):
        return value.shape == (0,)
    return isinstance(value, list | tuple) and not value


def _arrays(expected: np.ndarray, yours: np.ndarray, tolerance: float) -> str | None:
    if expected.shape != yours.shape:
        return f"expected shape {list(expected.shape)}, yours {list(yours.shape)}"
    kinds = [_KINDS[array.dtype.kind] for array in (expected, yours)]
    if expected.ndim and kinds[0] != kinds[1]:
        return f"expected {kinds[0]}, yours {kinds[1]}"
    exact = not {"float", "complex"} & set(kinds)
    if exact:
        wrong = expected != yours
    else:
        wrong = ~np.isclose(yours, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    if not wrong.any():
        return None
    place = tuple(int(i) for i in np.argwhere(wrong)[0])
    values = _words(expected[place], yours[place])
    if not place:
        return values
    return f"{values} at {list(place)} ({int(wrong.sum())} of {wrong.size} differ)"


def _sequences(expected: list | tuple, yours: list | tuple, tolerance: float) -> str | None:
    if len(expected) != len(yours):
        return f"expected {len(expected)} elements, yours {len(yours)}"
    for index, (a, b) in enumerate(zip(expected, yours, strict=True)):
        if found := difference(a, b, tolerance):
            return f"element {index}: {found}"
    return None


def _mappings(expected: Mapping, yours: Mapping, tolerance: float) -> str | None:
    for key in expected:
        if key not in yours:
            return f"expected a key {key!r}, yours has {_listed(yours)}"
    for key in yours:
        if key not in expected:
            return f"a key {key!r} too many, expected {_listed(expected)}"
    for key in expected:
        if found := difference(expected[key], yours[key], tolerance):
            return f"{key}: {found}"
    return None


def _sets(expected: Set, yours: Set, tolerance: float) -> str | None:
    if missing := expected - yours:
        return f"expected {_listed(missing)} in the set"
    return f"{_listed(yours - expected)} too many in the set" if yours - expected else None


def _strings(expected: str, yours: str, tolerance: float) -> str | None:
    return None if expected == yours else _words(expected, yours)


_COMPARISONS = (
    (np.ndarray, _arrays),
    (str, _strings),
    (list | tuple, _sequences),
    (Mapping, _mappings),
    (Set, _sets),
)


def _words(expected: Any, yours: Any) -> str:
    """Both values; numbers with as many digits as it takes to tell them apart, three at least."""
    if isinstance(expected, np.generic) and isinstance(yours, np.generic):
        for digits in range(3, 10):
            words = _number(expected, digits), _number(yours, digits)
            if words[0] != words[1]:
                break
    else:
        words = describe(expected), describe(yours)
        words = words if words[0] != words[1] else (f"a {type(expected).__name__}", f"another {type(yours).__name__}")
    return f"expected {words[0]}, yours {words[1]}"


def _number(value: Any, digits: int = 3) -> str:
    value = value.item() if isinstance(value, np.generic) else value
    if not isinstance(value, float):
        return str(value)
    if math.isfinite(value) and abs(value) < 1000 and (value == 0 or abs(value) >= 0.01):
        return f"{value:.{digits - 1 if abs(value) < 10 else max(digits - 2, 1)}f}"
    return f"{value:.{digits}g}"


def _fields(value: Any) -> dict:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _same(a: Any, b: Any) -> bool:
    try:
        return bool(a == b)
    except Exception:  # whatever the comparison of an answer's own objects may raise
        return False


def _container(value: Any) -> str:
    names = ((list | tuple, "list"), (Mapping, "dict"), (Set, "set"))
    return next(name for kind, name in names if isinstance(value, kind))


def _listed(names: Any) -> str:
    return _short(", ".join(sorted(map(repr, names))) or "nothing")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
