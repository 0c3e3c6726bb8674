"""What an answer's output looks like beside the expected one: another shape, kind, order, a factor, a sign, a place.

Every sentence explains all that differs in the case where the answer first goes wrong, or it is not said. Single
numbers are looked at over all cases at once: of one number nothing could be told.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .compare import as_array, describe, difference, listed, stacked
from .seen_lists import seen_in_list, seen_in_text
from .seen_values import seen_in_values


def seen(expected: Sequence[Any], yours: Sequence[Any], wrong: int, arguments: Mapping[str, Any]) -> str | None:
    """A sentence on case ``wrong`` of all outputs; ``arguments`` are what that case was called with."""
    pair = expected[wrong], yours[wrong]
    arrays = [stacked(value) for value in pair]
    if all(array is not None and array.ndim == 0 for array in arrays):
        numbers = [(stacked(a), stacked(b)) for a, b in zip(expected, yours, strict=True)]
        numbers = [(a, b) for a, b in numbers if a is not None and b is not None and a.ndim == b.ndim == 0]
        arrays = [np.stack(side) for side in zip(*numbers, strict=True)]
        if len(numbers) < 2:
            return None
        return _kind(*arrays) or seen_in_values(*arrays, arguments, single=True)
    return seen_in_pair(*pair, arguments)


def seen_in_pair(expected: Any, yours: Any, arguments: Mapping[str, Any]) -> str | None:
    """Of one output beside the expected one."""
    a, b = stacked(expected), stacked(yours)
    if a is not None and b is not None and (as_array(expected) is not None or a.ndim > 1 or a.dtype.kind == "f"):
        return _kind(a, b) or _shape(a, b) or (seen_in_values(a, b, arguments) if a.shape == b.shape else None)
    if isinstance(expected, Mapping) and isinstance(yours, Mapping):
        return _mapping(expected, yours, arguments)
    if isinstance(expected, str) and isinstance(yours, str):
        return seen_in_text(expected, yours)
    if isinstance(expected, list | tuple):
        return _parts(list(expected), listed(yours), arguments)
    return (
        f"{describe(expected)} is asked for, yours is {describe(yours)}" if type(expected) is not type(yours) else None
    )


def _parts(expected: list, yours: Any, arguments: Mapping[str, Any]) -> str | None:
    """Of several results, or a list: the order and number of its parts, else the first part that differs."""
    if not isinstance(yours, list | tuple):
        return f"{len(expected)} results are asked for, as `return a, b`: yours gives {describe(yours)}"
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
        names = {"b": "bool", "i": "whole numbers", "u": "whole numbers", "f": "decimals"}
        cast = {"b": "a comparison, or .bool()", "f": ".float()"}.get(kinds[0], ".long(), or astype(int)")
        return f"the values are right, their kind is not: {names.get(kinds[0], kinds[0])} are asked for ({cast})"
    if kinds[0] == "f" and kinds[1] in "iu" and np.abs(expected - yours).max() <= 1:
        return "the decimals are cut off: a cast to whole numbers, or //, on the way"
    if kinds[0] == "b" and kinds[1] == "f":
        return "bool is asked for: compare with a threshold"
    return None


def _shape(expected: np.ndarray, yours: np.ndarray) -> str | None:
    if expected.shape == yours.shape:
        return None
    asked = f"{list(expected.shape)} is asked for"
    if expected.size == yours.size and expected.size:
        if _close(expected, yours.reshape(expected.shape)):
            return f"the numbers are right, the shape is not: {asked}; reshape, flatten, squeeze or [None] make it"
        for order in itertools.permutations(range(yours.ndim)):
            if _close(expected, yours.transpose(order)):
                return f"transposed: {asked}, yours has the axes in another order (.T, .mT or permute{order})"
    return _reduced(expected, yours, asked) or _longer(expected, yours) or _axes(expected, yours, asked)


def _reduced(expected: np.ndarray, yours: np.ndarray, asked: str) -> str | None:
    """One of both is the sum, the mean, ... of the other over an axis."""
    for one, other, words in (
        (yours, expected, "{1} over axis {0} is missing: " + asked),
        (expected, yours, "yours takes the {1} over axis {0} as well, which must stay: " + asked),
    ):
        if one.ndim > other.ndim and one.size:
            axes = [None] if other.ndim == 0 else list(range(one.ndim))
            for axis, (name, reduce) in itertools.product(axes, _REDUCTIONS.items()):
                if _close(other, reduce(one.astype(float), axis=axis)):
                    return words.format("all" if axis is None else axis, name)
    if yours.ndim == expected.ndim + 1 and yours.shape[0] == yours.shape[1] == expected.shape[:1]:
        return None
    if yours.ndim == expected.ndim + 1 and yours.shape[0] == yours.shape[1]:
        if _close(expected, yours[np.arange(len(yours)), np.arange(len(yours))]):
            return "yours pairs every row with every other: what is asked for is its diagonal, row 0 with 0, 1 with 1"
    return None


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
    if expected.ndim != yours.ndim:
        more = "too many" if yours.ndim > expected.ndim else "too few"
        return f"{abs(yours.ndim - expected.ndim)} axes {more}: {asked}, yours is {list(yours.shape)}"
    if sorted(expected.shape) == sorted(yours.shape):
        return f"{asked}, yours is {list(yours.shape)}: the axes are in another order"
    return None


def _close(expected: np.ndarray, yours: np.ndarray) -> bool:
    return expected.shape == yours.shape and difference(expected.astype(float), yours.astype(float)) is None
