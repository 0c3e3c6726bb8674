"""Two arrays of one shape that differ: the sign, the factor, the function or the place that explains all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from .compare import as_array, difference

Array = np.ndarray
_FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "exp": np.exp, "log": np.log, "log2": np.log2, "sqrt": np.sqrt, "square": np.square, "abs": np.abs,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "relu": lambda x: np.maximum(x, 0), "round": np.round,
    "floor": np.floor, "ceil": np.ceil, "1 / x": lambda x: 1 / x, "tanh": np.tanh, "sign": np.sign,
    "clamp to 0 … 1": lambda x: x.clip(0, 1), "x > 0": lambda x: x > 0, "x > 0.5": lambda x: x > 0.5,
    "log(1 + x)": np.log1p,
}  # fmt: skip


def seen_in_values(expected: Array, yours: Array, arguments: Mapping[str, Any], single: bool = False) -> str | None:
    """A sentence; with ``single`` the elements are the numbers of several cases."""
    if expected.dtype.kind == yours.dtype.kind == "b":
        return _of_bools(expected, yours)
    a, b = expected.astype(float), yours.astype(float)
    with np.errstate(all="ignore"):
        return (
            _not_finite(a, b)
            or _sign_or_factor(a, b, arguments, single)
            or (None if single else _order(a, b))
            or _sums(a, b)
            or (_function(a, b) if expected.dtype.kind == "f" else None)
            or _factor_by_axis(a, b)
            or (None if single else _place(a, b))
        )


def _of_bools(a: Array, b: Array) -> str | None:
    if np.array_equal(a, ~b):
        return "inverted: True and False are the other way round"
    if b.all() or not b.any():
        return f"everything is {bool(b.flat[0])}"
    if a.any() and not (b & ~a).any():
        return _order(a.astype(float), b.astype(float)) or f"{(a & ~b).sum()} True are missing, {_where(a != b)}"
    if not (a & ~b).any():
        return _order(a.astype(float), b.astype(float)) or f"{(b & ~a).sum()} are True too many, {_where(a != b)}"
    return _order(a.astype(float), b.astype(float)) or _place(a.astype(float), b.astype(float))


def _not_finite(a: Array, b: Array) -> str | None:
    bad = np.isfinite(a) & ~np.isfinite(b)
    if not bad.any():
        return None
    if np.isnan(b).any():
        return "NaN comes from 0 / 0, infinity - infinity or 0 · infinity: is a divisor 0, or an exp too large?"
    return "infinity comes from a division by 0, log(0) or the exp of something large: keep the argument away from it"


def _sign_or_factor(a: Array, b: Array, arguments: Mapping[str, Any], single: bool) -> str | None:
    if _equal(-a, b):
        return "the sign: yours is minus what is expected"
    if _equal(1 - a, b):
        return "yours is 1 minus what is expected"
    used = np.abs(a) > 1e-6
    if not used.any() or (used.sum() < 2 and a.size < 3):
        return None
    if not np.abs(b).max() > 1e-9:
        return "yours is 0 everywhere: does what is computed reach the result?"
    factor = float(np.median(b[used] / a[used]))
    times = _times(factor, {} if single else arguments)
    constant = np.ptp(a) < 1e-9  # then any other constant is some number of times it, and some number off
    if np.isfinite(factor) and _equal(factor * a, b) and not (constant and times.endswith(" times")):
        return f"yours is {times} what is expected, everywhere"
    if constant and abs(abs((b - a).flat[0]) - 1) > 1e-6:
        return None
    if _equal(a + (b - a).flat[0], b) and abs((b - a).flat[0]) > max(1e-6, 1e-3 * np.abs(a).max()):
        return f"yours is {(b - a).flat[0]:+.3g} off everywhere: one added or left out, or counted from 1?"
    return None


def _times(factor: float, arguments: Mapping[str, Any]) -> str:
    """A factor in words: as a length of an argument, where it is one."""
    for name, size in _lengths(arguments):
        if size < 2:  # tells nothing, and 0 divides nothing
            continue
        for value, words in (
            (size, "a sum where a mean is asked for?"),
            (1 / size, "a mean where a sum is asked for, or divided once too often?"),
            (size**0.5, "is a division by its square root missing?"),
            (size**-0.5, "divided by its square root once too often?"),
        ):
            if abs(factor / value - 1) < 1e-3:
                return f"{factor:.4g} times ({size} is {name}: {words})"
    words = {2.0: "twice", 0.5: "half of", -2.0: "minus twice", -0.5: "minus half of"}
    return next((text for value, text in words.items() if abs(factor - value) < 1e-4), f"{factor:.4g} times")


def _lengths(arguments: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Every size in the arguments, with the words for it."""
    for name, value in arguments.items():
        array = as_array(value)
        if array is not None and array.ndim == 0 and array.dtype.kind in "iu":
            yield name, int(array)
        elif array is not None:
            yield from ((f"the length of {name}'s axis {axis}", size) for axis, size in enumerate(array.shape))
            yield f"the number of {name}'s elements", array.size
        elif isinstance(value, list | tuple | Mapping):
            yield f"the length of {name}", len(value)
            inner = value.values() if isinstance(value, Mapping) else []
            yield from ((f"the length of {name}[...]", len(v)) for v in list(inner)[:1] if np.ndim(v))


