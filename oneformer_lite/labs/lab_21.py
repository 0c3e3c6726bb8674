"""Lab 21: one map of many masks, what was found of an instance map, and where windows lie."""

from __future__ import annotations

import math

import numpy as np

from ..inference.large.grid import Axis
from ..metrics.overlaps import count_overlaps
from .draws import photographs
from .exercise import Case, Exercise, Mistake

# -- 21.1: masks bool [n, H, W], scores [n] -> int [H, W], 1 = the surest


def _one_map(
    masks: np.ndarray, scores: np.ndarray, *, by_place: bool = False, last: bool = False, seen: bool = False
) -> np.ndarray:
    """With switches for what goes wrong; ``seen``: only masks that keep a pixel have a number."""
    order = np.argsort(-np.asarray(scores), kind="stable")
    ids = np.zeros(masks.shape[1:], int)
    numbered = list(enumerate(order.tolist(), start=1))
    for number, place in numbered if last else reversed(numbered):
        ids[masks[place]] = place + 1 if by_place else number
    return np.unique(np.append(ids.ravel(), 0), return_inverse=True)[1][:-1].reshape(ids.shape) if seen else ids


def _cases_one_map() -> list[Case]:
    bars = np.zeros((3, 4, 6), bool)
    bars[0, :, :3], bars[1, :, 2:5], bars[2, 1:3] = True, True, True
    inside = np.zeros((2, 5, 5), bool)
    inside[0], inside[1, 1:4, 1:4] = True, True
    hidden = np.zeros((3, 4, 6), bool)
    hidden[0, :, :4], hidden[1, 1:3, 1:3], hidden[2, :, 3:] = True, True, True
    return [
        Case("three bars, the last one surest", bars, np.array([0.5, 0.3, 0.9])),
        Case("three bars, in their order", bars, np.array([0.9, 0.8, 0.7])),
        Case("a small one inside a surer one", inside, np.array([0.9, 0.6])),
        Case("a surer one inside", inside, np.array([0.6, 0.9])),
        Case("one that is wholly covered, and a third", hidden, np.array([0.9, 0.7, 0.5])),
        Case("no mask", np.zeros((0, 3, 4), bool), np.zeros(0)),
    ]


# -- 21.2: instance maps int [H, W], int [H, W] -> TP, FP, FN at IoU above 0.5


def _counted(
    found: np.ndarray, truth: np.ndarray, *, least: float = 0.5, at_least: bool = False, ground: bool = False,
    dice: bool = False, one_sided: bool = False,
) -> tuple[int, int, int]:  # fmt: skip
    """With switches for what goes wrong."""
    shared = count_overlaps(found, truth)
    sizes, true_sizes = (dict(zip(*(column.tolist() for column in np.unique(ids, return_counts=True))))
                         for ids in (found, truth))  # fmt: skip
    tp = 0
    for (n, t), both in shared.items():
        either = sizes[n] if one_sided else sizes[n] + true_sizes[t] - both
        share = 2 * both / (sizes[n] + true_sizes[t]) if dice else both / either
        tp += bool((n and t) or ground) and (share >= least if at_least else share > least)
    count, true_count = (len([n for n in of if n or ground]) for of in (sizes, true_sizes))
    return tp, count - tp, true_count - tp


def _cases_counted() -> list[Case]:
    truth = np.zeros((6, 12), int)
    truth[:, :4], truth[:, 6:9], truth[:2, 10:] = 7, 2, 40
    shifted, joined, halves = np.roll(truth, 1, axis=1), np.where(truth > 0, 1, 0), truth.copy()
    shifted[:, 0] = 0
    halves[3:, :4] = 9
    return [
        Case("as annotated, other numbers", np.where(truth > 0, 50 - truth, 0), truth),
        Case("one pixel beside", shifted, truth),
        Case("all under one number", joined, truth),
        Case("one in halves: an IoU of exactly one half", halves, truth),
        Case("nothing found", np.zeros_like(truth), truth),
        Case("nothing annotated", truth, np.zeros_like(truth)),
    ]


# -- 21.3: length of the picture, side of a window -> where windows begin


def _starts(length: int, side: int) -> list[int]:
    return list(Axis(length, side).starts)


def _placed(
    length: int, side: int, *, share: int = 4, over: bool = False, plain: bool = False, beyond: bool = False
) -> list[int]:
    """The answer written once more, with switches for what goes wrong."""
    overlap = side // share if share else 0
    if length <= side and not over:
        return [0]
    count = max(2 if over else 1, math.ceil((length - overlap) / (side - overlap)))
    if plain:
        return [i * (side - overlap) for i in range(count)]
    last = length if beyond else length - side
    return [round(i * last / (count - 1)) for i in range(count)]


