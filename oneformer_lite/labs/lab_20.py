"""Lab 20: faults that are not announced, what a curve and what names tell, and two lines to mend."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from .draws import sick
from .exercise import Case, Exercise, Mistake, Rules

# -- 20.1: the letter of a run -> its fault

_FAULTS = {"P": "other places", "Q": "no object", "R": "normalisation", "S": "single pictures"}


def _fault(run: str) -> str:
    return _FAULTS[run]


def _guess(**said: str):
    """An answer with these in place of the right ones."""
    return lambda run: (_FAULTS | said)[run]


# -- 20.2: the values of a loss -> what is odd about it

_FLAT = 0.98


def _symptom(
    values: Sequence[float], *, mean: bool = True, nan: bool = True, infinite: bool = True, order: bool = True,
    each: bool = True,
) -> str:  # fmt: skip
    """With switches for what goes wrong."""
    if nan and not all(math.isfinite(v) or (math.isinf(v) and not infinite) for v in values):
        return "not finite"
    start, end = (sum(part) / len(part) if mean else part[0] for part in (values[:10], values[-10:]))
    if order and end < 0:
        return "below zero"
    if (max(values[-10:]) if each else end) < 1e-6:
        return "zero"
    return "flat" if end > _FLAT * start else "falls"


def _cases_symptom() -> list[Case]:
    falls = [10.0 * 0.97**i for i in range(60)]
    return [
        Case("nearly zero, but for one of the last ten", [*falls[:40], *[0.0] * 15, 5e-6, *[0.0] * 4]),
        Case("one that is infinite", [*falls[:30], math.inf, *falls[31:]]),
        Case("zero at the end", [*falls[:40], *[0.0] * 20]),
        Case("below zero", [2.0 - 0.2 * i for i in range(60)]),
        Case("one that is no number", [*falls[:30], math.nan, *falls[31:]]),
        Case("flat, with one high value at the start", [4.4, *[4.0 + 0.03 * math.sin(i) for i in range(59)]]),
    ]


# -- 20.3: classes that are there, what is said of them, the number that means "no object" -> a verdict


def _verdict(true: Sequence[int], said: Sequence[int], no_object: int) -> str:
    silent = sum(s == no_object for s in said)
    if silent > len(true) / 2:
        return "no object"
    offset, times = Counter(s - t for t, s in zip(true, said) if s != no_object).most_common(1)[0]
    if times <= len(true) / 2:
        return "mixed"
    return f"off by {offset:+d}" if offset else "fine"


def _cases_verdict() -> list[Case]:
    true = [0, 3, 3, 7, 9, 1, 5, 12]
    return [
        Case("all right", true, list(true), 14),
        Case("one too far", true, [t + 1 for t in true], 14),
        Case("one too few", true[1:], [t - 1 for t in true[1:]], 14),
        Case("classes next to no object", [13] * 6, [14] * 6, 14),
        Case("exactly half is no object", true, [14] * 4 + [10, 2, 6, 0], 14),
        Case("exactly half is one too far", true, [1, 4, 4, 8, 2, 11, 0, 3], 14),
    ]


def _judge(
    true: Sequence[int], said: Sequence[int], no_object: int, *, silent: bool = True, sign: int = 1,
    most: bool = True, plus: bool = True, half: float = 0, of_named: bool = False,
) -> str:  # fmt: skip
    """The answer written once more, with switches for what goes wrong; with a ``half`` of 0.5, half is enough."""
    quiet = sum(s == no_object for s in said)
    if silent and quiet > len(true) / 2 - half:
        return "no object"
    counted = Counter(sign * (s - t) for t, s in zip(true, said) if not silent or s != no_object)
    offset, times = counted.most_common(1)[0]
    if most and times <= (len(true) - quiet * of_named) / 2 - half:
        return "mixed"
    return (f"off by {offset:+d}" if plus else f"off by {offset}") if offset else "fine"


# -- 20.4: matched queries [G], their labels [G], number of queries, number of "no object" -> int [Q]


def _table(queries: Tensor, labels: Tensor, count: int, no_object: int) -> Tensor:
    wanted = torch.full((count,), no_object)
    wanted[queries] = labels
    return wanted


def _cases_table() -> list[Case]:
    return [
        Case("three of six", torch.tensor([4, 0, 2]), torch.tensor([7, 7, 1]), 6, 14),
        Case("one of four", torch.tensor([3]), torch.tensor([0]), 4, 14),
        Case("all of three", torch.tensor([2, 0, 1]), torch.tensor([5, 6, 7]), 3, 8),
        Case("nothing to find", torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64), 5, 14),
    ]


def _in_order(queries: Tensor, labels: Tensor, count: int, no_object: int) -> Tensor:
    return _table(torch.arange(len(labels)), labels, count, no_object)


# -- 20.5: picture uint8 [H, W, 3], masks uint8 [G, H, W] of about 0 and 255, whether to mirror -> picture, bool masks


def _prepared(image: Tensor, masks: Tensor, mirror: bool) -> tuple[Tensor, Tensor]:
    return _made(image, masks, mirror)


def _made(
    image: Tensor, masks: Tensor, mirror: bool, *, of_image: int = 1, of_masks: int = 2, least: int = 127,
    always: bool = False,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """With switches for what goes wrong; axis 3 mirrors nothing."""
    inside = masks > least
    if not (mirror or always):
        return image, inside
    return image.flip(of_image), inside if of_masks == 3 else inside.flip(of_masks)


def _cases_prepared() -> list[Case]:
    image = torch.arange(24, dtype=torch.uint8).view(2, 4, 3)
    masks = torch.tensor([[[255, 0, 0, 250], [255, 3, 0, 0]], [[0, 0, 255, 0], [9, 0, 249, 255]]], dtype=torch.uint8)
    return [
        Case("mirrored", image, masks, True),
        Case("as it is", image, masks, False),
        Case("one mask, mirrored", image, masks[:1], True),
        Case("no mask", image, masks[:0], True),
    ]


EXERCISES = (
    Exercise(
        id="20.1",
        name="fault",
        reference=_fault,
        cases=lambda: [Case(f"run {letter}", letter) for letter in _FAULTS],
        drawn=sick.letters,
        told=False,
        mistakes=(
            Mistake("P and Q: in one of them names are missing, in the other they are in places where nothing is; look "
                    "at the pictures again", _guess(P="no object", Q="other places")),
            Mistake("P and R: look at the batches in numbers; one of the means is not that of normalised pictures",
                    _guess(P="normalisation", R="other places")),
            Mistake("S: its class loss is fine. Which of its losses was zero from the first step on?",
                    _guess(S="no object")),
        ),
    ),
    Exercise(
        id="20.2",
        name="symptom",
        reference=lambda values: _symptom(values),
        cases=_cases_symptom,
        drawn=sick.curves,
        mistakes=(
            Mistake("compare means of ten values: single ones jump", lambda v: _symptom(v, mean=False)),
            Mistake("ask first whether all values are finite: a comparison with NaN is always false",
                    lambda v: _symptom(v, nan=False)),
            Mistake("an infinite value is not finite either: np.isnan finds NaN alone",
                    lambda v: _symptom(v, infinite=False)),
            Mistake("zero is each of the last ten, not their mean", lambda v: _symptom(v, each=False)),
            Mistake("a loss below zero does not fall, it is impossible: ask before the others",
                    lambda v: _symptom(v, order=False)),
        ),
    ),
    Exercise(
        id="20.3",
        name="verdict",
        reference=_verdict,
        cases=_cases_verdict,
        drawn=sick.names,
        mistakes=(
            Mistake("\"no object\" is no class: count it first, or class 13 looks off by one",
                    lambda *given: _judge(*given, silent=False)),
            Mistake("the offset is what is said minus what is there", lambda *given: _judge(*given, sign=-1)),
            Mistake("the most frequent offset counts only if more than half have it; else it is \"mixed\"",
                    lambda *given: _judge(*given, most=False)),
            Mistake("exactly half is not more than half", lambda *given: _judge(*given, half=0.5)),
            Mistake("more than half of all masks, not of those that are named",
                    lambda *given: _judge(*given, of_named=True)),
            Mistake("write the offset with its sign, as f\"{offset:+d}\"", lambda *given: _judge(*given, plus=False)),
        ),
    ),
    Exercise(
        id="20.4",
        name="table",
        reference=_table,
        cases=_cases_table,
        drawn=sick.labels,
        rules=Rules(never=("loops",)),
        mistakes=(
            Mistake("nothing is written: wanted[queries] is a copy, so assign to it instead of changing it",
                    lambda q, k, n, no: torch.full((n,), no)),
            Mistake("the query is the place and its label what is written there: yours has the two swapped",
                    lambda q, k, n, no: _table(k, q, n, no)),
            Mistake("the labels belong to the matched queries, not to the first ones", _in_order),
            Mistake("who is not matched has \"no object\", not class 0",
                    lambda q, k, n, no: _table(q, k, n, 0)),
        ),
    ),
    Exercise(
        id="20.5",
        name="prepared",
        reference=_prepared,
        cases=_cases_prepared,
        drawn=sick.pictures,
        rules=Rules(never=("loops",)),
        mistakes=(
            Mistake("the picture is mirrored, the masks are not", lambda *given: _made(*given, of_masks=3)),
            Mistake("mirrored is left to right: the picture's axis 1, the masks' axis 2",
                    lambda *given: _made(*given, of_image=0, of_masks=1)),
            Mistake("what is nearly 0 is outside: compare with 127", lambda *given: _made(*given, least=0)),
            Mistake("what is nearly 255 is inside: compare with 127", lambda *given: _made(*given, least=254)),
            Mistake("mirror only where it is asked for", lambda *given: _made(*given, always=True)),
        ),
    ),
)  # fmt: skip
