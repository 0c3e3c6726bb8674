"""Verdicts on hand-made maps, and the readings of predictions and annotations."""

from __future__ import annotations

import numpy as np
import pytest

import oneformer_lite as ofl
from oneformer_lite.inspectors.segments import Reading, ReadSegment, count_verdicts, judged, read_prediction, read_truth


def reading(rows: list[str], classes: dict[int, int], crowd: int = 0) -> Reading:
    ids = np.array([[int(cell) for cell in row] for row in rows], dtype=np.int32)
    return Reading(
        ids, tuple(ReadSegment(i, c, f"c{c}", int((ids == i).sum()), is_crowd=i == crowd) for i, c in classes.items())
    )


def verdicts(reading: Reading) -> dict[int, str]:
    return {s.id: s.verdict for s in reading.segments}


def test_right_wrong_missed_invented() -> None:
    truth = reading(["1122", "1122", "0033", "0033"], {1: 0, 2: 1, 3: 2})
    found = reading(["1122", "1122", "4400", "4400"], {1: 0, 2: 5, 4: 0})
    found, truth = judged(found, truth)
    assert verdicts(truth) == {1: "right", 2: "wrong class", 3: "missed"}
    assert verdicts(found) == {1: "right", 2: "wrong class", 4: "ignored"}  # it lies on void
    assert [s.iou for s in found.segments] == [1.0, 1.0, 0.0] and found.segments[1].partner == 2
    assert count_verdicts(found, truth) == {"right": 1, "wrong class": 1, "missed": 1, "ignored": 1}


def test_split_and_merged() -> None:
    truth = reading(["1111", "1111", "2233", "2233"], {1: 0, 2: 1, 3: 1})
    found = reading(["1122", "1122", "3333", "3333"], {1: 0, 2: 0, 3: 1})
    found, truth = judged(found, truth)
    assert verdicts(found) == {1: "split", 2: "split", 3: "merged"}
    assert verdicts(truth) == {1: "split", 2: "merged", 3: "merged"}
    assert count_verdicts(found, truth) == {"split": 2, "merged": 1}


def test_a_segment_lost_in_a_right_one_is_counted() -> None:
    """Two trees found as one, which is right for the larger of them."""
    truth = reading(["1112", "1112"], {1: 0, 2: 0})
    found, truth = judged(reading(["3333", "3333"], {3: 0}), truth)
    assert verdicts(found) == {3: "right"} and verdicts(truth) == {1: "right", 2: "merged"}
    assert count_verdicts(found, truth) == {"right": 1, "merged": 1}


def test_a_piece_that_is_large_enough_is_right_all_the_same() -> None:
    truth = reading(["1111", "1111"], {1: 0})
    found, truth = judged(reading(["1112", "1112"], {1: 0, 2: 0}), truth)
    assert verdicts(found) == {1: "right", 2: "split"} and verdicts(truth) == {1: "right"}
    assert found.segments[0].iou == 0.75


def test_crowds_cost_nothing() -> None:
    truth = reading(["1100", "1100"], {1: 0}, crowd=1)
    found, truth = judged(reading(["2200", "2200"], {2: 0}), truth)
    assert verdicts(found) == {2: "ignored"} and verdicts(truth) == {1: "ignored"}


def test_nothing_on_either_side() -> None:
    empty = reading(["00", "00"], {})
    assert judged(empty, empty) == (empty, empty) or all(not r.segments for r in judged(empty, empty))
    found, truth = judged(empty, reading(["11", "11"], {1: 0}))
    assert verdicts(truth) == {1: "missed"} and count_verdicts(found, truth) == {"missed": 1}


@pytest.mark.parametrize("task", ["panoptic", "instance", "semantic"])
def test_readings_agree_with_what_they_read(task: str) -> None:
    model, sample = ofl.from_pretrained("toytown"), ofl.data.Toytown("val", 128, 8)[3]
    prediction = ofl.predict(model, sample.image, task)
    found, truth = read_prediction(prediction), read_truth(sample, task)
    for r in (found, truth):
        assert {s.id for s in r.segments} == set(np.unique(r.segment_map)) - {0}
        assert all((r.segment_map == s.id).sum() == s.area for s in r.segments)
    row, column = np.argwhere(found.segment_map > 0)[0]
    assert found.at(row, column).id == found.segment_map[row, column]
    if task == "instance":
        assert all(sample.categories[s.class_id].is_thing for s in truth.segments)
    else:
        assert found.segments and len({s.class_id for s in truth.segments}) <= len(truth.segments)
    if task == "semantic":
        assert len({s.class_id for s in truth.segments}) == len(truth.segments)
    judged(found, truth)
