"""COCO's run-length codes: what the compressed ones say, and whether they fit their pictures.

A code lists how many pixels are off, on, off, ... down the columns of a mask. Compressed, each number is the
difference to the one two before it (from the fourth on), cut into groups of five bits, lowest first: a character is
48 + the group + 32 if more groups follow (``rleToString`` and ``rleFrString`` in pycocotools' ``maskApi.c``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_LONGEST = 7  # characters of a number: 35 bits, more than any picture has pixels
_AT_ONCE = 50_000  # characters that are looked at together, so that they stay in the cache


def pixels(codes: Sequence[bytes]) -> np.ndarray:
    """How many pixels each compressed code describes, int64 [n]; -1 for what is no such code.

    pycocotools neither counts nor checks: a code that is too short leaves the rest of its mask as it finds the memory.
    """
    found, start, waiting = [np.zeros(0, np.int64)], 0, 0
    for end, code in enumerate(codes, start=1):
        waiting += len(code)
        if waiting > _AT_ONCE or end == len(codes):
            found.append(_pixels(codes[start:end]))
            start, waiting = end, 0
    return np.concatenate(found)


def _pixels(codes: Sequence[bytes]) -> np.ndarray:
    ends = np.cumsum([0, *map(len, codes)])  # of the codes among the characters, after a 0
    groups = np.frombuffer(b"".join(codes), np.uint8).astype(np.int64) - 48
    ends_number = (groups & 32) == 0
    finals = ends[1:][np.diff(ends) > 0] - 1
    wrong = (groups < 0) | (groups > 63)
    wrong[finals] |= ~ends_number[finals]
    ends_number[finals] = True  # so that an unfinished code does not run into the next
    numbers, too_long = _numbers(groups, ends_number)
    ends_of_codes = np.concatenate([[0], np.cumsum(ends_number)])[ends]  # among the numbers
    runs = _runs(numbers, ends_of_codes)
    bad = (_sums(wrong, ends) > 0) | (_sums(too_long | (runs < 0), ends_of_codes) > 0) | (np.diff(ends) == 0)
    return np.where(bad, -1, _sums(runs, ends_of_codes))


def _numbers(groups: np.ndarray, ends_number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The signed numbers that the groups of five bits make, and which of them are too long to be one."""
    ends = np.flatnonzero(ends_number) + 1
    lengths = np.diff(ends, prepend=0)
    places = np.arange(len(groups)) - np.repeat(ends - lengths, lengths)
    bits = (groups & 31) << (5 * np.minimum(places, _LONGEST))
    numbers = _sums(bits, np.concatenate([[0], ends]))
    negative = (groups[ends - 1] & 16) > 0
    return numbers - (negative.astype(np.int64) << (5 * np.minimum(lengths, _LONGEST))), lengths > _LONGEST


def _runs(numbers: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Undo the differences: running sums of every second number, from the second and from the third of each code on."""
    counts = np.diff(ends)
    places = np.arange(len(numbers)) - np.repeat(ends[:-1], counts)
    runs = numbers.copy()
    for chosen in (places % 2 == 1, (places % 2 == 0) & (places > 0)):
        total = np.concatenate([[0], np.cumsum(numbers[chosen])])
        seen = np.concatenate([[0], np.cumsum(chosen)])[ends]
        runs[chosen] = total[1:] - np.repeat(total[seen[:-1]], np.diff(seen))
    return runs


def _sums(values: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Of each stretch of ``values`` from one of the ``ends`` to the next."""
    return np.diff(np.concatenate([[0], np.cumsum(values, dtype=np.int64)])[ends])
