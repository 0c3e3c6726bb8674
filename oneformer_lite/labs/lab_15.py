"""Lab 15: names of published weights, a head for other classes, and annotations that do not hold what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .draws import first
from .exercise import Case, Exercise, Mistake
from .longer.renames import RENAMED

# -- 15.2: old class names, new class names -> for each row of the new head the row of the old, or -1


def _kept(old: Sequence[str], new: Sequence[str]) -> list[int]:
    return [list(old).index(name) if name in old else -1 for name in new] + [len(old)]


def _cases_kept() -> list[Case]:
    town = ["car", "bus", "tree", "sky"]
    return [
        Case("two stay, one is new", town, ["tree", "boat", "car"]),
        Case("the same classes", town, town),
        Case("another order", town, town[::-1]),
        Case("nothing stays", town, ["cell", "nucleus"]),
        Case("one class", town, ["bus"]),
    ]


def _no_last_row(old: Sequence[str], new: Sequence[str]) -> list[int]:
    return _kept(old, new)[:-1]


def _last_is_new(old: Sequence[str], new: Sequence[str]) -> list[int]:
    return [*_kept(old, new)[:-1], -1]


def _by_place(old: Sequence[str], new: Sequence[str]) -> list[int]:
    return [k if k < len(old) else -1 for k in range(len(new))] + [len(old)]


def _other_way_round(old: Sequence[str], new: Sequence[str]) -> list[int]:
    return [list(new).index(name) if name in new else -1 for name in old] + [len(new)]


def _last_of_the_new(old: Sequence[str], new: Sequence[str]) -> list[int]:
    return [*_kept(old, new)[:-1], len(new)]


# -- 15.3: map of ids, 0 = void; what is told of the segments; category ids -> the segments that are wrong, rising


def _faulty(ids: np.ndarray, told: Sequence[Mapping[str, Any]], categories: Sequence[int]) -> list[int]:
    pixels = {int(i): int(n) for i, n in zip(*np.unique(ids[ids != 0], return_counts=True), strict=True)}
    wrong = {s["id"] for s in told if s["category_id"] not in categories or s["area"] != pixels.get(s["id"], 0)}
    empty = {s["id"] for s in told if s["id"] not in pixels}
    return sorted(wrong | empty | (set(pixels) - {s["id"] for s in told}))


def _cases_faulty() -> list[Case]:
    ids = np.array([[1, 1, 0], [2, 3, 3]])

    def told(*rows: tuple[int, int, int]) -> list[dict[str, int]]:
        return [dict(zip(("id", "category_id", "area"), row, strict=True)) for row in rows]

    right = [(1, 7, 2), (2, 9, 1), (3, 7, 2)]
    return [
        Case("nothing is wrong", ids, told(*right), [7, 9]),
        Case("an area", ids, told((1, 7, 3), *right[1:]), [7, 9]),
        Case("a category that there is not", ids, told(*right[:2], (3, 8, 2)), [7, 9]),
        Case("a segment without a pixel", ids, told(*right, (6, 9, 0)), [7, 9]),
        Case("a segment that nobody lists", ids, told(*right[::2]), [7, 9]),
        Case("several at once", ids, told((3, 5, 2), (1, 9, 9), (8, 7, 4)), [7, 9]),
    ]


def _areas_alone(ids: np.ndarray, told: Sequence[Mapping[str, Any]], categories: Sequence[int]) -> list[int]:
    return sorted(s["id"] for s in told if s["area"] != (ids == s["id"]).sum())


def _what_is_told_alone(
    ids: np.ndarray, told: Sequence[Mapping[str, Any]], categories: Sequence[int]
) -> list[int]:
    wrong = {s["id"] for s in told if s["category_id"] not in categories or s["area"] != (ids == s["id"]).sum()}
    return sorted(wrong)


def _listed_alone(ids: np.ndarray, told: Sequence[Mapping[str, Any]], categories: Sequence[int]) -> list[int]:
    return [i for i in _faulty(ids, told, categories) if i in {s["id"] for s in told}]


def _empty_is_fine(ids: np.ndarray, told: Sequence[Mapping[str, Any]], categories: Sequence[int]) -> list[int]:
    fine = {s["id"] for s in told if s["area"] == 0 and s["category_id"] in categories and not (ids == s["id"]).any()}
    return [i for i in _faulty(ids, told, categories) if i not in fine]


def _void_too(ids: np.ndarray, told: Sequence[Mapping[str, Any]], categories: Sequence[int]) -> list[int]:
    return ([0] if (ids == 0).any() else []) + _faulty(ids, told, categories)


def _as_listed(ids: np.ndarray, told: Sequence[Mapping[str, Any]], categories: Sequence[int]) -> list[int]:
    wrong = _faulty(ids, told, categories)
    listed = [s["id"] for s in told if s["id"] in wrong]
    return listed + [i for i in wrong if i not in listed]


EXERCISES = (
    RENAMED,
    Exercise(
        id="15.2",
        name="kept",
        reference=_kept,
        cases=_cases_kept,
        drawn=first.class_lists,
        mistakes=(
            Mistake("the head has one row more: no object, the last, which every model has learned", _no_last_row),
            Mistake("no object is no new class: its row is kept", _last_is_new),
            Mistake("classes are found by their names, not by their places", _by_place),
            Mistake("the other way round: for each row of the new head, a row of the old", _other_way_round),
            Mistake("the row of no object is the last of the old head", _last_of_the_new),
        ),
    ),
    Exercise(
        id="15.3",
        name="faulty",
        reference=_faulty,
        cases=_cases_faulty,
        drawn=first.annotations,
        mistakes=(
            Mistake("areas are not all: is the category one of the data set's?", _areas_alone),
            Mistake("areas and categories are not all: is each listed segment in the map, with a pixel, and each of "
                    "the map in the list?", _what_is_told_alone),
            Mistake("look at the map too: it may hold a segment that nobody lists", _listed_alone),
            Mistake("a segment that is listed and has no pixel is wrong, also with an area of 0", _empty_is_fine),
            Mistake("0 is void, no segment", _void_too),
            Mistake("rising ids are asked for, not the order of the list", _as_listed),
        ),
    ),
)  # fmt: skip