def _spaced(length: int, side: int, count: int, whole=round, gaps: int = -1) -> list[int]:
    """``count`` windows, evenly, made whole in some way, as if there were ``count + gaps`` gaps between them."""
    return [whole(i * (length - side) / max(1, count + gaps)) for i in range(count)] if length > side else [0]


def _count(length: int, side: int) -> int:
    return max(1, math.ceil((length - side // 4) / (side - side // 4)))


def _last_alone(length: int, side: int) -> list[int]:
    return [*range(0, length - side, side - side // 4), length - side] if length > side else [0]


def _cases_starts() -> list[Case]:
    return [
        Case("as long as a window", 100, 100),
        Case("shorter than a window", 60, 100),
        Case("a pixel more than a window", 101, 100),
        Case("just what two windows cover", 175, 100),
        Case("a pixel more than that", 176, 100),
        Case("many", 1388, 256),
    ]


EXERCISES = (
    Exercise(
        id="21.1",
        name="one_map",
        reference=lambda masks, scores: _one_map(masks, scores),
        cases=_cases_one_map,
        drawn=photographs.masks,
        mistakes=(
            Mistake("a pixel goes to the surest of its masks; yours gives it to the least sure: paint the surest last",
                    lambda m, s: _one_map(m, s, last=True)),
            Mistake("the surest is number 1, whatever its place among the masks: number by score",
                    lambda m, s: _one_map(m, s, by_place=True)),
            Mistake("by score, not by the order in which the masks come",
                    lambda m, s: _one_map(m, -np.arange(len(m)))),
            Mistake("the highest score comes first: yours begins with the lowest", lambda m, s: _one_map(m, -s)),
            Mistake("a mask of which no pixel is left keeps its number: number by score before you paint",
                    lambda m, s: _one_map(m, s, seen=True)),
            Mistake("0 is background, so the first number is 1",
                    lambda m, s: np.maximum(_one_map(m, s) - 1, 0)),
        ),
    ),
    Exercise(
        id="21.2",
        name="counted",
        reference=lambda found, truth: _counted(found, truth),
        cases=_cases_counted,
        drawn=photographs.maps,
        mistakes=(
            Mistake("an IoU of exactly one half is not above it", lambda f, t: _counted(f, t, at_least=True)),
            Mistake("0 is background, no object: leave it out on both sides",
                    lambda f, t: _counted(f, t, ground=True)),
            Mistake("that is dice: IoU divides what both have by what either has",
                    lambda f, t: _counted(f, t, dice=True)),
            Mistake("divide by the union, not by the found object's own pixels",
                    lambda f, t: _counted(f, t, one_sided=True)),
            Mistake("FP are found and not right, FN are true and not found: yours has them the other way round",
                    lambda f, t: tuple(_counted(f, t)[i] for i in (0, 2, 1))),
        ),
    ),
    Exercise(
        id="21.3",
        name="starts",
        reference=_starts,
        cases=_cases_starts,
        drawn=photographs.picture,
        mistakes=(
            Mistake("neighbours overlap by at least a quarter of a window; yours only touch",
                    lambda n, side: _placed(n, side, share=0)),
            Mistake("a quarter of a window is enough, and fewer windows cost less",
                    lambda n, side: _placed(n, side, share=2)),
            Mistake("the last one must end with the picture: spread them evenly",
                    lambda n, side: _placed(n, side, plain=True)),
            Mistake("the last one begins a window before the end of the picture, not at its end",
                    lambda n, side: _placed(n, side, beyond=True)),
            Mistake("spread all of them evenly; yours takes fixed steps and moves the last one alone", _last_alone),
            Mistake("round to the nearest pixel: yours cuts decimals off",
                    lambda n, side: _spaced(n, side, _count(n, side), int)),
            Mistake("round to the nearest pixel: yours rounds up",
                    lambda n, side: _spaced(n, side, _count(n, side), math.ceil)),
            Mistake("n windows have n - 1 gaps between them: divide by n - 1",
                    lambda n, side: _spaced(n, side, _count(n, side), gaps=0)),
            Mistake("what two windows just cover needs no third: round the number up (ceil), not down plus 1",
                    lambda n, side: _spaced(n, side, (n - side // 4) // (side - side // 4) + 1)),
            Mistake("the first window covers a whole side: take the overlap off the length too before you divide",
                    lambda n, side: _spaced(n, side, math.ceil(n / (side - side // 4)))),
            Mistake("that is the number of windows after the first: one more",
                    lambda n, side: _spaced(n, side, math.ceil((n - side) / (side - side // 4)))),
            Mistake("begin a window only every side, and they touch: neighbours overlap by a quarter of a window",
                    lambda n, side: list(range(0, n, side))),
            Mistake("also a picture that is smaller than a window needs one: [0]",
                    lambda n, side: _starts(n, side) if n > side else []),
            Mistake("a picture that is no longer than a window needs one",
                    lambda n, side: _placed(n, side, over=True)),
        ),
    ),
)  # fmt: skip
