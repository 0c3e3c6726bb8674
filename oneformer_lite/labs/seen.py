"""What an answer's output looks like beside the expected one: another shape, kind, order, a factor, a sign, a place.

Every sentence explains all that differs in the case where the answer first goes wrong, or it is not said. Single
numbers are looked at over all cases at once: of one number nothing could be told.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from .compare import as_array, describe, difference, listed, stacked
from .seen_lists import seen_in_list, seen_in_text
from .seen_values import seen_in_values


def seen(expected: Sequence[Any], yours: Sequence[Any], wrong: int, arguments: Mapping[str, Any]) -> str | None:
    """A sentence on case ``wrong`` of all outputs; ``arguments`` are what that case was called with."""
    pair = expected[wrong], yours[wrong]
    if isinstance(pair[1], str) and any(isinstance(value, str) and value == pair[1] for value in expected):
        return None  # right elsewhere: a choice, in which no letter is wrong
    arrays = [stacked(value) for value in pair]
    if all(array is not None and array.ndim == 0 for array in arrays):
        numbers = [(stacked(a), stacked(b)) for a, b in zip(expected, yours, strict=True)]
        numbers = [(a, b) for a, b in numbers if a is not None and b is not None and a.ndim == b.ndim == 0]
        if np.isfinite(arrays[1]):  # what overflows in another case is a second fault
            numbers = [(a, b) for a, b in numbers if np.isfinite(b) or not np.isfinite(a)]
        if len(numbers) < 2:
            return None
        arrays = [np.stack(side) for side in zip(*numbers, strict=True)]
        return _kind(*arrays) or seen_in_values(*arrays, arguments, single=True)
    return seen_in_pair(*pair, arguments)


def seen_in_pair(expected: Any, yours: Any, arguments: Mapping[str, Any]) -> str | None:
    """Of one output beside the expected one."""
    a, b = stacked(expected), stacked(yours)
    if a is not None and b is not None and (as_array(expected) is not None or a.ndim > 1 or a.dtype.kind == "f"):
        values = seen_in_values(a, b, arguments) if a.shape == b.shape else None
        return _kind(a, b) or _shape(a, b) or values or _other_kind(a, b)
    if isinstance(expected, Mapping) and isinstance(yours, Mapping):
        return _mapping(expected, yours, arguments)
    if isinstance(expected, str) and isinstance(yours, str):
        return seen_in_text(expected, yours)
    if isinstance(expected, list | tuple):
        return _parts(list(expected), yours, arguments)
    return (
        f"{describe(expected)} is asked for, yours is {describe(yours)}" if type(expected) is not type(yours) else None
    )


def _parts(expected: list, given: Any, arguments: Mapping[str, Any]) -> str | None:
    """Of several results, or a list: the order and number of its parts, else the first part that differs."""
    yours = listed(given)
    if isinstance(given, np.ndarray | Tensor | list) and any(difference(part, given) is None for part in expected):
        return f"yours is one of the {len(expected)} results alone: 'return a, b' gives both"
    if not isinstance(yours, list | tuple):
        last = bool(expected) and difference(expected[-1], yours) is None
        alone = "the last element alone: collect them all" if last else describe(yours)
        return f"a list of {len(expected)} is asked for, yours is {alone}"
    if found := seen_in_list(expected, list(yours)):
        return found
    for number, (a, b) in enumerate(zip(expected, yours, strict=False), start=1):
        if difference(a, b) is not None:
            found = seen_in_pair(a, b, arguments)
            return f"of element {number - 1}: {found}" if found else None
    return None


def _mapping(expected: Mapping, yours: Mapping, arguments: Mapping[str, Any]) -> str | None:
    if {str(key) for key in expected} == {str(key) for key in yours} and set(expected) != set(yours):
        return f"the keys are right but of another kind: {type(next(iter(yours))).__name__}"
    for words, one, other in (("lacks", expected, yours), ("has too many", yours, expected)):
        if apart := sorted(map(repr, set(one) - set(other))):
            return f"yours {words} {len(apart)} of the keys, such as {apart[0]}"
    both = [(key, expected[key], yours[key]) for key in expected if difference(expected[key], yours[key]) is not None]
    arrays = [stacked([values[side] for values in both]) for side in (1, 2)]
    if all(array is not None for array in arrays) and arrays[0].shape == arrays[1].shape and arrays[0].size > 1:
        return _kind(*arrays) or seen_in_values(*arrays, arguments)
    found = seen_in_pair(both[0][1], both[0][2], arguments)
    return f"of {both[0][0]!r}: {found}" if found else None


# -- kind and shape


def _kind(expected: np.ndarray, yours: np.ndarray) -> str | None:
    kinds = expected.dtype.kind, yours.dtype.kind
    if kinds[0] == kinds[1] or expected.shape != yours.shape or not expected.size:
        return None
    if np.array_equal(expected.astype(float), yours.astype(float)):
        cast = {"b": "a comparison, or .bool()", "f": ".float()"}.get(kinds[0], ".long(), or astype(int)")
        return f"the values are right, their kind is not: {_kind_name(kinds[0])} are asked for ({cast})"
    if kinds[0] == "f" and kinds[1] in "iu" and np.abs(expected - yours).max() <= 1:
        return "the decimals are cut off: a cast to whole numbers, or //, on the way"
    if kinds[0] == "b" and kinds[1] == "f":
        return "True and False are asked for: compare with a threshold"
    return None


def _other_kind(expected: np.ndarray, yours: np.ndarray) -> str | None:
    kinds = [_kind_name(array.dtype.kind) for array in (expected, yours)]
    return f"{kinds[0]} are asked for, yours are {kinds[1]}: is a last step missing?" if kinds[0] != kinds[1] else None


def _kind_name(kind: str) -> str:
    """What stands in an array of a kind, in the plural."""
    return {"b": "True and False", "i": "whole numbers", "u": "whole numbers", "f": "decimals"}.get(kind, kind)


def elements(value: Any) -> int:
    """How many elements an output has, in all its parts."""
    array, parts = as_array(value), value.values() if isinstance(value, Mapping) else value
    return array.size if array is not None else sum(map(elements, parts)) if isinstance(parts, list | tuple) else 1


def _shape(expected: np.ndarray, yours: np.ndarray) -> str | None:
    if expected.shape == yours.shape:
        return None
    asked = f"{list(expected.shape)} is asked for"
    if expected.size == yours.size and expected.size:
        for order in itertools.permutations(range(yours.ndim)):
            if _close(expected, yours.transpose(order)):
                return f"transposed: {asked}, yours has the axes in another order (.T, .mT or permute{order})"
        if _close(expected, yours.reshape(expected.shape)):
            return f"the numbers are right, the shape is not: {asked}; reshape, flatten, squeeze or [None] make it"
    return _reduced(expected, yours, asked) or _longer(expected, yours) or _axes(expected, yours, asked)


def _reduced(expected: np.ndarray, yours: np.ndarray, asked: str) -> str | None:
    """One of both is the sum, the mean, ... of the other over an axis."""
    for one, other, words in (
        (yours, expected, "{1} over {0} is missing: " + asked),
        (expected, yours, "yours takes the {1} over {0} as well, which must stay: " + asked),
    ):
        if one.ndim > other.ndim and one.size:
            axes = [None] if other.ndim == 0 else list(range(one.ndim))
            reductions = list(_REDUCTIONS.items())[: None if one is yours else 2]  # nobody takes a maximum by mistake
            for axis, (name, reduce) in itertools.product(axes, reductions):
                if _close(other, reduce(one.astype(float), axis=axis)):
                    return words.format("all axes" if axis is None else f"axis {axis}", name)
    if _is_diagonal(expected, yours):
        return "yours pairs every row with every other: what is asked for is its diagonal, row 0 with 0, 1 with 1"
    if _is_diagonal(yours, expected):
        return "yours pairs row 0 with 0, 1 with 1: every row with every other is asked for"
    return None


def _is_diagonal(small: np.ndarray, large: np.ndarray) -> bool:
    square = large.ndim == small.ndim + 1 >= 2 and large.shape[0] == large.shape[1] > 1
    return square and _close(small, np.moveaxis(np.diagonal(large), -1, 0))


_REDUCTIONS = {"sum": np.sum, "mean": np.mean, "maximum": np.max, "minimum": np.min}


def _longer(expected: np.ndarray, yours: np.ndarray) -> str | None:
    """Equal but for a few rows at the start or the end of an axis."""
    if expected.ndim != yours.ndim:
        return None
    differs = [axis for axis in range(expected.ndim) if expected.shape[axis] != yours.shape[axis]]
    if len(differs) != 1:
        return None
    axis, count = differs[0], yours.shape[differs[0]] - expected.shape[differs[0]]
    long, short = (yours, expected) if count > 0 else (expected, yours)
    many = f"{abs(count)} too {'many' if count > 0 else 'few'} along axis {axis}"
    ends = {"end": slice(0, short.shape[axis]), "start": slice(abs(count), None)}
    for place, part in ends.items():
        if short.size and _close(short, np.take(long, range(long.shape[axis])[part], axis)):
            return f"{many}, at the {place}; the rest is right"
    return f"{many}: is one left out, or counted twice?" if abs(count) == 1 else None


def _axes(expected: np.ndarray, yours: np.ndarray, asked: str) -> str | None:
    if not expected.ndim:
        return f"one number is asked for, yours is {list(yours.shape)}: is a sum or a mean missing at the end?"
    if expected.ndim != yours.ndim:
        more = "too many" if yours.ndim > expected.ndim else "too few"
        return f"{abs(yours.ndim - expected.ndim)} axes {more}: {asked}, yours is {list(yours.shape)}"
    if sorted(expected.shape) == sorted(yours.shape):
        return f"{asked}, yours is {list(yours.shape)}: the axes are in another order"
    apart = [axis for axis in range(yours.ndim) if expected.shape[axis] != yours.shape[axis]]
    lengths = "; ".join(f"{yours.shape[axis]} instead of {expected.shape[axis]} along axis {axis}" for axis in apart)
    return f"{asked}, yours has {lengths}: which map, or which rows, does it come from?"


def _close(expected: np.ndarray, yours: np.ndarray) -> bool:
    return expected.shape == yours.shape and difference(expected.astype(float), yours.astype(float)) is None
