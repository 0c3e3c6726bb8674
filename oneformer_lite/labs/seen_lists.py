"""Two lists or texts that differ: the order, the number, the element or the letter that explains it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .compare import difference


def seen_in_list(expected: list, yours: list) -> str | None:
    """A sentence where order or number explain all; None where single elements differ."""
    found = next((words for words, made in _made_of(expected) if len(made) == len(yours) and _equal(made, yours)), None)
    if found:
        return found
    if (
        isinstance(yours, list)
        and len(yours) == 1
        and isinstance(yours[0], list | tuple)
        and _equal(expected, yours[0])
    ):
        return "a list within the list: one pair of brackets too many"
    if len(expected) != len(yours):
        return _another_length(expected, yours)
    wrong = [n for n, (a, b) in enumerate(zip(expected, yours, strict=True)) if difference(a, b) is not None]
    if all(isinstance(value, int | float) for value in expected + yours):
        return _numbers(expected, yours)
    if len(wrong) == 1 and len(expected) > 2 and isinstance(expected[0], str):
        inner = seen_in_text(expected[wrong[0]], yours[wrong[0]]) if isinstance(yours[wrong[0]], str) else None
        return f"one element alone is wrong, element {wrong[0]}" + (f": {inner}" if inner else "")
    return None


def _made_of(expected: list) -> list[tuple[str, list]]:
    """What an answer may have done to the right list."""
    two = len(expected) == 2
    made = [
        ("swapped: the right two, in the other order" if two else
         "reversed: the right elements from the end to the start", expected[::-1]),
        ("the first element is missing, the rest is right", expected[1:]),
        ("each element once: yours leaves out what comes twice", _once(expected)),
        ("the last element is missing, the rest is right", expected[:-1]),
    ]  # fmt: skip
    key: Callable = repr if not all(isinstance(value, int | float) for value in expected) else float
    made.append(("sorted: the right elements, but not in the order that is asked for", sorted(expected, key=key)))
    return [(words, list_) for words, list_ in made if not _equal(list_, expected)]


def _another_length(expected: list, yours: list) -> str:
    many = f"{abs(len(yours) - len(expected))} too {'many' if len(yours) > len(expected) else 'few'}"
    short = min(len(expected), len(yours))
    if short and _equal(expected[:short], yours[:short]):
        return f"{many} at the end; the rest is right"
    if short and _equal(expected[-short:], yours[-short:]):
        return f"{many} at the start; the rest is right"
    return f"{many}: what is left out, or comes twice?"


def _numbers(expected: list, yours: list) -> str | None:
    steps = {round(b - a, 4) for a, b in zip(expected, yours, strict=True)}
    if len(steps) == 1 and len(expected) > 1:
        return f"every element is {steps.pop():+g} off: counted from 1, or one added too many?"
    if len(expected) > 1 and not _equal(expected, yours) and _equal(sorted(expected), sorted(yours)):
        return "a permutation: the right numbers in another order"
    if all(isinstance(a, int) for a in expected) and not all(isinstance(b, int) for b in yours):
        return _decimals(expected, yours)
    if _equal([int(a) for a in expected if a == a], [int(b) for b in yours if b == b]):
        return "the decimals are cut off: / instead of //"
    wrong = [n for n, (a, b) in enumerate(zip(expected, yours, strict=True)) if difference(a, b) is not None]
    if len(wrong) == 1 and len(expected) > 2:
        return f"one element alone is wrong, element {wrong[0]}"
    return _from_here_on(expected, yours, wrong[0]) if wrong[0] > 0 else None


def _decimals(expected: list, yours: list) -> str:
    """Of decimals where whole numbers are asked for: the rounding that makes the right ones, where one does."""
    asked = "whole numbers are asked for"
    if all(math.isfinite(b) for b in yours):
        for words, made in (
            ("// instead of /, or int()", math.floor),
            ("round to the nearest, round()", round),
            ("round up, math.ceil()", math.ceil),
        ):
            if _equal(expected, [made(b) for b in yours]):
                return f"{asked}: {words}"
    decimal = next((b for b in yours if b != b or b % 1), yours[0])
    return f"{asked}, yours has {decimal:.4g}: round each step on the way, not the last alone"


def _from_here_on(expected: list, yours: list, first: int) -> str:
    """Of numbers that are right before element ``first``: what happens to the rest."""
    a, b = expected[first:], yours[first:]
    if len(a) > 2 and _equal(a[1:], b[:-1]):
        return f"element {first}, {a[0]}, is left out: what follows stands one place too early"
    if len(a) > 2 and _equal(a[:-1], b[1:]):
        return f"element {first}, {b[0]}, is one too many: what follows stands one place too late"
    steps = {round(y - x, 4) for x, y in zip(a, b, strict=True)}
    if len(a) > 1 and len(steps) == 1:
        return f"right before element {first}, and from there on all are {steps.pop():+g} off"
    wrong = sum(difference(x, y) is not None for x, y in zip(a, b, strict=True))
    return (
        f"element {first} is the first that is wrong, {b[0]:.4g} where {a[0]:.4g} is asked for; {wrong} of "
        f"{len(expected)} are: what do the right ones have in common?"
    )


def seen_in_text(expected: str, yours: str) -> str:
    """How a text differs."""
    if expected.lower() == yours.lower():
        return f"{expected!r}: capital and small letters"
    if "".join(expected.split()) == "".join(yours.split()):
        return f"{expected!r}: a space too many or too few"
    for one, other, words in ((expected, yours, "is missing"), (yours, expected, "is too many")):
        for rest, place in ((one.removeprefix(other), "at the end"), (one.removesuffix(other), "at the start")):
            if rest != one:
                return f"{rest!r} {words} {place} of {other!r}"
    same = next(n for n, (a, b) in enumerate(zip(expected, yours, strict=False)) if a != b)
    return f"{yours!r} differs from {expected!r} at {expected[same:]!r}"


def _once(values: list) -> list:
    kept: list[Any] = []
    for value in values:
        if not any(difference(value, other) is None for other in kept):
            kept.append(value)
    return kept


def _equal(expected: list, yours: list) -> bool:
    return difference(expected, yours) is None
