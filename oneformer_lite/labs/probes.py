"""What would the reference give for other arguments? If that is what an answer gives, the change names its mistake."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .calls import Raised, argument_names, call
from .compare import difference
from .exercise import Case, Exercise

Change = Callable[[Any], Any]
_DECIMALS: tuple[tuple[str, Change], ...] = (
    ("{0} counted the other way round: a sign is wrong", lambda x: -x),
    ("{0} were 0: it is left out", torch.zeros_like),
    ("{0} went through a sigmoid before: one too many", torch.sigmoid),
    ("{0} went through a softmax before: one too many", lambda x: x.softmax(-1)),
    ("{0} went through exp before: one too many", torch.exp),
    ("{0} went through a relu before", torch.relu),
    ("{0} lost its sign before (abs)", torch.abs),
    ("{0} were normalised before: its length counts here", lambda x: F.normalize(x, dim=-1)),
    ("{0} were rounded, or thresholded, before: keep the decimals", lambda x: (x > 0.5).to(x.dtype)),
    ("{0} were 1 minus {0}", lambda x: 1 - x),
    (
        "{0} were √{1} times as large, its width {1}: is a division by the root missing?",
        lambda x: x * x.shape[-1] ** 0.5,
    ),
    ("{0} were divided by √{1}, its width {1}: is one division too many?", lambda x: x / x.shape[-1] ** 0.5),
    ("{0} were twice as large: is it counted twice?", lambda x: 2 * x),
    ("{0} were half as large", lambda x: x / 2),
    ("{0} were reversed along its first axis", lambda x: x.flip(0)),
    ("{0} were reversed along its last axis: x and y, or first and last, swapped?", lambda x: x.flip(-1)),
    ("{0} were transposed", lambda x: x.mT if x.shape[-1] == x.shape[-2] else x),
    ("{0} were its mean over axis 0: each must keep its own", lambda x: x.mean(0, keepdim=True).expand_as(x)),
    ("{0} had its first row everywhere", lambda x: x[:1].expand_as(x)),
)
_BOOLS: tuple[tuple[str, Change], ...] = (
    ("{0} were inverted: True and False the other way round", lambda x: ~x),
    ("{0} were True everywhere: it is not used", torch.ones_like),
)
_WHOLE: tuple[tuple[str, Change], ...] = (
    ("{0} were one more: counted from 1, or one step too far?", lambda x: x + 1),
    ("{0} were one less: one step too short?", lambda x: x - 1),
    ("{0} were 0: it is left out", lambda x: x * 0),
    ("{0} were 1: it is left out", lambda x: x * 0 + 1),
    ("{0} came in another order", lambda x: x.flip(0) if isinstance(x, Tensor) and x.ndim else x),
    (
        "{0} were in rising order: no sort is asked for",
        lambda x: x.sort(0).values if isinstance(x, Tensor) and x.ndim else x,
    ),
)
_NUMBERS: tuple[tuple[str, Change], ...] = (
    ("{0} were 0: it is left out", lambda x: 0.0),
    ("{0} were 1: it is left out", lambda x: 1.0),
    ("{0} were 1 minus {0}", lambda x: 1 - x),
    ("{0} were twice as large", lambda x: 2 * x),
    ("{0} were half as large", lambda x: x / 2),
)
_LISTS: tuple[tuple[str, Change], ...] = (
    ("{0} came in the reverse order", lambda x: x[::-1]),
    ("the first entry of {0} were left out", lambda x: x[1:]),
    ("the last entry of {0} were left out", lambda x: x[:-1]),
    ("{0} held the first entry alone", lambda x: x[:1]),
    ("{0} held the last entry alone", lambda x: x[-1:]),
    ("{0} held its first entry everywhere", lambda x: x[:1] * len(x)),
    ("the entries of {0} came the other way round", lambda x: [type(part)(part[::-1]) for part in x]),
    ("{0} held each entry once", lambda x: list(dict.fromkeys(x))),
)


def probed(
    exercise: Exercise, cases: Sequence[Case], yours: Sequence[Any], expected: Sequence[Any], wrong: int
) -> str | None:  # fmt: skip
    """A sentence where a changed argument explains every case that is wrong."""
    if isinstance(yours[wrong], Raised):
        return None
    names = argument_names(exercise.reference, len(cases[wrong].args))
    evidence = [n for n in range(len(cases)) if _differ(expected[n], yours[n]) and not isinstance(yours[n], Raised)]
    for words, change in _changes(names, cases[wrong].args):
        if all(_explains(exercise, change, cases[n], yours[n]) for n in evidence):
            return f"yours is what comes if {words}"
    return None


def _changes(names: Sequence[str], args: tuple) -> Iterator[tuple[str, Callable[[tuple], tuple]]]:
    """Words, and what makes other arguments of a case's."""
    for (i, a), (j, b) in itertools.combinations(enumerate(args), 2):
        if type(a) is type(b) and not callable(a):
            yield f"{names[i]} and {names[j]} were swapped", lambda args, i=i, j=j: _swapped(args, i, j)
    for place, value in enumerate(args):
        for words, change in _fitting(value):
            width = value.shape[-1] if isinstance(value, Tensor) and value.ndim else ""
            yield (
                words.format(names[place], width),
                lambda args, p=place, c=change: (*args[:p], c(args[p]), *args[p + 1 :]),
            )


def _fitting(value: Any) -> Sequence[tuple[str, Change]]:
    """The changes for a value of this kind; arrays are changed as tensors."""
    if isinstance(value, Tensor | np.ndarray) and np.ndim(value):
        tensor = torch.as_tensor(value)
        changes = _BOOLS if tensor.dtype == torch.bool else _DECIMALS if tensor.is_floating_point() else _WHOLE
        return (
            changes
            if isinstance(value, Tensor)
            else [(w, lambda x, c=c: c(torch.as_tensor(x)).numpy()) for w, c in changes]
        )
    if isinstance(value, bool | str) or callable(value):
        return ()
    if isinstance(value, int):
        return _WHOLE
    if isinstance(value, float):
        return _NUMBERS
    return _LISTS if isinstance(value, list) and value else ()


def _explains(exercise: Exercise, change: Callable[[tuple], tuple], case: Case, yours: Any) -> bool:
    def reference(*args: Any) -> Any:
        return exercise.reference(*change(args))

    return not _differ(call(reference, case.args).output, yours, exercise.tolerance)


def _swapped(args: tuple, i: int, j: int) -> tuple:
    parts = list(args)
    parts[i], parts[j] = parts[j], parts[i]
    return tuple(parts)


def _differ(a: Any, b: Any, tolerance: float = 1e-4) -> bool:
    if isinstance(a, Raised) or isinstance(b, Raised):
        return not (isinstance(a, Raised) and isinstance(b, Raised))
    try:
        return difference(a, b, tolerance) is not None
    except Exception:  # an object of the answer's own making may do anything when it is looked at
        return True
