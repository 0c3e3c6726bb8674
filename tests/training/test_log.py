"""The log of a run: what is measured, how it is rounded, and how a reader follows it while it grows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oneformer_lite.training.log import LOG, Log, LogReader, read_log
from oneformer_lite.training.meter import Meter, peak_memory


def test_values_are_rounded_and_lists_more_so(tmp_path):
    log = Log(tmp_path)
    log.write("train", 1, 0.123, lr=1e-3 / 3, mask=float("nan"), by_layer={"mask": [1 / 3, float("inf")]}, memory_mb=7)
    assert (tmp_path / LOG).read_text() == (
        '{"kind": "train", "step": 1, "seconds": 0.12, "lr": 0.000333333, "mask": null, '
        '"by_layer": {"mask": [0.3333, null]}, "memory_mb": 7}\n'
    )


def test_a_reader_follows_a_log_that_grows_and_one_that_is_written_anew(tmp_path):
    reader = LogReader(tmp_path)
    assert reader.read() == []
    log = Log(tmp_path)
    for step in (1, 2, 3):
        log.write("train", step, step)
    first = reader.read()
    assert [r["step"] for r in first] == [1, 2, 3] and reader.read() == first
    with (tmp_path / LOG).open("a") as file:
        file.write('{"kind": "train", "st')  # a line that is being written
    assert [r["step"] for r in reader.read()] == [1, 2, 3]
    with (tmp_path / LOG).open("a") as file:
        file.write('ep": 4}\n')
    assert [r["step"] for r in reader.read()] == [1, 2, 3, 4]
    assert [r["step"] for r in first] == [1, 2, 3]  # what was handed out stays
    Log(tmp_path, step=3)  # a resumed run cuts off what it will do again
    assert [r["step"] for r in reader.read()] == [1, 2, 3]
    again = Log(tmp_path, step=2)
    for step in (3, 4, 5):  # longer than before when it is looked at
        again.write("train", step, step, total=5.0)
    assert reader.read() == read_log(tmp_path) == again.records


@pytest.mark.parametrize("count", [1, 4, 5, 6, 8, 9, 17, 100, 257])
def test_of_a_long_log_evenly_spread_records_are_kept_and_all_scores(tmp_path, count):
    """The first, the newest, and of those between at most as many as were asked for; read at once or as they come."""
    log, reader = Log(tmp_path), LogReader(tmp_path, most=4)
    for step in range(1, count + 1):
        log.write("train", step, step)
        if step % 50 == 0:
            log.write("eval", step, step, PQ=1.0)
        kept = reader.read()
        train = [r["step"] for r in kept if r["kind"] == "train"]
        assert train[0] == 1 and train[-1] == step and len(train) <= 5
        between = {b - a for a, b in zip(train[:-1], train[1:-1])}
        assert len(between) <= 1, train
        assert [r["step"] for r in kept if r["kind"] == "eval"] == list(range(50, step + 1, 50))
    assert LogReader(tmp_path, most=4).read() == kept
    assert LogReader(tmp_path).read() == read_log(tmp_path)


def test_only_new_bytes_are_read(tmp_path, monkeypatch):
    log, reader, parsed = Log(tmp_path), LogReader(tmp_path), []
    loads = json.loads
    monkeypatch.setattr(json, "loads", lambda line, **options: parsed.append(line) or loads(line, **options))
    for step in (1, 2, 3):
        log.write("train", step, step)
        reader.read()
    assert len(parsed) == 3


def test_images_a_second_count_from_one_reading_to_the_next():
    meter = Meter(batch_size=8, step=100, seconds=50.0)
    assert meter.read(110, 60.0)["images_per_second"] == pytest.approx(8.0)
    assert meter.read(111, 60.5)["images_per_second"] == pytest.approx(16.0)
    assert meter.read(111, 60.5)["images_per_second"] is None  # no time has passed


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="compares with Linux's own account in /proc")
def test_peak_memory_is_what_the_system_says():
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    kib = int(lines["VmHWM"].split()[0])
    assert peak_memory() == pytest.approx(kib * 1024, rel=0.02)