def _order(a: Array, b: Array) -> str | None:
    """The right numbers at other places."""
    if a.ndim > 1 and a.shape[-1] == a.shape[-2] and _equal(a.swapaxes(-1, -2), b):
        return "transposed: rows and columns are swapped"
    for axis in range(a.ndim):
        if _equal(np.flip(a, axis), b):
            return f"reversed along axis {axis}"
        for shift in (1, -1):
            if a.shape[axis] > 3 and _equal(np.roll(a, shift, axis), b):
                return f"shifted by one along axis {axis}: counted from 1, or the last one first?"
    for axis in range(a.ndim):
        rows = [np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1) for x in (a, b)]
        if a.size > 1 and _equal(*(np.array(sorted(map(tuple, side))) for side in rows)):
            return f"a permutation: the right entries in another order along axis {axis}"
    if a.size > 2 and len(np.unique(a)) > 2 and _equal(np.sort(a, None), np.sort(b, None)):
        return "a permutation: the right numbers, but not flattened, reshaped or transposed as asked"
    return None


def _sums(a: Array, b: Array) -> str | None:
    """What sums to 1 along one axis, and should along another."""
    along = [[k for k in range(x.ndim) if x.shape[k] > 1 and _equal(np.ones(1), x.sum(k).ravel()[:1]) and
              _equal(np.ones_like(x.sum(k)), x.sum(k))] for x in (a, b)]  # fmt: skip
    if along[0] and along[0] != along[1]:
        yours = f"yours does along axis {along[1][0]}" if along[1] else "yours does not"
        return f"what is expected sums to 1 along axis {along[0][0]}, {yours}: mind the axis of the softmax or the mean"
    return None


def _function(a: Array, b: Array) -> str | None:
    if len(np.unique(a)) < 2:
        return None
    for name, function in _FUNCTIONS.items():
        if _equal(function(a), b):
            return f"one step too many: yours is {name} of what is expected"
        if _equal(a, function(b)):
            return f"one step is missing: {name} of yours is what is expected"
    return None


def _factor_by_axis(a: Array, b: Array) -> str | None:
    """Each row, or each column, off by a factor of its own."""
    if a.ndim < 2 or not (np.abs(a) > 1e-6).all():
        return None
    ratio = b / a
    if np.ptp(ratio) < 1e-3 * np.abs(ratio).max():  # one factor for all, which has had its chance
        return None
    axes = [axis for axis in range(a.ndim) if a.shape[axis] > 1]
    changing = [axis for axis in axes if not np.allclose(ratio, ratio.mean(axis, keepdims=True), rtol=1e-3, atol=0)]
    if changing == axes:
        return None
    names = f"ax{'is' if len(changing) == 1 else 'es'} {' and '.join(map(str, changing))}"
    return (
        f"entries at the same place of {names} are off by the same factor: what is divided by there, or weighed with, "
        "is wrong"
    )


def _place(a: Array, b: Array) -> str | None:
    """Where the differences are, if they have a place."""
    wrong = ~np.isclose(a, b, rtol=1e-4, atol=1e-4, equal_nan=True)
    if wrong.sum() == 1:
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        return f"one element alone is wrong, at {list(index)}" if wrong.size > 2 else None
    if wrong.all():
        return None
    if not wrong[a != 0].any():
        return "all is right but where 0 is expected: something is counted that should not be"
    if not wrong[b != 0].any():
        return "all is right but where yours is 0: something is left out there"
    return _somewhere(wrong) if wrong.mean() < 0.75 else None


def _where(wrong: Array) -> str:
    """The row, column or diagonal that holds all that differs; else how many."""
    return _somewhere(wrong) or f"{wrong.sum()} of {wrong.size} differ, the rest is right"


def _somewhere(wrong: Array) -> str | None:
    """The row, column or diagonal that holds all that differs."""
    if wrong.ndim == 2 and wrong.shape[0] == wrong.shape[1]:
        ones = np.ones(wrong.shape)
        for place, part in (("on", np.eye(len(wrong))), ("above", np.triu(ones, 1)), ("below", np.tril(ones, -1))):
            if not wrong[part == 0].any():
                return f"all that is wrong is {place} the diagonal"
    for axis in range(wrong.ndim):
        places = np.flatnonzero(wrong.any(tuple(k for k in range(wrong.ndim) if k != axis)))
        names = {0: "the first", wrong.shape[axis] - 1: "the last"}
        if len(places) == 1 and wrong.shape[axis] > 1:
            return f"all that is wrong is at {names.get(int(places[0]), f'number {places[0]}')} of axis {axis}"
    return None


def _equal(a: Array, b: Array) -> bool:
    return a.shape == b.shape and difference(a, b) is None
