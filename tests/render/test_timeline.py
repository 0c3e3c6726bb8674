"""What a log says of any moment of a run."""

from __future__ import annotations

import pytest

from oneformer_lite.render.timeline import Timeline, duration, memory, number

HISTORY = [
    {"kind": "train", "step": s, "seconds": 2.0 * s, "total": 100.0 / s, "by_layer": {"mask": [s, None]}}
    for s in (1, 10, 20, 30)
] + [
    {"kind": "eval", "step": 15, "seconds": 30.0, "PQ": 12.34},
    {"kind": "final", "step": 30, "seconds": 60.0, "PQ": 50},
]


def test_a_moment_shows_the_newest_record_before_it():
    timeline = Timeline(HISTORY, steps=40)
    assert timeline.last == 30 and timeline.moments() == [1, 10, 15, 20, 30]
    assert timeline.record(0) is None and timeline.record(19)["step"] == 10 and timeline.record(20)["step"] == 20
    assert timeline.score(14) is None and timeline.score(29)["PQ"] == 12.34 and timeline.score(30)["PQ"] == 50
    texts = timeline.texts(15)
    assert (texts["total"], texts["PQ"], texts["AP"], texts["scored"]) == ("10", "12.3", "–", "at step 15")
    assert (texts["step"], texts["share"], texts["time"], texts["lr"]) == ("15 of 40", "38 %", "20 s", "–")
    assert timeline.texts(1)["scored"] == "not yet measured"
    assert timeline.layers(12) == {"mask": [10, None]} and timeline.layers(0) == {}


def test_time_left_is_counted_by_the_newest_pace():
    seconds = [float(s if s <= 100 else 100 + 10 * (s - 100)) for s in range(1, 131)]
    history = [{"kind": "train", "step": s, "seconds": t} for s, t in enumerate(seconds, 1)]
    assert Timeline(history, steps=200).seconds_left(130) == pytest.approx(700)  # ten seconds a step by now
    assert Timeline(history, steps=200).seconds_left(50) == pytest.approx(150)
    assert Timeline(history, minutes=10).seconds_left(130) == pytest.approx(200)
    assert Timeline(history[:1], steps=200).seconds_left(1) == pytest.approx(199)
    assert Timeline(history).seconds_left(130) is None and Timeline([], steps=5).seconds_left(0) is None
    assert Timeline(history, minutes=10).share(130) == pytest.approx(400 / 600) and Timeline(history).share(9) is None


def test_long_logs_are_thinned_to_even_moments_with_both_ends():
    moments = Timeline([{"kind": "train", "step": s, "seconds": 0.0} for s in range(1, 1002)]).moments(11)
    assert moments == list(range(1, 1002, 100))
    assert Timeline([]).moments() == [] and Timeline([]).last == 0


def test_numbers_read_well():
    told = [number(v) for v in (1234.5, 99.95, 0.12345, 0, None, float("nan"))]
    assert told == ["1234", "100", "0.123", "0", "–", "–"]
    assert [duration(s) for s in (None, 0, 89, 90, 5399, 5400, 172_799, 172_800)] == [
        "–", "0 s", "89 s", "1.5 min", "90.0 min", "1.5 h", "48.0 h", "2.0 days",
    ]  # fmt: skip
    assert [memory(m) for m in (None, 999, 1000, 81_234)] == ["–", "999 MB", "1.0 GB", "81.2 GB"]
