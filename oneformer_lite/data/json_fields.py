"""Judging what a foreign JSON file says: each value must be of its kind, and none is converted into it.

Files have millions of values, so a field is looked at in all entries at once (a column): the set of its types and
its extremes tell that all is well. Only if not, the culprit is searched, and named by file and place.
"""

from __future__ import annotations

import re
import reprlib
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from pathlib import Path

from PIL import ImageColor

from ..errors import DataError
from .sample import MAX_CATEGORY_ID
from .unseen import is_blank

_ABSENT = object()
_CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")  # and halves of letters, which no file and no picture can show
_DRIVE = re.compile("[A-Za-z]:|[A-Za-z]+://")  # or an address
_LARGEST = 2**63  # what an int64 holds
_NAMES = {str: "text", list: "a list", dict: "an object", bool: "a truth value", float: "a number", int: "a number"}


@dataclass(frozen=True)
class Kind:
    """What values may be: their types, and a condition that several of these types are tested for at once."""

    text: str
    types: frozenset[type]
    fits: Callable[[Sequence], bool] = lambda values: True

    def holds(self, values: Sequence) -> bool:
        """Whether all ``values`` are of this kind."""
        return self.types.issuperset(map(type, values)) and (not len(values) or self.fits(values))


def _are_whole(numbers: Sequence, low: int = -_LARGEST, high: int = _LARGEST - 1) -> bool:
    """JSON has one kind of number: 3.0 is 3, as spreadsheets write it."""
    decimals = [number for number in numbers if type(number) is float]
    return all(map(float.is_integer, decimals)) and low <= min(numbers) <= max(numbers) <= high


def _are_names(texts: Sequence[str]) -> bool:
    return all(map(_is_name, texts))


def _is_name(text: str) -> bool:
    return not is_blank(text) and not _CONTROL.search(text)


def _are_inside(texts: Sequence[str]) -> bool:
    return all(_is_name(text) and _is_inside(text) for text in texts)


def _is_inside(text: str) -> bool:
    """A path that stays in the folder it is joined to, on every system; ``\\`` separates as on Windows."""
    parts = text.replace("\\", "/").split("/")
    return bool(parts[0]) and parts[-1] not in ("", ".") and ".." not in parts and not _DRIVE.match(text)


def _is_color(value: list | str) -> bool:
    if isinstance(value, list):
        return len(value) == 3 and {int, float}.issuperset(map(type, value)) and _are_whole(value, 0, 255)
    try:
        return len(value) < 40 and bool(ImageColor.getrgb(value))
    except ValueError:
        return False


WHOLE = Kind("a whole number (without quotes)", frozenset((int, float)), _are_whole)
SIZE = Kind("a whole number above 0 (without quotes)", frozenset((int, float)), lambda v: _are_whole(v, 1, 2**31 - 1))
CATEGORY_ID = Kind(
    "a whole number from 0 to 2^53 (without quotes)", frozenset((int, float)),
    lambda values: _are_whole(values, 0, MAX_CATEGORY_ID),
)  # fmt: skip
ANYTHING = Kind("anything", frozenset((int, float, str, bool, list, dict, type(None))))
ID = Kind(
    "a whole number, or text that is not blank", frozenset((int, float, str)),
    lambda values: all(v.is_integer() for v in values if type(v) is float)  # of any length: some tools number by UUID
    and _are_names([v for v in values if type(v) is str]),
)  # fmt: skip
SEGMENT_ID = Kind(
    "a whole number from 1 to 16777215, as colours can show (0 is void)", frozenset((int, float)),
    lambda values: _are_whole(values, 1, 256**3 - 1),
)  # fmt: skip
FLAG = Kind("0 or 1 (without quotes)", frozenset((int, float, bool)), lambda values: {0, 1}.issuperset(values))
NAME = Kind("text that is not blank, without control characters", frozenset((str,)), _are_names)
FILE = Kind(
    "a path below the folder of the data set (text; not absolute, no address, no \"..\")", frozenset((str,)),
    _are_inside,
)  # fmt: skip
COLOR = Kind(
    'three whole numbers from 0 to 255 (red, green, blue), or text such as "#ff8800"', frozenset((list, str)),
    lambda values: all(map(_is_color, values)),
)  # fmt: skip
LIST = Kind("a list", frozenset((list,)))
OBJECT = Kind("an object with fields", frozenset((dict,)))


