"""What is said of differences: seen, a hint, not seen, too few seeds; by hand-computed values."""

from __future__ import annotations

from pathlib import Path

import pytest
from study_folder import CHANGES, definition, results

from oneformer_lite.studies.page import table_text
from oneformer_lite.studies.results import Result
from oneformer_lite.studies.summary import Row, rows_of, signed
from oneformer_lite.studies.timing import Pace, duration, seconds_left, share_done
from oneformer_lite.training import toytown_training

BASELINE = {0: 60.0, 1: 61.0, 2: 60.5}


def row(*values: float, seeds=(0, 1, 2), reference=BASELINE) -> Row:
    return Row("changed", "PQ", dict(zip(seeds, values)), reference)


def test_mean_range_and_differences_seed_by_seed():
    found = row(57.0, 57.5, 57.2)
    assert found.mean == pytest.approx(57.2333, abs=1e-4) and found.range == pytest.approx(0.5)
    assert list(found.differences.values()) == pytest.approx([-3.0, -3.5, -3.3])
    assert found.difference == pytest.approx(-3.26667, abs=1e-4) and found.noise == 1.0  # the baseline's is larger
    assert found.seen and "3.27 below the baseline, more than twice the 1.00 between seeds" in found.words


@pytest.mark.parametrize(
    ("values", "verdict", "words"),
    [
        ((62.5, 63.5, 63.0), "better", "better: 2.50 above"),
        ((62.0, 63.0, 62.5), "hint", "higher with every seed, but by less than twice the 1.00"),  # 2.0 is not more
        ((59.6, 60.8, 60.4), "hint", "lower with every seed"),
        ((60.5, 60.7, 60.6), "unseen", "no difference: one below 2.0 would not have been called seen"),
        ((66.0, 61.5, 62.0), "hint", "twice the 4.50"),  # its own range is the larger one
        ((60.0, 61.0, 60.5), "unseen", "seeds alone make 1.00"),
    ],
    ids=["twice the range and more", "exactly twice", "one sign", "both signs", "its own range", "the same numbers"],
)
def test_what_counts(values, verdict, words):
    found = row(*values)
    assert found.verdict == verdict and words in found.words and found.seen == (verdict == "better")


@pytest.mark.parametrize(
    ("found", "verdict", "words"),
    [
        (row(40.0), "few", "one seed says nothing of the noise: take 3 or more"),
        (row(40.0, 41.0), "few", "2 seeds say nothing"),
        (row(40.0, 41.0, 42.0, seeds=(7, 8, 9)), "few", "no seed with a result of both"),
        (row(40.0, 41.0, 42.0, seeds=(0, 1, 9)), "few", "2 seeds say nothing"),  # only what both have is compared
        (Row("changed", "PQ", {}, BASELINE, why="no result yet"), "nothing", "no result yet"),
        (row(5.0, 5.0, 5.0, reference=dict.fromkeys(range(3), 5.0)), "unseen", "no difference at all"),
    ],
    ids=["one seed", "two seeds", "no seed of both", "two of both", "none", "equal"],
)
def test_nothing_is_claimed_without_noise(found, verdict, words):
    assert found.verdict == verdict and words in found.words and not found.seen


def test_more_noise_never_makes_a_difference_count():
    """The rule errs to the side of not seeing: with wider values of the same mean a verdict only gets weaker."""
    order = ["unseen", "hint", "better"]
    verdicts = [row(63.0 - by, 64.0, 63.5 + by).verdict for by in (0.0, 0.5, 1.0, 3.0, 8.0)]
    ranks = [order.index(verdict) for verdict in verdicts]
    assert ranks == sorted(ranks, reverse=True) and ranks[0] == 2 and ranks[-1] == 0


def test_why_there_is_no_number(tmp_path: Path):
    made = definition(tmp_path, CHANGES)
    found = [*results(), Result("semantic alone", 0, failed="the loss has exploded")]
    assert "does not learn what PQ is of" in rows_of(made, found, "PQ")[-1].words
    assert rows_of(made, found, "mIoU")[-1].words == "failed with seed 0: the loss has exploded"
    assert rows_of(made, results(), "mIoU")[-1].words == "no result yet"


def test_the_table_as_text(tmp_path: Path):
    lines = table_text(rows_of(definition(tmp_path, CHANGES), results(), "PQ")).split("\n")
    assert lines[1].split() == "as it is 60.50 60.00 to 61.00".split()
    assert lines[2].split() == "no contrastive loss 57.23 57.00 to 57.50 −3.27 −3.00 −3.50 −3.30 worse".split()
    assert lines[3].endswith("a hint") and "does not learn" in lines[4] and max(map(len, lines)) < 120


def test_signs():
    assert [signed(v) for v in (1.234, -1.236, 0.001, -0.004, None)] == ["+1.23", "−1.24", "±0.00", "±0.00", "–"]


def pace(step: int, variant: str = "a", judging: float | None = None, **budget) -> Pace:
    recipe = toytown_training(evaluations=0, **(budget or {"steps": 100}))
    return Pace(variant, recipe, step, step * 0.5, judging)


def test_time_left():
    assert seconds_left([pace(0), pace(0, "b")]) is None  # nothing measured yet
    assert duration(None) == "time left is known after the first steps"
    assert seconds_left([pace(100, judging=4.0), pace(20), pace(0, "b")]) == pytest.approx(40 + 50 + 2 * 4)
    assert seconds_left([pace(100, judging=4.0), pace(20), pace(0, "b")], at_once=2) == pytest.approx(54)  # the longest
    assert seconds_left([pace(0, minutes=2.0)]) == 120 and seconds_left([pace(60, minutes=2.0)]) == 90
    assert seconds_left([pace(100, judging=4.0)]) == 0.0
    assert share_done([pace(100, judging=4.0), pace(50), pace(0)]) == 0.5
    assert [duration(s) for s in (20, 600, 7200 * 3)] == ["less than a minute left", "about 10 min left",
                                                          "about 6 h left"]  # fmt: skip
