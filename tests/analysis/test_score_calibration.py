"""The expected calibration error by hand, and the pictures behind a bar."""

from __future__ import annotations

import numpy as np
import pytest

from oneformer_lite.analysis.behind import Behind
from oneformer_lite.analysis.calibration import Calibration


def test_error_by_hand():
    calibration = Calibration()
    calibration.add(np.array([0.85, 0.85, 0.85, 0.85]), np.array([1, 1, 1, 0]))  # three quarters right: off by 0.1
    calibration.add(np.array([0.3]), np.array([0]))  # off by 0.3
    assert calibration.error == pytest.approx((4 * 0.1 + 0.3) / 5)
    low, high = calibration.bins()
    assert (low["low"], low["high"], low["count"], low["right"]) == (0.3, 0.4, 1, 0)
    assert (high["count"], high["right"]) == (4, 0.75) and high["score"] == pytest.approx(0.85)


def test_weights_count_as_items_and_ends_belong_to_a_bin():
    weighed, single = Calibration(), Calibration()
    assert weighed.add(np.array([1.0, 0.0]), np.array([0.5, 1]), np.array([2, 1])).tolist() == [9, 0]
    single.add(np.array([1.0, 1.0, 0.0]), np.array([1, 0, 1]))
    assert weighed.bins() == single.bins() and weighed.error == single.error == pytest.approx((1 + 1) / 3)


def test_a_score_that_is_no_number_counts_as_nothing():
    calibration = Calibration()
    assert calibration.add(np.array([np.nan, 0.95]), np.array([0, 1])).tolist() == [0, 9]
    assert calibration.error == pytest.approx(0.025)


def test_nothing_has_no_error():
    empty = Calibration()
    empty.add(np.array([]), np.array([]))
    assert np.isnan(empty.error) and empty.bins() == []


def test_a_bar_keeps_the_pictures_that_count_most_however_many_there_are():
    behind, bar = Behind(kept=5), ("errors", "panoptic", "missed")
    weights = np.random.default_rng(0).permutation(1000)
    for picture, weight in enumerate(weights.tolist()):
        behind.note(bar, picture, weight)
        assert len(behind._pictures[bar]) <= 20
    assert behind.of(*bar) == [(int(np.flatnonzero(weights == w)[0]), w) for w in (999, 998, 997, 996, 995)]
    assert list(behind) == [bar] and behind.of("errors", "panoptic", "split") == []
