"""Lab 00: what can be made of a panoptic answer, what queries say, and whose a pixel is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from .draws import first
from .exercise import Case, Exercise, Mistake, Rules

# -- 00.1: map of segment ids int [H, W], 0 = void; id -> class id -> map of class ids, -1 = void


def _semantic(ids: np.ndarray, classes: Mapping[int, int]) -> np.ndarray:
    found = np.full(ids.shape, -1)
    for segment, label in classes.items():
        found[ids == segment] = label
    return found


def _cases_semantic() -> list[Case]:
    ids = np.array([[1, 1, 0], [2, 3, 3]])
    return [
        Case("three segments and void", ids, {1: 4, 2: 0, 3: 4}),
        Case("no void", ids + (ids == 0), {1: 2, 2: 5, 3: 0}),
        Case("ids that are classes too", np.array([[1, 2], [2, 5]]), {1: 2, 2: 5, 5: 1}),
        Case("nothing but void", np.zeros((2, 2), int), {}),
        Case("a segment without a pixel", ids, {1: 1, 2: 2, 3: 3, 9: 0}),
    ]


def _one_after_the_other(ids: np.ndarray, classes: Mapping[int, int]) -> np.ndarray:
    found = np.where(ids == 0, -1, ids)
    for segment, label in classes.items():
        found[found == segment] = label
    return found


def _void_is_class_zero(ids: np.ndarray, classes: Mapping[int, int]) -> np.ndarray:
    return np.maximum(_semantic(ids, classes), 0)


def _key_for_value(ids: np.ndarray, classes: Mapping[int, int]) -> np.ndarray:
    found = np.full(ids.shape, -1)
    for segment, label in classes.items():
        found[ids == label] = segment
    return found


def _void_and_one_after_the_other(ids: np.ndarray, classes: Mapping[int, int]) -> np.ndarray:
    found = ids.copy()
    for segment, label in classes.items():
        found[found == segment] = label
    return found


def _ids_kept(ids: np.ndarray, classes: Mapping[int, int]) -> np.ndarray:
    return np.where(ids == 0, -1, ids)


# -- 00.2: the same and a bool for each class -> things only: masks bool [n, H, W], their classes, in the order of ids


def _instances(ids: np.ndarray, classes: Mapping[int, int], is_thing: Sequence[bool]) -> tuple[np.ndarray, list[int]]:
    kept = [s for s in sorted(classes) if is_thing[classes[s]] and (ids == s).any()]
    return _masks(ids, kept), [classes[s] for s in kept]


def _masks(ids: np.ndarray, kept: Sequence[int]) -> np.ndarray:
    return np.stack([ids == s for s in kept]) if kept else np.zeros((0, *ids.shape), bool)


def _cases_instances() -> list[Case]:
    ids, things = np.array([[1, 1, 0], [2, 3, 3]]), [True, False, True]
    return [
        Case("two things, one stuff", ids, {1: 0, 2: 1, 3: 2}, things),
        Case("two things of one class", ids, {1: 2, 2: 1, 3: 2}, things),
        Case("nothing but stuff", ids, {1: 1, 2: 1, 3: 1}, things),
        Case("the dictionary in another order", ids, {3: 0, 1: 2, 2: 0}, things),
        Case("a thing without a pixel", ids, {1: 0, 2: 1, 3: 2, 7: 2}, things),
    ]


def _with_stuff(ids: np.ndarray, classes: Mapping[int, int], is_thing: Sequence[bool]) -> tuple[np.ndarray, list[int]]:
    return _instances(ids, classes, [True] * len(is_thing))


def _stuff_alone(ids: np.ndarray, classes: Mapping[int, int], is_thing: Sequence[bool]) -> tuple[np.ndarray, list[int]]:
    return _instances(ids, classes, [not thing for thing in is_thing])


def _by_id(ids: np.ndarray, classes: Mapping[int, int], is_thing: Sequence[bool]) -> tuple[np.ndarray, list[int]]:
    kept = [s for s in sorted(classes) if s < len(is_thing) and is_thing[s] and (ids == s).any()]
    return _masks(ids, kept), [classes[s] for s in kept]


def _merged(ids: np.ndarray, classes: Mapping[int, int], is_thing: Sequence[bool]) -> tuple[np.ndarray, list[int]]:
    masks, labels = _instances(ids, classes, is_thing)
    kept = sorted(set(labels))
    joined = [masks[np.array(labels) == label].any(0) for label in kept]
    return (np.stack(joined) if joined else masks), kept


def _in_order_of_the_dictionary(
    ids: np.ndarray, classes: Mapping[int, int], is_thing: Sequence[bool]
) -> tuple[np.ndarray, list[int]]:
    kept = [s for s in classes if is_thing[classes[s]] and (ids == s).any()]
    return _masks(ids, kept), [classes[s] for s in kept]


def _ids_for_classes(
    ids: np.ndarray, classes: Mapping[int, int], is_thing: Sequence[bool]
) -> tuple[np.ndarray, list[int]]:
    kept = [s for s in sorted(classes) if is_thing[classes[s]] and (ids == s).any()]
    return _masks(ids, kept), kept


def _empty_too(ids: np.ndarray, classes: Mapping[int, int], is_thing: Sequence[bool]) -> tuple[np.ndarray, list[int]]:
    kept = [s for s in sorted(classes) if is_thing[classes[s]]]
    return _masks(ids, kept), [classes[s] for s in kept]


# -- 00.3: class logits [Q, K+1], last no object; names -> what is named, surest first


def _named(class_logits: Tensor, names: Sequence[str]) -> list[str]:
    scores, labels = class_logits.softmax(-1).max(-1)
    kept = [q for q in scores.argsort(descending=True).tolist() if labels[q] < len(names)]
    return [names[labels[q]] for q in kept]


def _cases_named() -> list[Case]:
    draw, names = torch.Generator().manual_seed(4), ["car", "tree", "sky"]
    return [
        Case("six queries", 2 * torch.randn(6, 4, generator=draw), names),
        Case("all are silent", torch.eye(4)[[3, 3]] * 5, names),
        Case("two of one class", torch.tensor([[1.0, 0, 0, 0], [9.0, 0, 0, 0], [0, 3.0, 0, 0]]), names),
        Case("a loud query that is not sure", torch.tensor([[9.0, 9.0, 8.0, 9.0], [2.0, 0, 0, 0]]), names),
        Case("one class", torch.tensor([[0.5, 0.0], [0.0, 0.5]]), ["ball"]),
    ]


def _by_logits(class_logits: Tensor, names: Sequence[str]) -> list[str]:
    values, labels = class_logits.max(-1)
    kept = [q for q in values.argsort(descending=True).tolist() if labels[q] < len(names)]
    return [names[labels[q]] for q in kept]


def _in_order_of_queries(class_logits: Tensor, names: Sequence[str]) -> list[str]:
    return [names[k] for k in class_logits.argmax(-1).tolist() if k < len(names)]


def _each_names_something(class_logits: Tensor, names: Sequence[str]) -> list[str]:
    return _named(torch.cat([class_logits[:, :-1], torch.full((len(class_logits), 1), -1e9)], 1), names)


def _no_object_dropped_late(class_logits: Tensor, names: Sequence[str]) -> list[str]:
    scores, labels = class_logits.softmax(-1)[:, :-1].max(-1)
    return [names[labels[q]] for q in scores.argsort(descending=True).tolist()]


def _no_object_too(class_logits: Tensor, names: Sequence[str]) -> list[str]:
    return [[*names, "no object"][k] for k in class_logits.argmax(-1).tolist()]


def _index_too_large(class_logits: Tensor, names: Sequence[str]) -> list[str]:
    scores, labels = class_logits.softmax(-1).max(-1)
    return [names[labels[q]] for q in scores.argsort(descending=True).tolist()]


def _over_queries(class_logits: Tensor, names: Sequence[str]) -> list[str]:
    scores, labels = class_logits.softmax(0).max(-1)
    return [names[labels[q]] for q in scores.argsort(descending=True).tolist() if labels[q] < len(names)]


def _sure_alone(class_logits: Tensor, names: Sequence[str]) -> list[str]:
    scores, labels = class_logits.softmax(-1)[:, :-1].max(-1)
    return [names[labels[q]] for q in scores.argsort(descending=True).tolist() if scores[q] > 0.5]


def _once(class_logits: Tensor, names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(_named(class_logits, names)))


def _least_sure_first(class_logits: Tensor, names: Sequence[str]) -> list[str]:
    return _named(class_logits, names)[::-1]


EXERCISES = (
    Exercise(
        id="00.1",
        name="to_semantic",
        reference=_semantic,
        cases=_cases_semantic,
        drawn=first.segments,
        mistakes=(
            Mistake("what was renamed is found again by the next segment: look up in the ids as they came",
                    _one_after_the_other),
            Mistake("void is -1: class 0 is a class", _void_is_class_zero),
            Mistake("these are still the ids of the segments: write their classes", _ids_kept),
            Mistake("classes.items() gives (id, class): look for the id, write the class", _key_for_value),
            Mistake("what was renamed is found again by the next segment, and void is 0 instead of -1: look up in the "
                    "ids, write into a map that is -1 everywhere", _void_and_one_after_the_other),
        ),
    ),
    Exercise(
        id="00.2",
        name="to_instances",
        reference=_instances,
        cases=_cases_instances,
        drawn=first.segments_and_things,
        mistakes=(
            Mistake("stuff is no instance: leave it out", _with_stuff),
            Mistake("this is the stuff: things are wanted", _stuff_alone),
            Mistake("is_thing is asked with a class id, not with the id of a segment", _by_id),
            Mistake("two things of one class are two instances", _merged),
            Mistake("a segment without a pixel has no mask: leave it out", _empty_too),
            Mistake("in the order of the ids, not of the dictionary: sorted(classes)", _in_order_of_the_dictionary),
            Mistake("the second result is the class of each, not its id", _ids_for_classes),
            Mistake("masks first, then classes: yours are the other way round", lambda *a: _instances(*a)[::-1]),
        ),
    ),
    Exercise(
        id="00.3",
        name="named",
        reference=_named,
        cases=_cases_named,
        drawn=first.class_logits,
        rules=Rules(),
        mistakes=(
            Mistake("how sure a query is, its softmax says: a logit counts beside the others only", _by_logits),
            Mistake("surest first: sort by the probability", _in_order_of_queries),
            Mistake("a query whose surest answer is the last column says nothing", _each_names_something),
            Mistake("two queries may name the same class: that is two entries", _once),
            Mistake("the order is reversed: surest first", _least_sure_first),
            Mistake("a query whose surest answer is the last column says nothing: leave it out; yours names its second "
                    "choice", _no_object_dropped_late),
            Mistake("silent queries are left out, not named 'no object', and the surest comes first", _no_object_too),
            Mistake("the last column has no name, so names[K] does not exist: leave these queries out",
                    _index_too_large),
            Mistake("the softmax runs over the classes of a query (its row, dim=-1), not over the queries",
                    _over_queries),
            Mistake("no threshold: a query speaks if its surest answer is a class, however unsure it is", _sure_alone),
        ),
    ),
)  # fmt: skip