@dataclass(frozen=True)
class Entries:
    """The objects of a list in a JSON file; ``place(i)`` says where the i-th stands there."""

    file: Path
    rows: list[dict]
    place: Callable[[int], str]

    @classmethod
    def of(cls, file: Path, content: dict, key: str) -> Entries:
        """The list ``content[key]``."""
        rows = content[key]
        if type(rows) is not list:
            raise DataError(f"{file}: {key!r} is {shown(rows)}, expected a list of objects")
        return cls(file, rows, lambda i: f"{key}[{i}]{_with_id(key, rows[i])}")._judged()

    def _judged(self) -> Entries:
        self.judge(self.rows, OBJECT, self.place)
        return self

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, key: str, kind: Kind, default: object = _ABSENT) -> list:
        """The field ``key`` of every entry; null and absent ones are ``default``, where that is allowed."""
        values = [row.get(key) for row in self.rows]
        given = values if default is _ABSENT else [value for value in values if value is not None]
        if not kind.holds(given):
            self._refuse(key, kind, default is not _ABSENT)
        if len(given) < len(values):
            values = [default if value is None else value for value in values]
        return [int(v) if type(v) is float and v.is_integer() else v for v in values]

    def children(self, key: str) -> tuple[Entries, list[int]]:
        """The objects in the lists ``key`` of all entries, one after the other, and where each list ends."""
        lists = self.column(key, LIST)
        ends = list(accumulate(map(len, lists)))

        def place(i: int) -> str:
            parent = bisect_right(ends, i)
            return f"{self.place(parent)}.{key}[{i - (ends[parent - 1] if parent else 0)}]"

        return Entries(self.file, list(chain.from_iterable(lists)), place)._judged(), ends

    def judge(self, values: Sequence, kind: Kind, place: Callable[[int], str]) -> None:
        """Raise :class:`DataError` for the first of ``values`` that is not of its kind."""
        if kind.holds(values):
            return
        for i, value in enumerate(values):
            if not kind.holds([value]):
                raise DataError(f"{self.file}: {place(i)} is {shown(value)}, expected {kind.text}")

    def distinct(self, key: str, values: list) -> list:
        """``values`` of the column ``key``, none of which may come twice."""
        if len(set(values)) != len(values):
            first: dict = {}
            for i, value in enumerate(values):
                if first.setdefault(value, i) != i:
                    raise DataError(
                        f"{self.file}: {self.place(first[value])} and {self.place(i)} share an id ({shown(value)}): "
                        f"give each its own {key!r}"
                    )
        return values

    def _refuse(self, key: str, kind: Kind, may_be_absent: bool) -> None:
        for i, row in enumerate(self.rows):
            if key not in row and not may_be_absent:
                has = reprlib.repr(list(row))
                raise DataError(f"{self.file}: {self.place(i)} lacks {key!r} ({kind.text}); it has {has}")
            if not (may_be_absent and row.get(key) is None):
                self.judge([row[key]], kind, lambda _, i=i: f"{self.place(i)}.{key}")


def _with_id(key: str, row: object) -> str:
    """The entry's own id, by which people find it."""
    own = row.get("id") if isinstance(row, dict) else None
    return f" ({key.removesuffix('s')} {reprlib.repr(own)})" if type(own) in (int, str) and key != "categories" else ""


def shown(value: object) -> str:
    """A value as the file has it, not longer than a line, with the name of its type."""
    if value is None:
        return "null"
    name = _NAMES.get(type(value), type(value).__name__)
    if is_json_in_text(value):
        name = "text that holds JSON: it was encoded twice"
    return f"{reprlib.repr(value)} ({name})"


def is_json_in_text(value: object) -> bool:
    """Whether ``value`` is a text in which a list, an object or a text of JSON stands: one that was encoded twice."""
    return isinstance(value, str) and re.fullmatch(r"\s*(\[.*\]|\{.*\}|\".*\")\s*", value, re.DOTALL) is not None
