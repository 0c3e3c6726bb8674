"""Proofs that fold: two ways to the same numbers, compared; what was compared is one line, which opens."""

from __future__ import annotations

from html import escape

import numpy as np


class Proof:
    """Shown as one line that says what is equal, and opens to how it was compared; as text, what is equal alone.
    The sum of two proves both in one line."""

    def __init__(self, *parts: tuple[str, str]) -> None:
        self.parts = parts

    def __add__(self, other: Proof) -> Proof:
        return Proof(*self.parts, *other.parts)

    def __repr__(self) -> str:
        return "\n".join(f"{words}: True" for words, _ in self.parts)

    def _repr_html_(self) -> str:
        line = " ✓ ".join(escape(words) for words, _ in self.parts)
        inside = "<br>".join(escape(f"{words}: {details}") for words, details in self.parts)
        return f"<details><summary>✓ {line}</summary>{inside}</details>"


def proved(words: str, ours, theirs, atol: float = 0.0, rtol: float | None = None) -> Proof:
    """``ours`` and ``theirs`` (tensors, arrays, lists of them, numbers, anything that can be equal) are the same.

    Numbers may differ by ``atol``, and by ``rtol`` of their size (1e-5 where there is an ``atol``, as in
    ``torch.allclose``); without either they are equal to the last digit. Raises AssertionError, with the largest
    difference and where it is, if they are not the same.
    """
    rtol = (1e-5 if atol else 0.0) if rtol is None else rtol
    if _are_arrays(ours) and _are_arrays(theirs):
        return _all_proved(words, list(ours), list(theirs), atol, rtol)
    a, b = _array(ours), _array(theirs)
    if a is None or b is None:
        if ours != theirs:
            raise AssertionError(f"{words}: not so. Ours is {ours!r}, theirs is {theirs!r}")
        return Proof((words, "compared as they are, equal."))
    if a.shape != b.shape:
        raise AssertionError(f"{words}: not so. Ours has the shape {list(a.shape)}, theirs {list(b.shape)}")
    wrong = ~np.isclose(a, b, rtol, atol)
    if wrong.any():
        raise AssertionError(f"{words}: not so. {_largest(a, b, wrong)}")
    allowed = " and ".join([f"{atol:.1g}"] * bool(atol) + [f"{rtol:.1g} of its size"] * bool(rtol))
    how = f"none differs by more than {allowed}" if allowed else "equal to the last digit"
    return Proof((words, f"{a.size:,} numbers {list(a.shape)}, {how}."))


def _are_arrays(value) -> bool:
    """A list or tuple of tensors or arrays, one at least."""
    return isinstance(value, list | tuple) and bool(value) and all(hasattr(each, "shape") for each in value)


def _all_proved(words: str, ours: list, theirs: list, atol: float, rtol: float) -> Proof:
    """Of lists, one by one: the first pair that differs is told with its place."""
    if len(ours) != len(theirs):
        raise AssertionError(f"{words}: not so. Ours are {len(ours)}, theirs {len(theirs)}")
    pairs = enumerate(zip(ours, theirs))
    details = [proved(f"{words}, number {i}", a, b, atol, rtol).parts[0][1] for i, (a, b) in pairs]
    return Proof((words, " ".join(dict.fromkeys(details))))


def _array(value) -> np.ndarray | None:
    """Numbers as an array; None of what holds others."""
    if hasattr(value, "detach"):
        return value.detach().cpu().numpy()
    if isinstance(value, np.ndarray | np.generic | bool | int | float):
        return np.asarray(value)
    return None


def _largest(a: np.ndarray, b: np.ndarray, wrong: np.ndarray) -> str:
    distance = np.where(wrong, np.abs(a.astype(np.float64) - b.astype(np.float64)), -1.0)
    place = np.unravel_index(int(np.nan_to_num(distance, nan=np.inf).argmax()), a.shape)
    return (
        f"{int(wrong.sum()):,} of {a.size:,} numbers differ; at {[int(i) for i in place]} ours is {a[place]:g}, "
        f"theirs {b[place]:g}"
    )
