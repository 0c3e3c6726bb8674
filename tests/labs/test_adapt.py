"""A right answer in other containers is taken, and the lab goes on with what it expects."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from oneformer_lite import labs
from oneformer_lite.labs.exercise import find


def pairs(table):
    return linear_sum_assignment(table.nan_to_num(nan=100.0).T.numpy())[1]


@pytest.mark.parametrize("turn", [lambda q: q, torch.from_numpy, np.ndarray.tolist, lambda q: tuple(q.tolist())])
def test_a_pairing_may_be_a_list_a_tensor_or_an_array(turn):
    answer = labs.use("08.4", lambda table: turn(pairs(table)))
    assert labs.whose("08.4", answer) == "yours"
    assert isinstance(answer(torch.rand(4, 2)), list | tuple) and len(answer(torch.rand(6, 5))) == 5


def regions(segment_map, segments, pack):
    found = {}
    for id, k, crowd in sorted(segments, key=lambda s: s[1]):
        mask = segment_map == id
        if mask.any() and not crowd:
            found[k] = found.get(k, False) | mask
    return pack(found, segment_map)


PACKS = {
    "stacked": lambda found, m: (np.array(list(found.values())).reshape(-1, *m.shape), np.array(list(found), int)),
    "views": lambda found, m: (found.values(), found.keys()),
    "tensors": lambda found, m: (torch.from_numpy(np.array(list(found.values())).reshape(-1, *m.shape)), list(found)),
    "a list": lambda found, m: [list(found.values()), tuple(found)],
}


@pytest.mark.parametrize("name", PACKS)
def test_masks_may_be_stacked_or_listed(name):
    answer = labs.use("01.2", lambda segment_map, segments: regions(segment_map, segments, PACKS[name]))
    assert labs.whose("01.2", answer) == "yours"
    masks, classes = answer(np.array([[1, 1, 2]]), [(1, 4, False), (2, 0, False)])
    assert isinstance(masks, list) and [type(mask) for mask in masks] == [np.ndarray] * 2
    assert [names for names in ("abcde"[k] for k in classes)] == ["a", "e"]


def test_lists_and_arrays_are_turned_to_the_tensors_that_the_lab_goes_on_with():
    def false_negatives(texts, tasks):
        whole = list(zip(tasks, texts, strict=True))
        return [[i != j and a == b for j, b in enumerate(whole)] for i, a in enumerate(whole)]

    answer = labs.use("07.4", false_negatives)
    assert labs.whose("07.4", answer) == "yours"
    assert answer([["a"]] * 2, ["panoptic"] * 2).triu().nonzero().tolist() == [[0, 1]]
    as_array = labs.use("07.4", lambda texts, tasks: np.array(false_negatives(texts, tasks)))
    assert as_array([["a"]] * 2, ["panoptic"] * 2).dtype == torch.bool


def test_an_answer_of_the_right_kind_stays_itself():
    right = find("13.2")
    mine = lambda steps, warmup, final: [float(x) for x in right.reference(steps, warmup, final)]  # noqa: E731
    from oneformer_lite.labs.adapt import adapted

    assert adapted(mine, right) is mine
