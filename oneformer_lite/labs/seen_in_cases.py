"""What is seen in most of the cases that an answer gets wrong: what one case alone suggests is a coincidence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .calls import Raised, argument_names
from .compare import as_array, listed, stacked
from .exercise import Case
from .seen import elements, seen

_ENOUGH = 4  # elements of an output below which too many things explain it
_NUMBERS = re.compile(r"(?<!axis )-?\d+(?:\.\d+)?(?:e[-+]?\d+)?|'[^']*'|the first|the last|number \d+")


def seen_in_cases(
    answer: Callable, cases: Sequence[Case], expected: Sequence[Any], yours: Sequence[Any], wrong: Sequence[int]
) -> str | None:
    """A sentence that holds in at least half of the cases ``wrong`` in which there is enough to look at."""
    wrong = [n for n in wrong if not isinstance(yours[n], Raised) and not isinstance(expected[n], Raised)]
    telling = [n for n in wrong if _telling(expected[n])] or wrong
    told = {n: seen(expected, yours, n, _arguments(answer, cases[n])) for n in telling}
    kinds = Counter(_kind(words) for words in told.values() if words)
    if not kinds or 2 * max(kinds.values()) < len(telling):
        return None
    kind = max(kinds, key=lambda k: kinds[k])  # the first of the most frequent
    n = next(n for n, words in told.items() if words and _kind(words) == kind)
    found = told[n] or ""
    if factors := _changing_factors([(expected[k], yours[k]) for k in telling], found):
        return factors
    return found if n == wrong[0] else f"{found} (as seen in case {cases[n].name!r})"


def _arguments(answer: Callable, case: Case) -> dict[str, Any]:
    return dict(zip(argument_names(answer, len(case.args)), case.args, strict=True))


def _kind(words: str) -> str:
    """The sentence without what is another in each case."""
    return _NUMBERS.sub("#", words)


def _telling(value: Any) -> bool:
    """Has an output enough elements, and not all of them alike?"""
    array = as_array(value)
    if array is None:
        return isinstance(value, str) or elements(value) >= _ENOUGH
    return array.size >= _ENOUGH and len(np.unique(array)) > (2 if array.dtype.kind == "f" else 1)


def _changing_factors(pairs: Sequence[tuple[Any, Any]], words: str) -> str | None:
    """Where each case is off by one factor, and each by another; a factor whose origin is named is known already."""
    if "times" not in words or "length of" in words:
        return None
    factors = [_factor(*pair) for pair in pairs]
    if None in factors or len({f"{factor:.2g}" for factor in factors}) < 2:
        return None
    shown = ", ".join(f"{factor:.3g}" for factor in factors[:3])
    return (
        f"in each case yours is off by one factor, but by another each time ({shown}): what all is divided by, or "
        "multiplied with, is computed wrongly"
    )


def _factor(expected: Any, yours: Any) -> float | None:
    """What all elements of an output, or of all outputs of a list, are multiplied with."""
    a, b = _flat(expected), _flat(yours)
    used = np.abs(a) > 1e-6
    if a.shape != b.shape or used.sum() < 2:
        return None
    factor = float(np.median(b[used] / a[used]))
    return factor if np.allclose(factor * a, b, rtol=1e-3, atol=1e-6) else None


def _flat(value: Any) -> np.ndarray:
    array = stacked(value)
    if array is not None:
        return array.astype(float).ravel()
    parts = listed(value)
    return np.concatenate([_flat(part) for part in parts]) if isinstance(parts, list | tuple) and parts else np.empty(0)
